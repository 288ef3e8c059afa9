"""Bounds on means and fractions that hold for any n, any bounded distribution, heavy tails, strata and peeking."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from foretell.base.interval import Interval

Float64 = NDArray[np.float64]

#: Bets as a share of the largest possible one, and their weights in the mixture, fixed before any data. Bounding the
#: mean of small values under a high cap wants large bets, so these weigh most: 1/2, 1/6, 1/12, 1/20 …
_HALVINGS = 12
_BETS: Float64 = 2.0 ** -np.arange(_HALVINGS, dtype=np.float64)
_LOG_PRIOR: Float64 = -np.log((np.arange(_HALVINGS) + 1.0) * (np.arange(_HALVINGS) + 2.0))
_BISECTIONS = 60
BETTING = "betting confidence sequence, fixed mixture of bets (Waudby-Smith & Ramdas 2023)"
BINOMIAL = "exact binomial (Clopper & Pearson 1934)"
NORMAL = "approximate: clustered standard error and normal quantile"


@dataclass(frozen=True)
class Bounds:
    """An estimate with its bounds.

    Attributes:
        mean: the estimate, an interval where the truth itself is known within one.
        bounds: lower and upper confidence bound.
        level: confidence, such as 0.95, two-sided.
        method: how the bounds are made.
    """

    mean: Interval | None
    bounds: Interval
    level: float
    method: str


def cluster_means(values: Float64, weights: Float64, clusters: ArrayLike) -> tuple[Float64, Float64]:
    """Weighted mean and total weight of each cluster, clusters in sorted order.

    Args:
        values, weights: (prompts,).
        clusters: (prompts,) labels; prompts of one cluster are not independent.

    >>> means, totals = cluster_means(np.array([1.0, 3.0, 5.0]), np.ones(3), ["a", "a", "b"])
    >>> means.tolist(), totals.tolist()
    ([2.0, 5.0], [2.0, 1.0])
    """
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    totals = np.bincount(index, weights).astype(np.float64)
    return np.bincount(index, weights * values) / totals, totals


@njit(cache=True, error_model="numpy")
def _log_wealth(x: Float64, copies: float, mean: float, bets: Float64, log_prior: Float64) -> float:
    """Log of the mixture's wealth when betting that the true mean exceeds `mean`, x in [0, 1]."""
    logs = log_prior.copy()
    for b in range(len(bets)):
        growth = 0.0
        for i in range(len(x)):
            growth += np.log(1 - bets[b] + bets[b] * x[i] / mean)
        logs[b] += copies * growth
    top = logs.max()
    return float(top + np.log(np.sum(np.exp(logs - top))))


def _lower_bound(x: Float64, copies: float, threshold: float) -> float:
    """The least mean in [0, 1] that the wealth does not refute; wealth falls as the mean rises."""
    low, high = 0.0, min(1.0, float(x.mean()))
    if high == 0.0:
        return 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _log_wealth(x, copies, middle, _BETS, _LOG_PRIOR) >= threshold:
            low = middle
        else:
            high = middle
    return low


