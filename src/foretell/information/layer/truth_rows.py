"""Log-probabilities of a truth as blocks of rows, each context once: what the width and the output layer are read from.

A context that a suite asks about twice (prompts that begin alike, prompts given twice) tells nothing new, and in
another batch it comes out a little different, which would look like noise where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError
from foretell.base.progress import Progress, quiet
from foretell.distributions import Block, DenseBlock, Distributions, FactoredBlock, log_softmax, rows

#: Log-probabilities that are held at once: 32 MiB in double precision.
CELLS = 2**22


@dataclass(frozen=True)
class TruthRows:
    """Different contexts of a truth, in the order of its prompts.

    Attributes:
        places: index of a prompt, and which of its rows are taken.
        tokens: which are looked at: those with a finite log-probability everywhere that is not the same everywhere.
        repeated: contexts that were passed over because they came before.
    """

    truth: Distributions
    places: tuple[tuple[int, tuple[int, ...]], ...]
    tokens: NDArray[np.intp]
    repeated: int

    def __len__(self) -> int:
        return sum(len(own) for _, own in self.places)

    def blocks(self, progress: Progress = quiet, task: str = "reading") -> Iterator[NDArray[np.floating]]:
        """Log-probabilities (positions, tokens), in the type that they are stored in; float32 of a factored truth."""
        everything = len(self.tokens) == self.truth.vocabulary.size
        for part in _parts(self.truth, self.places, progress, task):
            logprobs = _logprobs(part)
            yield logprobs if everything else logprobs[:, self.tokens]

    def prompts_until(self, positions: int) -> int:
        """How many of the truth's first prompts it takes to have so many different contexts."""
        reached = np.cumsum([len(own) for _, own in self.places])
        return self.places[int(np.searchsorted(reached, positions))][0] + 1


def truth_rows(truth: Distributions, most: int, progress: Progress = quiet) -> TruthRows:
    """The first different contexts of a truth.

    Args:
        most: positions at most.

    Raises:
        InputError: the truth lists its likeliest tokens only.
    """
    if truth.kind == "topk":
        raise InputError(
            "a truth without most of its probabilities",
            where=str(truth.folder),
            got="the likeliest tokens of each position only",
            expected="every probability: a dense or factored truth",
            fix="Collect with every probability, or rebuild them through an API: foretell information rebuild.",
        )
    places, repeated = _different(truth, most)
    tokens = np.arange(truth.vocabulary.size)
    if truth.kind == "dense":
        tokens = tokens[_changing(truth, places, progress)]
    return TruthRows(truth, places, tokens, repeated)


def _different(truth: Distributions, most: int) -> tuple[tuple[tuple[int, tuple[int, ...]], ...], int]:
    seen: set[tuple[int, ...]] = set()
    places, repeated = [], 0
    for index, prompt in enumerate(truth.prompts):
        own = []
        for row, position in enumerate(sorted(prompt.positions)):
            context = prompt.token_ids[: position + 1]
            if len(seen) < most and context not in seen:
                own.append(row)
                seen.add(context)
            else:
                repeated += context in seen
        if own:
            places.append((index, tuple(own)))
        if len(seen) >= most:
            break
    return tuple(places), repeated


def _changing(
    truth: Distributions, places: Sequence[tuple[int, tuple[int, ...]]], progress: Progress
) -> NDArray[np.bool_]:
    """Tokens that are finite everywhere and not the same everywhere, (vocabulary,)."""
    least, largest = np.full(truth.vocabulary.size, np.inf), np.full(truth.vocabulary.size, -np.inf)
    for part in _parts(truth, places, progress, "looking for tokens that never change"):
        own = _logprobs(part)
        least, largest = np.minimum(least, own.min(axis=0)), np.maximum(largest, own.max(axis=0))
    return np.asarray(np.isfinite(least) & (least < largest))


def _parts(
    truth: Distributions, places: Sequence[tuple[int, tuple[int, ...]]], progress: Progress, task: str
) -> Iterator[Block]:
    """Blocks of at most CELLS log-probabilities, and of one prompt."""
    step = max(1, CELLS // truth.vocabulary.size)
    for done, (index, own) in enumerate(places, 1):
        block = truth.block(index)
        chosen = _picked(block, own)
        for start in range(0, len(chosen), step):
            yield rows(chosen, start, start + step)
        progress(task, done, len(places))


def _picked(block: Block, own: tuple[int, ...]) -> Block:
    match block:
        case DenseBlock(logprobs):
            return DenseBlock(logprobs[list(own)])
        case FactoredBlock(hidden, head):
            return FactoredBlock(hidden[list(own)], head)
    raise AssertionError("a top-k truth was refused before")


def _logprobs(block: Block) -> NDArray[np.floating]:
    match block:
        case DenseBlock(logprobs):
            return logprobs
        case FactoredBlock(hidden, head):
            return log_softmax(head.logits(hidden))
    raise AssertionError("a top-k truth was refused before")
