"""Random draws of prompts: from this very suite, and as if from the population that its documents come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def suite_orders(prompts: int, draws: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Random orders of a suite's prompts: the first N of one are a draw of N without replacement.

    Prompts are drawn, not documents, because that is how a suite is drawn from a pool (`foretell suite draw`). What a
    share of these draws says holds for this suite: draws of nearly all of it are nearly the same draw.

    >>> [sorted(order.tolist()) for order in suite_orders(3, 2, np.random.default_rng(0))]
    [[0, 1, 2], [0, 1, 2]]
    """
    for _ in range(draws):
        yield rng.permutation(prompts)


def fresh_orders(documents: Sequence[str], draws: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Orders of prompts of other suites like this one: whole documents drawn with replacement, then shuffled.

    The document is the unit, because prompts of one document are not independent: a bootstrap over documents. Each
    order has as many prompts as the suite.

    Source: Efron & Tibshirani 1993, chapter 8 (the bootstrap for data in clusters).

    >>> order = next(fresh_orders(["a", "a", "b"], 1, np.random.default_rng(0)))
    >>> len(order), set(order.tolist()) <= {0, 1, 2}
    (3, True)
    """
    names = {name: number for number, name in enumerate(dict.fromkeys(documents))}
    of = np.array([names[name] for name in documents])
    members = [np.flatnonzero(of == number) for number in range(len(names))]
    sizes = np.array([len(prompts) for prompts in members])
    for _ in range(draws):
        # As many documents as there are prompts are enough; the first that hold as many prompts as the suite are taken.
        chosen = rng.integers(len(members), size=len(of))
        enough = int(np.searchsorted(np.cumsum(sizes[chosen]), len(of))) + 1
        drawn = np.concatenate([members[number] for number in chosen[:enough]])
        yield rng.permutation(drawn)[: len(of)]
