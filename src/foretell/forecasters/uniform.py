"""`uniform`: every token alike; what is known before anything is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foretell.distributions import DenseBlock, TokenizedPrompt


class UniformForecaster:
    """log p = −log V for every token.

    >>> from foretell.distributions import TokenizedPrompt
    >>> prompt = TokenizedPrompt("a", "all", 1.0, "a", "text", (3, 1), (0, 1))
    >>> UniformForecaster(4).forecast(prompt).logprobs.shape
    (2, 4)
    """

    name = "uniform"

    def __init__(self, vocabulary: int) -> None:
        self.vocabulary = vocabulary

    def describe(self) -> dict[str, Any]:
        return {"forecaster": "uniform", "vocabulary": self.vocabulary}

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Any prompt can be answered."""

    def forecast(self, prompt: TokenizedPrompt) -> DenseBlock:
        value = np.float32(-np.log(self.vocabulary))
        return DenseBlock(np.full((len(prompt.positions), self.vocabulary), value, np.float32))
