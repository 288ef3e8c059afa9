"""Does a ranking of forecasts on one set of prompts carry over to another? Rank correlations with bounds.

A rank correlation is bounded by bounding the order first: which forecast loses more than which, for every pair that the
documents decide. Resampling the correlation itself would not do: noise in means that lie close together pulls every
resampled correlation towards zero, and the percentiles of such correlations miss a perfect one nearly always (the tests
measure it: eight forecasts 5% apart, 100 documents).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Interval, Unscored
from foretell.scoring.confidence import cluster_means
from foretell.scoring.summary import Losses, weighted_mean

Float64 = NDArray[np.float64]
#: Signs of pairs: +1 where the row's forecast loses more than the column's, −1 where less, 0 where that is open.
Signs = NDArray[np.int8]

#: Fewer forecasts have no order to speak of, and fewer documents do not tell how uncertain a mean is.
LEAST_FORECASTS, LEAST_DOCUMENTS = 5, 20
REPLICATES = 4000
ORDER = (
    "approximate: pairs of forecasts that a studentised cluster bootstrap decides, all pairs of a unit at once "
    "(Romano & Wolf 2005; ranks as in Mogstad, Romano, Shaikh & Wilhelm 2024); forecasts are taken as given"
)
#: Means that agree in so many decimals are tied.
_DECIMALS = 9
#: What float arithmetic may take from a whole number.
_EXACT = 1e-9
#: Numbers held at once while pairs are resampled.
_CHUNK = 4_000_000


def spearman(a: Float64, b: Float64) -> float | None:
    """Spearman's rank correlation with mid-ranks for ties; None where one side is all ties.

    Args:
        a, b: (forecasts,) mean losses.

    Source: Spearman 1904.

    >>> spearman(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0]))
    0.8
    """
    ranks = [_signs(side).sum(axis=1) / 2 for side in (a, b)]
    return _cosine(ranks[0], ranks[1])


def kendall(a: Float64, b: Float64) -> float | None:
    """Kendall's τ-b: pairs in the same order minus pairs in the other, corrected for ties; None for all ties.

    Source: Kendall 1945.

    >>> round(kendall(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])), 6)
    0.666667
    """
    return _cosine(_signs(a).ravel(), _signs(b).ravel())


def _signs(means: Float64) -> Float64:
    rounded = np.round(means, _DECIMALS)
    return np.sign(rounded[:, None] - rounded[None, :])


def _cosine(a: Float64, b: Float64) -> float | None:
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size else None


def decided_order(losses: Sequence[Losses], level: float, rng: np.random.Generator) -> Signs | Unscored:
    """Which forecasts lose more than which on what the prompts are drawn from, for every pair that is decided.

    All decided pairs are right at once with about the stated confidence. A pair is decided where its mean difference
    is further from 0, in clustered standard errors, than the largest deviation of any pair in a share `level` of the
    resamples (documents are drawn with replacement, for all forecasts alike).

    Args:
        losses: of each forecast, on the same prompts.
        level: confidence, of all pairs together.

    Returns:
        (forecasts, forecasts); Unscored for too few forecasts, for too few documents (of unequal weights they count
        as (Σ w)² / Σ w², Kish 1965: a mean that hangs on one of them has no error to measure), losses that are known
        within intervals only, or two forecasts that lose the same on every document.

    Source: Romano & Wolf 2005 (studentised maximum); Mogstad, Romano, Shaikh & Wilhelm 2024 (orders by it).
    """
    if len(losses) < LEAST_FORECASTS:
        return Unscored(f"{len(losses)} forecasts; an order of fewer than {LEAST_FORECASTS} says little")
    if any(not np.array_equal(one.lo, one.hi) for one in losses):
        return Unscored("losses are known within intervals only")
    made = [cluster_means(one.lo, one.weights, one.clusters) for one in losses]
    means, weights = np.stack([own for own, _ in made], axis=1), made[0][1]
    effective = weights.sum() ** 2 / np.sum(weights**2)
    if effective < LEAST_DOCUMENTS * (1 - _EXACT):
        unequal = weights.min() < weights.max()
        told = f"{len(means)} documents" + (f" that count as {effective:.1f}" if unequal else "")
        return Unscored(f"{told}; fewer than {LEAST_DOCUMENTS} do not tell how uncertain a mean is")
    first, second = np.triu_indices(len(losses), 1)
    differences = means[:, first] - means[:, second]
    if (same := np.flatnonzero(~np.round(differences, _DECIMALS).any(axis=0))).size:
        a, b = first[same[0]] + 1, second[same[0]] + 1
        return Unscored(f"forecasts {a} and {b} of the list lose the same on every document")
    share = weights / weights.mean()
    ones = np.ones((1, len(means)))
    centre, error = _moments(ones, differences, share)
    limit = _largest_deviation(differences, share, centre[0], level, rng)
    found = np.zeros((len(losses), len(losses)), np.int8)
    found[first, second] = np.where(np.abs(centre[0]) > limit * error[0], np.sign(centre[0]), 0)
    return found - found.T


def _largest_deviation(
    differences: Float64, share: Float64, centre: Float64, level: float, rng: np.random.Generator
) -> float:
    """The quantile of the largest |mean − centre| / standard error of any pair over resampled documents."""
    documents, pairs = differences.shape
    largest = []
    step = max(1, _CHUNK // max(documents, pairs))
    for start in range(0, REPLICATES, step):
        size = min(step, REPLICATES - start)
        counts = rng.multinomial(documents, np.full(documents, 1 / documents), size=size).astype(np.float64)
        means, errors = _moments(counts, differences, share)
        away = np.abs(means - centre)
        # A resample without spread says nothing of its error: it counts as infinitely far, unless it hit the mean.
        largest.append(np.divide(away, errors, out=np.where(away > 0, np.inf, 0.0), where=errors > 0).max(axis=1))
    return float(np.quantile(np.concatenate(largest), level, method="higher"))


def _moments(counts: Float64, values: Float64, share: Float64) -> tuple[Float64, Float64]:
    """Weighted means and their clustered standard errors, in resamples.

    Args:
        counts: (resamples, documents), how often each was drawn.
        values: (documents, pairs); share: (documents,) weights.

    Returns:
        (resamples, pairs) each.
    """
    n = values.shape[0]
    totals = (counts @ share)[:, None]
    means = counts @ (share[:, None] * values) / totals
    squares = share[:, None] ** 2
    second = counts @ (squares * values**2) - 2 * means * (counts @ (squares * values)) + means**2 * (counts @ squares)
    # Rounding may leave a little less than nothing.
    variance = np.where(second > np.finfo(float).eps * n * (values**2).max(axis=0), second, 0.0)
    return means, np.sqrt(n / (n - 1) * variance) / totals


@dataclass(frozen=True)
class Agreement:
    """How far two orders of the same forecasts agree, whatever the open pairs turn out to be.

    Attributes:
        agree, disagree: pairs that are decided in both, the same way and the other way; open: the rest.
        spearman, kendall: all values that are possible (τ-a; no ties).
    """

    agree: int
    disagree: int
    open: int
    spearman: Interval
    kendall: Interval


def agreement(a: Signs, b: Signs) -> Agreement:
    """Bounds on the rank correlations of two orders, from the pairs that are decided.

    Kendall's τ is (same − other) / pairs, and an open pair counts for either. For Spearman's ρ a forecast's rank lies
    between the ranks that it has if all its open pairs go against it and for it; ρ = 1 − 6 Σ d² / (F³ − F), and d is
    at least the gap between the two intervals. Reversing one order gives the lower bound. Both are never too narrow
    where the pairs are right; the one for ρ may be wider than it needs to be.

    >>> up = np.sign(np.subtract.outer(np.arange(5), np.arange(5))).astype(np.int8)
    >>> agreement(up, up).spearman, agreement(up, -up).kendall
    (Interval(lo=1.0, hi=1.0), Interval(lo=-1.0, hi=-1.0))
    >>> agreement(up, np.zeros_like(up)).spearman
    Interval(lo=-1.0, hi=1.0)
    """
    count = len(a)
    pairs = count * (count - 1) // 2
    product = np.triu(a.astype(np.int64) * b, 1)
    agree, disagree = int(np.sum(product == 1)), int(np.sum(product == -1))
    rest = pairs - agree - disagree
    tau = Interval((agree - disagree - rest) / pairs, (agree - disagree + rest) / pairs)
    low, high = sorted((-_most_spearman(a, -b), _most_spearman(a, b)))  # equal ones may be apart by rounding
    return Agreement(agree, disagree, rest, Interval(low, high), tau)


def _most_spearman(a: Signs, b: Signs) -> float:
    count = len(a)
    # Of F forecasts, the one that loses more than k others for sure has a rank above k.
    (low_a, high_a), (low_b, high_b) = (((own > 0).sum(axis=1), count - 1 - (own < 0).sum(axis=1)) for own in (a, b))
    gaps = np.maximum(0, np.maximum(low_a - high_b, low_b - high_a))
    return 1 - 6 * float(gaps @ gaps) / (count**3 - count)


def means_of(losses: Sequence[Losses]) -> Float64 | Unscored:
    """Mean losses of several forecasts, (forecasts,)."""
    if any(not np.array_equal(one.lo, one.hi) for one in losses):
        return Unscored("losses are known within intervals only")
    return np.array([weighted_mean(one.lo, one.weights) for one in losses])


@dataclass(frozen=True)
class Cell:
    """A forecast's mean loss on a unit: the mean (upper end), its own bounds, and bounds that hold with all others."""

    mean: float
    own: Interval
    together: Interval


