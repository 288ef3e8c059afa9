"""Distributions of several sources at the same positions, laid down once in a temporary file and read in blocks."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foretell.base.files import storage_errors
from foretell.distributions import Block, TokenizedPrompt
from foretell.forecasters.dense import dense_logprobs

#: Entries (positions × vocabulary) of one array that are worked on at a time: 32 MB in float64.
_BLOCK_ENTRIES = 4 << 20
_Floats = NDArray[np.float64]


class SpooledRows:
    """What each source says at all scored positions of some prompts, in full.

    It takes 4 bytes × sources × positions × vocabulary on disk, for as long as it lives.

    Args:
        sources: each from a prompt to its block.
        prompts: in the order in which the sources are best asked.
        vocabulary: how many tokens there are.

    Attributes:
        shape: (sources, positions, vocabulary).
        row_weights: (positions,); they sum to 1: the mean over positions within a prompt, then over prompts by their
            weights, as in scores.

    Raises:
        StorageError: no room for the temporary file.
    """

    def __init__(
        self, sources: Sequence[Callable[[TokenizedPrompt], Block]], prompts: Sequence[TokenizedPrompt], vocabulary: int
    ) -> None:
        self.shape = (len(sources), sum(len(prompt.positions) for prompt in prompts), vocabulary)
        spool = tempfile.TemporaryFile()  # noqa: SIM115 (closed, and so deleted, with the rows)
        weakref.finalize(self, spool.close)
        with storage_errors(Path(tempfile.gettempdir())):
            self._logs = np.memmap(spool, np.float32, "w+", shape=self.shape)
            self.row_weights = self._lay_down(sources, prompts)

    def _lay_down(
        self, sources: Sequence[Callable[[TokenizedPrompt], Block]], prompts: Sequence[TokenizedPrompt]
    ) -> _Floats:
        total = sum(prompt.weight for prompt in prompts)
        row_weights = np.empty(self.shape[1])
        start = 0
        for prompt in prompts:
            stop = start + len(prompt.positions)
            for slot, source in enumerate(sources):
                self._logs[slot, start:stop] = dense_logprobs(source(prompt), self.shape[2])
            row_weights[start:stop] = prompt.weight / total / len(prompt.positions)
            start = stop
        return row_weights

    def blocks(self) -> Iterator[tuple[_Floats, _Floats]]:
        """Log-probabilities (sources, rows, vocabulary) and row weights (rows,), a few positions at a time."""
        step = max(1, _BLOCK_ENTRIES // (self.shape[2] * self.shape[0]))
        for start in range(0, self.shape[1], step):
            yield np.asarray(self._logs[:, start : start + step], np.float64), self.row_weights[start : start + step]
