"""The protocol of a forecaster: a prompt's tokens in, next-token distributions out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from foretell.distributions import Block, TokenizedPrompt


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

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Called once, before the first forecast and before anything is written, with all prompts that will be asked.

        Only the writer of a composed pipeline is prepared anew for every token that it writes.

        Raises:
            ForetellError: the forecaster cannot answer them all (a prompt that a file has not, or one too long for a
                surrogate).
        """
        ...

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        """Distributions at the scored positions of one prompt, rows by ascending position.

        Position t asks for token t + 1 given tokens 0 … t. A forecaster gets the prompt, never a truth; a program
        that forecasts reads `token_ids` and `positions`, and the id serves to find a saved row and to name the prompt
        in an error. All blocks of one forecaster are of one kind.
        """
        ...
