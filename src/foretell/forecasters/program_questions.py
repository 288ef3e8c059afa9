"""A blind program's questions: every scored position of every prompt, numbered, and the order to ask them in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.distributions import TokenizedPrompt

#: Questions that are also asked alone. A program that lets earlier questions into a part f of its answers, alike in
#: both orders, is missed with probability (1 − f) to this power.
ALONE = 8


class Questions:
    """All scored positions of all prompts, numbered.

    Attributes:
        first: a prompt's first number, by the prompt's index; the last entry is how many there are.
    """

    def __init__(self, prompts: Sequence[TokenizedPrompt]) -> None:
        self.prompts = prompts
        self.first = [0, *np.cumsum([len(prompt.positions) for prompt in prompts]).tolist()]

    def __len__(self) -> int:
        return int(self.first[-1])

    def orders(self, seed: int, program: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All questions shuffled, and those to ask alone: nobody foresees them who does not know all questions."""
        digest = hashlib.sha256(f"order {seed} {program}".encode())
        for prompt in self.prompts:
            digest.update(np.array([len(prompt.token_ids), *prompt.token_ids, *prompt.positions], "<i8").tobytes())
        rng = np.random.default_rng(list(digest.digest()))
        return rng.permutation(len(self)), rng.permutation(len(self))[:ALONE]

    def tokens(self, number: int) -> list[int]:
        """The tokens that a question shows."""
        prompt, position = self._find(number)
        return list(prompt.token_ids[: position + 1])

    def place(self, number: int) -> str:
        """A question by its prompt and position, for messages."""
        prompt, position = self._find(number)
        return f"prompt {prompt.id!r} position {position}"

    def _find(self, number: int) -> tuple[TokenizedPrompt, int]:
        index = int(np.searchsorted(self.first, number, side="right")) - 1
        prompt = self.prompts[index]
        return prompt, prompt.positions[number - self.first[index]]
