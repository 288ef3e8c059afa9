"""Targets `hf:PATH_OR_NAME`: causal language models of transformers, in float32 on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from foretell.base.errors import ContextError, InputError, VocabularyError
from foretell.distributions import Block, DenseBlock, FactoredBlock, Head, log_softmax
from foretell.targets.cache import Say, silent
from foretell.targets.hf_folder import find_model, load_vocabulary, weights_digest
from foretell.targets.target import TargetIdentity
from foretell.targets.tiny import checkpoint_folder, step_of
from foretell.targets.torch_head import HEAD_NATS, check_causal, final_hidden, head_error_nats, head_mismatch, read_head
from foretell.targets.torch_loading import load_model, require_transformers

#: Read on opening to check the output layer and the direction of reading; any text would do.
_PROBE = "On Tuesday 14 May the ferry left at 06:45, and nobody asked why the harbour lights were still on."
#: A batch that keeps two cores busy without large intermediate arrays.
_BATCH_TOKENS = 1024
#: For models without a position limit (ALiBi, recurrent); any prompt is shorter.
_NO_LIMIT = 2**31 - 1


def open_hf(source: str, *, name: str | None = None, say: Say = silent) -> TorchTarget:
    """A model folder, or a name on the Hugging Face hub, as a target.

    Args:
        source: path of a model folder, or NAME or NAME@REVISION on the hub.
        name: what the target is called; 'hf:' and the source by default.
        say: told what is being done, a line at a time.

    Raises:
        MissingExtraError: the extra `models` is not installed.
        InputError: no such model, or one that cannot be read or does not read from left to right.
        NetworkError: a name that is not in the local cache, and no network.
        DamageError: weights are missing or broken.
    """
    name = name or f"hf:{source}"
    require_transformers(name)
    folder = find_model(source, say)
    return TorchTarget(folder, name=name, weights=weights_digest(folder))


def open_shipped(spec: str) -> TorchTarget:
    """`tiny` or `tiny@STEP` run by torch: the same weights as the ONNX graph computes with.

    Raises:
        MissingExtraError: the extra `models` is not installed.
        InputError: no checkpoint of that step ships.
    """
    require_transformers(spec)
    folder = checkpoint_folder(step_of(spec))
    return TorchTarget(folder, name=spec, weights=weights_digest(folder), tokenizer=checkpoint_folder())


class TorchTarget:
    """A causal language model in a folder, loaded as float32 on the CPU.

    Args:
        folder: config.json, *.safetensors, tokenizer.json.
        name: what it is called.
        weights: the digest that identifies it.
        dtype: what its numbers are; the computation is float32 always.
        tokenizer: the folder of its tokenizer, where it is not the same.
    """

    def __init__(
        self, folder: Path, *, name: str, weights: str, dtype: str = "float32", tokenizer: Path | None = None
    ) -> None:
        torch, transformers = require_transformers(name)
        self.model = load_model(folder, name)
        self._head = read_head(self.model)
        config = self.model.config.get_text_config()
        self._inputs = int(self.model.get_input_embeddings().weight.shape[0])
        size = int(config.vocab_size) if self._head is None else len(self._head.weight)
        self.vocabulary = load_vocabulary(tokenizer or folder, size)
        self.context = int(getattr(config, "max_position_embeddings", None) or _NO_LIMIT)
        self.batch_tokens = _BATCH_TOKENS
        engine = f"torch {torch.__version__}, transformers {transformers.__version__}"
        self.identity = TargetIdentity(name, weights, self.vocabulary.digest, engine, dtype)
        check_causal(self.model, self._sample, name)

    @cached_property
    def _sample(self) -> Any:
        import torch

        ids = [token for token in self.vocabulary.encode(_PROBE) if token < self._inputs]
        return torch.tensor([ids[: self.context]])

    @cached_property
    def _head_error_nats(self) -> float:
        return float("inf") if self._head is None else head_error_nats(self.model, self._head, self._sample)

    def check_head(self) -> None:
        """Raise unless hidden states and head give the model's own log-probabilities within 1e-4 nats on a sample.

        Raises:
            InputError: they do not; collect with --kind dense.
        """
        if not self._head_error_nats <= HEAD_NATS:
            raise head_mismatch(self._head_error_nats, self.identity.name)

    @property
    def head(self) -> Head | None:
        """The output layer where it passes `check_head`, else None."""
        return self._head if self._head_error_nats <= HEAD_NATS else None

    @property
    def kinds(self) -> tuple[str, ...]:
        """What `distributions` gives, best first."""
        return ("dense",) if self.head is None else ("factored", "dense")

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids as tokenizer.json reads the text, special tokens included."""
        return self.vocabulary.encode(text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        """One block a prompt, rows by ascending position; kinds 'factored' and 'dense' (see `Target`).

        Raises:
            ContextError: a prompt is empty or longer than the context.
            VocabularyError: a token id that the model has no embedding for.
            InputError: another kind, or 'factored' where `check_head` fails.
        """
        self._check(batch, kind)
        wanted = [sorted(chosen) for chosen in positions]
        if self.head is None:
            return [self._dense_of_model(ids, chosen) for ids, chosen in zip(batch, wanted, strict=True)]
        hidden = self._hidden(batch, wanted)
        if kind == "factored":
            return [FactoredBlock(rows.numpy(), self.head) for rows in hidden]
        return [DenseBlock(self._dense_of_hidden(rows)) for rows in hidden]

    def _check(self, batch: Sequence[Sequence[int]], kind: str) -> None:
        where = self.identity.name
        for ids in batch:
            if not 0 < len(ids) <= self.context:
                raise ContextError(
                    "a prompt that the target cannot read",
                    where=where,
                    got=f"{len(ids)} tokens",
                    expected=f"1 to {self.context}",
                    fix="Shorten the prompt, or leave it out of the suite.",
                )
            if min(ids) < 0 or max(ids) >= self._inputs:
                raise VocabularyError(
                    "unknown token id",
                    where=where,
                    got=f"ids from {min(ids)} to {max(ids)}",
                    expected=f"0 to {self._inputs - 1}",
                    fix="Use the tokenizer.json of this very model.",
                )
        if kind == "factored":
            self.check_head()
        elif kind != "dense":
            raise InputError(
                "a kind that this target does not give",
                where=where,
                got=repr(kind),
                expected="'factored' or 'dense'",
                fix="Collect with --kind factored or --kind dense.",
            )

    def _hidden(self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]]) -> list[Any]:
        """Hidden states of the positions of each prompt, from one forward pass.

        Prompts are padded on the right without an attention mask: a causal model (checked on opening) never looks
        there, and the plain causal kernel is the fastest.
        """
        import torch

        ids = torch.zeros((len(batch), max(map(len, batch))), dtype=torch.long)
        for row, prompt in enumerate(batch):
            ids[row, : len(prompt)] = torch.as_tensor(prompt)
        with torch.inference_mode():
            hidden = final_hidden(self.model, ids)
            return [hidden[row, list(chosen)].clone() for row, chosen in enumerate(positions)]

    def _dense_of_hidden(self, hidden: Any) -> np.ndarray:
        """Log-probabilities (positions, vocabulary), float32, normalised in double precision."""
        assert self._head is not None
        return log_softmax(self._head.logits(hidden.numpy()))

    def _dense_of_model(self, ids: Sequence[int], positions: Sequence[int]) -> DenseBlock:
        """The model's own logits: the way for models whose output layer is not a plain head, a prompt at a time."""
        import torch

        with torch.inference_mode():
            logits = self.model(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0, list(positions)]
        return DenseBlock(log_softmax(logits.float().numpy()))
