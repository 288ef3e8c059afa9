"""How well a model or a forecaster reads texts that nothing was trained on, in bits per byte; no torch here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from foretell.distributions import DenseBlock, TokenizedPrompt, Vocabulary
from foretell.forecasters.corpus import Document
from foretell.forecasters.forecaster import Forecaster
from foretell.targets.target import Target

#: Held-out text is read in windows of the model's context that overlap by half, so every token has half a context.
_STRIDE_PARTS = 2

#: Tokens of a window and positions in it, to log-probabilities (positions, vocabulary).
Ask = Callable[[tuple[int, ...], tuple[int, ...]], np.ndarray]


def bits_per_byte(documents: Iterable[Document], vocabulary: Vocabulary, context: int, ask: Ask) -> float:
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


def ask_target(target: Target) -> Ask:
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
