"""`onnx:PATH`: a causal language model as an ONNX graph, run by onnxruntime; needs no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

from foretell.base.canonical import digest_files
from foretell.base.errors import InputError, VocabularyError
from foretell.distributions import Block, DenseBlock, FactoredBlock, Head, Vocabulary, log_softmax
from foretell.distributions.vocabulary import TOKENIZER
from foretell.targets.target import TargetIdentity

GRAPH = "model.onnx"
_WEIGHT_FILES = ("*.onnx", "*.safetensors", "*.onnx_data", "*.data")
#: Metadata of the graph that names the tensor of model.safetensors which is its output layer.
_HEAD_KEY = "foretell.head"
_QUIET = 3  # onnxruntime's severity 'error'


class OnnxTarget:
    """A graph with `input_ids` (batch, tokens) → `logits` (batch, tokens, vocabulary).

    Where the graph also gives `hidden` and names its output layer (as the shipped tiny target's does), truths can be
    factored.

    Args:
        name: the spec.
        path: the .onnx file, or a folder with model.onnx; tokenizer.json and config.json lie beside it.
        tokenizer: a tokenizer.json or its folder, where none lies beside the graph.

    Raises:
        InputError: no graph, tokenizer or context length there, or inputs that are not known.
        VocabularyError: a tokenizer is given, and another lies beside the graph.
    """

    def __init__(self, name: str, path: Path, tokenizer: Path | None = None) -> None:
        self.graph = path / GRAPH if path.is_dir() else path
        if not self.graph.is_file():
            raise _unreadable(name, self.graph, "no such file", "an .onnx file, or a folder with model.onnx")
        self._name, self._folder = name, self.graph.parent
        self.context = _context(name, self._folder)
        self.batch_tokens = 8192
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _QUIET
        try:
            self._session = onnxruntime.InferenceSession(str(self.graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own types, all of them Exception
            raise _unreadable(name, self.graph, str(error), "a graph that onnxruntime can load") from error
        self._inputs = {item.name for item in self._session.get_inputs()}
        self._outputs = {item.name: item.shape[-1] for item in self._session.get_outputs()}
        unknown = self._inputs - {"input_ids", "attention_mask", "position_ids"}
        if unknown or "input_ids" not in self._inputs or "logits" not in self._outputs:
            raise _unreadable(
                name,
                self.graph,
                f"inputs {sorted(self._inputs)}, outputs {sorted(self._outputs)}",
                "input_ids (and attention_mask, position_ids) to logits, exported without a cache of past states",
            )
        width = self._outputs["logits"]
        size = width if isinstance(width, int) else None
        self.vocabulary = Vocabulary.load(tokenizer or self._folder, size)
        if tokenizer and has_tokenizer(path):
            _require_same(name, self.vocabulary, Vocabulary.load(self._folder, size), self._folder)

    @cached_property
    def identity(self) -> TargetIdentity:
        """Digest of every weight file beside the graph, and of the graph."""
        files = [path for pattern in _WEIGHT_FILES for path in self._folder.glob(pattern)]
        return TargetIdentity(
            name=self._name,
            weights=digest_files(files, self._folder),
            tokenizer=self.vocabulary.digest,
            engine=f"onnxruntime {onnxruntime.__version__}",
            dtype="float32",
        )

    @cached_property
    def head(self) -> Head | None:
        """The output layer, where the graph names it."""
        tensor = self._session.get_modelmeta().custom_metadata_map.get(_HEAD_KEY)
        if tensor is None or "hidden" not in self._outputs:
            return None
        weights = load_file(self._folder / "model.safetensors")
        return Head(np.ascontiguousarray(weights[tensor], np.float32))

    @property
    def kinds(self) -> tuple[str, ...]:
        """What `distributions` gives, best first."""
        return ("dense",) if self.head is None else ("factored", "dense")

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids as the tokenizer's template gives them."""
        return self.vocabulary.encode(text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        """See Target. Prompts are padded on the right, which a causal model does not see."""
        output = self._run(batch, "hidden" if kind == "factored" else "logits")
        picked = [output[row][list(wanted)] for row, wanted in enumerate(positions)]
        if kind == "factored":
            assert self.head is not None
            return [FactoredBlock(hidden, self.head) for hidden in picked]
        return [DenseBlock(log_softmax(logits)) for logits in picked]

    def _run(self, batch: Sequence[Sequence[int]], output: str) -> np.ndarray:
        longest = max(len(tokens) for tokens in batch)
        ids = np.zeros((len(batch), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
        feeds: dict[str, Any] = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": np.broadcast_to(np.arange(longest), ids.shape),
        }
        return np.asarray(self._session.run([output], {name: feeds[name] for name in self._inputs})[0])


def _context(name: str, folder: Path) -> int:
    config = folder / "config.json"
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
        return int(settings.get("max_position_embeddings") or settings["n_positions"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(name, config, repr(error), "a config.json with max_position_embeddings") from error


def _unreadable(name: str, path: Path, got: str, expected: str) -> InputError:
    return InputError(
        f"cannot open the target {name!r}",
        where=str(path),
        got=got,
        expected=expected,
        fix="Export the model with its tokenizer.json and config.json into one folder and give that folder.",
    )


def has_tokenizer(path: Path) -> bool:
    """Whether a tokenizer.json lies beside a graph (a file, or the folder that it lies in)."""
    return ((path if path.is_dir() else path.parent) / TOKENIZER).is_file()


def _require_same(name: str, given: Vocabulary, own: Vocabulary, folder: Path) -> None:
    if given.digest != own.digest:
        raise VocabularyError(
            "two tokenizers for one model",
            where=name,
            got=f"{given.digest}, and {own.digest} in {folder}",
            expected="one",
            fix="Leave --tokenizer out: the model's own lies beside it.",
        )