@dataclass(frozen=True)
class Worth:
    """What meeting a tolerance on one unit was worth on another.

    Attributes:
        met: places in the list of the forecasts that meet it on the first.
        worst: of these, the place of the one with the largest mean on the second.
        mean: that mean; bounds: on the largest true mean, whichever forecast has it.
        also_meet, miss: how many of `met` meet the tolerance on the second, and how many miss it for sure.
    """

    met: tuple[int, ...]
    worst: int
    mean: float
    bounds: Interval
    also_meet: int
    miss: int


def worth_of_passing(first: Sequence[Cell], second: Sequence[Cell], tolerance: float) -> Worth | Unscored:
    """The worst mean on a second unit among forecasts whose upper bound meets the tolerance on the first.

    The bounds hold whatever picked the forecasts, since the second's bounds hold for all of them together.

    >>> near, far = (Cell(m, Interval(m - 0.1, m + 0.1), Interval(m - 0.2, m + 0.2)) for m in (0.5, 2.0))
    >>> found = worth_of_passing([near, near, far], [near, far, far], 1.0)
    >>> found.met, found.worst, found.bounds, found.also_meet, found.miss
    ((0, 1), 1, Interval(lo=1.8, hi=2.2), 1, 1)
    """
    met = tuple(i for i, cell in enumerate(first) if cell.own.hi <= tolerance)
    if not met:
        return Unscored("no forecast meets the tolerance there")
    worst = max(met, key=lambda i: second[i].mean)
    bounds = Interval(max(second[i].together.lo for i in met), max(second[i].together.hi for i in met))
    also = sum(second[i].own.hi <= tolerance for i in met)
    return Worth(met, worst, second[worst].mean, bounds, also, sum(second[i].own.lo > tolerance for i in met))
