"""Made-up final layers of language models: hidden states behind a norm, and an output layer, in float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foretell.distributions import Head, log_softmax
from foretell.information.layer.singular_values import Rows
from foretell.information.layer.spectrum import Spectrum, spectrum_of

Float64 = NDArray[np.float64]
Norm = Literal["rms", "layer", "none"]
_STEP = 128


@dataclass(frozen=True)
class Made:
    """States after the norm and the head, with the norm's gain."""

    states: Float64
    head: Head
    gain: Float64

    @property
    def tokens(self) -> int:
        return len(self.head.weight)

    def logprobs(self) -> NDArray[np.float32]:
        return log_softmax(self.head.logits(self.states))


def made(
    seed: int, width: int, positions: int, tokens: int, norm: Norm = "rms", norm_bias: bool = False, bias: bool = False
) -> Made:
    rng = np.random.default_rng(seed)
    states, gain = rng.normal(size=(positions, width)), np.exp(0.3 * rng.normal(size=width))
    if norm == "layer":
        states -= states.mean(axis=1, keepdims=True)
    if norm != "none":
        states = gain * states / np.sqrt(np.mean(states**2, axis=1, keepdims=True))
    if norm_bias:
        states = states + rng.normal(size=width)
    weight = (1.5 * rng.normal(size=(tokens, width)) / np.sqrt(width)).astype(np.float32)
    return Made(states, Head(weight, rng.normal(size=tokens).astype(np.float32) if bias else None), gain)


def in_blocks(logprobs: NDArray[np.floating]) -> Rows:
    def blocks() -> Iterator[NDArray[np.floating]]:
        return (logprobs[start : start + _STEP] for start in range(0, len(logprobs), _STEP))

    return blocks


def spectrum(logprobs: NDArray[np.floating]) -> Spectrum:
    return spectrum_of(in_blocks(logprobs), logprobs.shape[1], len(logprobs))
