"""The protocol of a forecaster: token ids in, next-token distributions out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from foretell.distributions import Block


class Forecaster(Protocol):
    """Something that predicts.

    Attributes:
        name: the spec that made it, such as 'ngram:5:stdlib'.
    """

    @property
    def name(self) -> str: ...

    def describe(self) -> dict[str, Any]:
        """What the forecast depends on, for the manifest: digests of text, models and settings (JSON values)."""
        ...

    def forecast(self, token_ids: Sequence[int], positions: Sequence[int]) -> Block:
        """Distributions at the positions of one prompt, rows by ascending position.

        Position t asks for token t + 1 given tokens 0 … t. A forecaster gets the prompt, never a truth.
        """
        ...
