"""Turning a finished training of the tiny target into what ships: checkpoints in two formats, counts, and facts.

python -m foretell.organisms.tiny_ship build/tiny build/shipped-tiny
"""

from __future__ import annotations

import json
import math
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from foretell.base.canonical import digest_file
from foretell.distributions import DenseBlock, TokenizedPrompt, Vocabulary
from foretell.forecasters.corpus import Document, stdlib_documents
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.specs import TINY_COUNTS, build_table, open_forecaster
from foretell.organisms.tiny import END_OF_TEXT
from foretell.organisms.tiny_onnx import export_onnx
from foretell.targets.onnx_target import OnnxTarget

#: The checkpoints that ship: each has seen twice as much text as the one before.
SHIPPED_STEPS = (96, 192, 384, 768, 1536, 3072)
COUNTS_ORDER = 5
#: Held-out text is read in windows of the model's context that overlap by half, so every token has half a context.
_STRIDE_PARTS = 2

#: Tokens of a window and positions in it, to log-probabilities (positions, vocabulary).
Ask = Callable[[tuple[int, ...], tuple[int, ...]], np.ndarray]


def ship(run: Path, shipped: Path) -> dict[str, Any]:
    """Write the shipped folder from a run of the recipe, measure it on held-out files, and return the facts.

    Args:
        run: what `foretell.organisms.tiny.main` wrote.
        shipped: replaced; see `foretell.targets.tiny`.
    """
    shutil.rmtree(shipped, ignore_errors=True)
    for step in SHIPPED_STEPS:
        folder = shipped / f"step-{step}"
        shutil.copytree(run / f"step-{step}", folder)
        export_onnx(folder)
    last = shipped / f"step-{SHIPPED_STEPS[-1]}"
    shutil.copy(run / "tokenizer.json", last)
    (last / "tokenizer_config.json").write_text(json.dumps(_TOKENIZER_CONFIG, indent=2) + "\n")
    vocabulary = Vocabulary.load(last)
    build_table("stdlib", vocabulary, COUNTS_ORDER, shipped / TINY_COUNTS)
    facts = json.loads((run / "recipe.json").read_text()) | _facts(shipped, last, vocabulary)
    (shipped / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")
    return dict(facts)


_TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": END_OF_TEXT,
    "eos_token": END_OF_TEXT,
    "clean_up_tokenization_spaces": False,
}


def _facts(shipped: Path, last: Path, vocabulary: Vocabulary) -> dict[str, Any]:
    held_out = [document for document in stdlib_documents() if document.held_out]
    targets = {step: OnnxTarget(f"tiny@{step}", shipped / f"step-{step}", last) for step in SHIPPED_STEPS}
    asks = {target.identity.name: ask_target(target) for target in targets.values()}
    for order in range(2, COUNTS_ORDER + 1):
        spec = f"ngram:{order}:{shipped / TINY_COUNTS}"
        asks[f"ngram:{order}"] = ask_ngram(open_forecaster(spec, vocabulary, open_target=_no_target))
    context = targets[SHIPPED_STEPS[-1]].context
    bits = {name: bits_per_byte(held_out, vocabulary, context, ask) for name, ask in asks.items()}
    return {
        "licence": "Apache-2.0",
        "text": {"name": f"standard library of Python {platform.python_version()}", "licence": "PSF-2.0"},
        "held_out": {"files": len(held_out), "bytes": sum(len(d.text.encode()) for d in held_out)},
        "bits_per_byte_held_out": bits,
        "digests": {f"step-{s}": digest_file(shipped / f"step-{s}" / "model.safetensors") for s in SHIPPED_STEPS}
        | {"tokenizer": vocabulary.digest},
    }


def bits_per_byte(documents: list[Document], vocabulary: Vocabulary, context: int, ask: Ask) -> float:
    """Bits per byte of a model on texts: every token after the start token is predicted once.

    A document is read in windows that overlap by half; the first window scores all its tokens, later ones the second
    half of theirs.

    Args:
        context: tokens of a window.
        ask: log-probabilities (positions, vocabulary) at positions of a window.
    """
    nats, size, stride = 0.0, 0, context // _STRIDE_PARTS
    for document in documents:
        tokens = vocabulary.encode(document.text)
        size += len(document.text.encode())
        for start in range(0, max(1, len(tokens) - stride), stride):
            window = tokens[start : start + context]
            positions = tuple(range(0 if start == 0 else stride - 1, len(window) - 1))
            if positions:
                logprobs = ask(window, positions)
                nats -= float(logprobs[np.arange(len(positions)), [window[p + 1] for p in positions]].sum())
    return nats / math.log(2) / size


def ask_target(target: OnnxTarget) -> Ask:
    """A target as something that `bits_per_byte` can ask."""

    def ask(window: tuple[int, ...], positions: tuple[int, ...]) -> np.ndarray:
        block = target.distributions([window], [positions], "dense")[0]
        assert isinstance(block, DenseBlock)
        return block.logprobs

    return ask


def ask_ngram(forecaster: Forecaster) -> Ask:
    """A forecaster as something that `bits_per_byte` can ask."""

    def ask(window: tuple[int, ...], positions: tuple[int, ...]) -> np.ndarray:
        block = forecaster.forecast(TokenizedPrompt("", "", 1.0, "", "", window, positions))
        assert isinstance(block, DenseBlock)
        return block.logprobs

    return ask


def _no_target(spec: str) -> Any:
    raise AssertionError(f"n-grams need no target: {spec}")


if __name__ == "__main__":
    print(json.dumps(ship(Path(sys.argv[1]), Path(sys.argv[2])), indent=2))