def mean_bounds(
    values: ArrayLike, upper: float, level: float, *, weights: ArrayLike | None = None, copies: float = 1.0
) -> Interval:
    """Confidence bounds for the weighted mean of independent values in [0, upper].

    For a mean m and a share b, the wealth Π (1 − b + b·xᵢ/m) has expectation at most 1 when the xᵢ are independent
    with average mean m (by the inequality of arithmetic and geometric means; equal means are not needed, so strata
    of fixed size are covered), and so has its average over a grid of shares fixed beforehand. By Markov's inequality
    wealth ≥ 2/α refutes m; the same on 1 − x bounds from above. For identically distributed values the wealth is a
    martingale and Ville's inequality makes the bounds hold at every n at once. The order of values does not matter.

    Args:
        values: (clusters,), each in [0, upper].
        upper: the cap.
        level: two-sided confidence.
        weights: (clusters,), fixed before the data; a cluster's value counts in proportion.
        copies: pretend that every value was seen so many times (for planning how many more are needed).

    Returns:
        [0, upper] for no values.

    Raises:
        ValueError: a value outside [0, upper].

    Source: Waudby-Smith & Ramdas 2023 (betting; a fixed grid of constant bets, their 'hedged grid Kelly').

    >>> mean_bounds([], 1.0, 0.95)
    Interval(lo=0.0, hi=1.0)
    >>> bounds = mean_bounds([0.0] * 50 + [1.0] * 50, 1.0, 0.95)
    >>> 0.3 < bounds.lo < 0.5 < bounds.hi < 0.7
    True
    """
    x = np.asarray(values, np.float64)
    if len(x) == 0 or upper == 0:
        return Interval(0.0, upper)
    if not (np.all(x >= 0) and np.all(x <= upper * (1 + 1e-9))):
        raise ValueError(f"values outside [0, {upper}]: {x.min()} to {x.max()}")
    share = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    share = share * (len(x) / share.sum())
    # Weighted values average to the weighted mean; their range grows with the largest weight.
    scale = upper * float(share.max())
    x = np.minimum(x * share / scale, 1.0)
    threshold = math.log(2 / (1 - level))
    lo = _lower_bound(x, copies, threshold)
    hi = 1.0 - _lower_bound(1.0 - x, copies, threshold)
    mean = float(x.mean())
    return Interval(min(lo, mean) * scale, min(max(hi, mean) * scale, upper))


def difference_bounds(values: ArrayLike, span: float, level: float, *, weights: ArrayLike | None = None) -> Interval:
    """Confidence bounds for the weighted mean of independent differences in [−span, span].

    >>> bounds = difference_bounds([0.5] * 200, 1.0, 0.95)
    >>> bounds.lo > 0.3
    True
    """
    shifted = mean_bounds(np.asarray(values, np.float64) + span, 2 * span, level, weights=weights)
    return Interval(shifted.lo - span, shifted.hi - span)


def fraction_bounds(successes: int, n: int, level: float) -> Interval:
    """Exact two-sided confidence bounds for a binomial fraction; [0, 1] for n = 0.

    Source: Clopper & Pearson 1934: the fractions at which the tails reach (1 − level)/2, found by bisection.

    >>> bounds = fraction_bounds(95, 100, 0.95)
    >>> round(bounds.lo, 4), round(bounds.hi, 4)
    (0.8872, 0.9836)
    """
    tail = (1 - level) / 2

    def at_most(k: int, p: float) -> float:
        if p <= 0 or p >= 1:
            return 1.0 if p <= 0 or k >= n else 0.0
        terms = [
            math.lgamma(n + 1)
            - math.lgamma(i + 1)
            - math.lgamma(n - i + 1)
            + i * math.log(p)
            + (n - i) * math.log1p(-p)
            for i in range(k + 1)
        ]
        return math.fsum(math.exp(term) for term in terms)

    lo = 0.0 if successes == 0 else _solve(lambda p: 1 - at_most(successes - 1, p) < tail)
    hi = 1.0 if successes == n else _solve(lambda p: at_most(successes, p) > tail)
    return Interval(lo, hi)


def _solve(below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if below(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2


def clustered_standard_error(means: Float64, weights: Float64) -> float | None:
    """Standard error of a weighted mean of cluster means; None for fewer than two clusters.

    Source: the usual sandwich with its n/(n−1) correction (Miller 2024, equation 4, for language-model evals).

    >>> clustered_standard_error(np.array([1.0, 3.0]), np.ones(2))
    1.0
    """
    n = len(means)
    if n < 2:
        return None
    share = weights / weights.sum()
    residuals = share * (means - share @ means)
    return float(np.sqrt(n / (n - 1) * np.sum(residuals**2)))
