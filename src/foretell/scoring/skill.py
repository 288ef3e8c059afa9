"""Skill: how much less is lost than by the best pool of text-only references, and what a forecast adds to that pool."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from foretell.base.interval import Interval, Unscored
from foretell.scoring.confidence import (
    _BETS,
    _LOG_PRIOR,
    Bounds,
    cluster_means,
    clustered_standard_error,
    mean_bounds,
)
from foretell.scoring.summary import Losses, weighted_mean

Float64 = NDArray[np.float64]

RATIO = "betting on L_q − c·L_r, inverted over c, fixed mixture of bets (Waudby-Smith & Ramdas 2023)"
GAIN = "betting confidence sequence on paired differences, fixed mixture of bets (Waudby-Smith & Ramdas 2023)"
SAME_POOL = "exact: fitted with the forecast, the pool is the same"
DIEBOLD_MARIANO = "approximate: Diebold & Mariano 1995, clustered by document, normal quantiles"
#: Ratios of mean losses outside 1/_LARGEST … _LARGEST are not told from 0 and infinity.
_LARGEST = 2.0**40
_BISECTIONS = 60
#: Losses are computed in single precision: less than this is no loss, and a difference may be so far off its bound.
_ROUNDING_NATS = 1e-5


def skill(forecast: Losses, reference: Losses, level: float) -> Bounds | Unscored:
    """Skill 1 − E[L_q] / E[L_r] of a forecast q over a reference r: 0 knows no more than r, 1 is perfect, below 0 less.

    The bounds hold for any number of documents and any losses in [0, cap]. For a ratio c and a share b, wealth
    Π (1 + b (L_q/c − L_r) / cap) has expectation at most 1 while E[L_q] ≤ c·E[L_r], so wealth ≥ 2/α refutes that c;
    Π (1 + b (c·L_r − L_q) / cap) does the same from the other side. Both are monotone in c, so the ratios that are
    not refuted are an interval, and bisection finds its ends. Negative skill is given as it is.

    Where losses are known within intervals (a top-k truth), the lower end of one goes with the upper end of the other.

    Args:
        forecast, reference: losses on the same prompts, weighted and clustered alike. The reference must not have
            been fitted on them.
        level: two-sided confidence.

    Returns:
        Unscored for no prompts, and where the reference loses no more than rounding, or may lose nothing.

    Raises:
        ValueError: losses of different prompts.

    Source: Waudby-Smith & Ramdas 2023, section 4 (betting); Fieller 1954 (a ratio by inverting tests of a difference).

    >>> ids = tuple("abcdefgh" * 25)
    >>> own = tuple(str(i) for i in range(200))
    >>> def of(loss): return Losses(own, ids, own, np.ones(200), np.full(200, loss), np.full(200, loss), 4.0, 0)
    >>> found = skill(of(0.5), of(2.0), 0.95)
    >>> found.mean, found.bounds.lo > 0.7, found.bounds.hi < 0.8
    (Interval(lo=0.75, hi=0.75), True, True)
    """
    _check_same_prompts(forecast, reference)
    if not len(forecast.prompts):
        return Unscored("there are no prompts")
    threshold = math.log(2 / (1 - level))
    ends = {}
    for name, losses in (("forecast", forecast), ("reference", reference)):
        for end, values in (("lo", losses.lo), ("hi", losses.hi)):
            means, totals = cluster_means(values, losses.weights, losses.clusters)
            # Weighted values average to the weighted mean; their range grows with the largest weight.
            ends[name, end] = means * totals / totals.max() / losses.cap
    if weighted_mean(reference.hi, reference.weights) <= _ROUNDING_NATS:
        return Unscored("the reference loses no more than rounding, so there is nothing to know beyond it")
    least = _least_ratio(ends["forecast", "lo"] * forecast.cap, ends["reference", "hi"], threshold) / reference.cap
    inverse = _least_ratio(ends["reference", "lo"] * reference.cap, ends["forecast", "hi"], threshold) / forecast.cap
    if inverse == 0:
        return Unscored("the reference may lose nothing, so no ratio to its loss is bounded")
    low, high = sorted(  # equal ones may be apart by rounding
        1 - weighted_mean(a, forecast.weights) / weighted_mean(b, reference.weights)
        for a, b in ((forecast.hi, reference.lo), (forecast.lo, reference.hi))
    )
    return Bounds(Interval(low, high), Interval(min(1 - 1 / inverse, low), max(1 - least, high)), level, RATIO)


def _least_ratio(top: Float64, bottom: Float64, threshold: float) -> float:
    """The least E[top] / E[bottom] that betting does not refute; 0 where it cannot be told from 0.

    Args:
        top: (clusters,), ≥ 0.
        bottom: (clusters,), in [0, 1].
    """

    def refuted(ratio: float) -> bool:
        return _log_wealth(top / ratio, bottom, _BETS, _LOG_PRIOR) >= threshold

    high = 1.0
    while refuted(high) and high < _LARGEST:
        high *= 2
    low = high / 2
    while not refuted(low):
        high, low = low, low / 2
        if low < 1 / _LARGEST:
            return 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if refuted(middle):
            low = middle
        else:
            high = middle
    return low


@njit(cache=True, error_model="numpy")
def _log_wealth(gains: Float64, losses: Float64, bets: Float64, log_prior: Float64) -> float:
    """Log of the mixture's wealth Σ_b prior_b Π_i (1 + b (gains_i − losses_i)), losses in [0, 1]."""
    logs = log_prior.copy()
    for b in range(len(bets)):
        for i in range(len(gains)):
            logs[b] += np.log(max(0.0, 1 - bets[b] * losses[i]) + bets[b] * gains[i])
    top = logs.max()
    return float(top + np.log(np.sum(np.exp(logs - top)))) if top > -np.inf else -np.inf


@dataclass(frozen=True)
class DieboldMariano:
    """The statistic of equal mean loss: mean difference over its clustered standard error.

    Attributes:
        statistic: above 0 where the pool with the forecast loses less.
        p_value: two-sided, from the normal distribution: too small where there are few documents or heavy tails.
    """

    statistic: float
    p_value: float
    method: str = DIEBOLD_MARIANO


def encompassing(without: Losses, with_it: Losses, level: float, most_lost: float = math.inf) -> Bounds:
    """Nats that a pool gains on each prompt when a forecast joins it: 0 where the pool encompasses the forecast.

    Args:
        without, with_it: losses of the two pools on the same prompts; neither was fitted on them.
        level: two-sided confidence.
        most_lost: no prompt can lose more by the change, see `most_lost`; with it the lower bound is tighter.

    Raises:
        ValueError: losses of different prompts, or one that lost more than `most_lost`.

    Source: Harvey, Leybourne & Newbold 1998, eq. 1 (a forecast r encompasses q when (1 − λ) r + λ q is best at λ = 0),
    with logarithmic loss; Waudby-Smith & Ramdas 2023 (the bounds).

    >>> own = tuple(str(i) for i in range(100))
    >>> def of(loss): return Losses(own, own, own, np.ones(100), np.full(100, loss), np.full(100, loss), 4.0, 0)
    >>> found = encompassing(of(2.0), of(1.5), 0.95)
    >>> found.mean, found.bounds.lo > 0.25
    (Interval(lo=0.5, hi=0.5), True)
    >>> encompassing(of(2.0), of(1.5), 0.95, most_lost=0.1).bounds.lo > 0.45
    True
    """
    _check_same_prompts(without, with_it)
    cap, lost = without.cap, min(most_lost + _ROUNDING_NATS, with_it.cap)
    if not len(without.prompts):
        return Bounds(None, Interval(-lost, cap), level, GAIN)
    # What is known of the whole bounds what unseen tails leave open.
    low, high = np.maximum(without.lo - with_it.hi, -lost), without.hi - with_it.lo
    low_means, totals = cluster_means(low, without.weights, without.clusters)
    high_means, _ = cluster_means(high, without.weights, without.clusters)
    lo, hi = (mean_bounds(means + lost, cap + lost, level, weights=totals) for means in (low_means, high_means))
    mean = Interval(*sorted(weighted_mean(side, without.weights) for side in (low, high)))
    return Bounds(mean, Interval(lo.lo - lost, hi.hi - lost), level, GAIN)


def most_lost(weight: float) -> float:
    """The most nats that a linear pool can lose at any position when a forecast of that weight joins it: −log(1 − λ).

    Since (1 − λ) r + λ q ≥ (1 − λ) r, whatever q says; infinite where nothing of the pool is left.

    >>> round(most_lost(0.5), 4), most_lost(0.0)
    (0.6931, 0.0)
    """
    return math.inf if weight >= 1 else abs(math.log1p(-weight))


def diebold_mariano(without: Losses, with_it: Losses) -> DieboldMariano | Unscored:
    """The test of equal mean loss that people are used to, on prompts clustered by document.

    Source: Diebold & Mariano 1995; prompts have no order, so documents stand where time series have lags.

    >>> own = tuple("abcd")
    >>> def of(*losses): return Losses(own, own, own, np.ones(4), np.array(losses), np.array(losses), 4.0, 0)
    >>> found = diebold_mariano(of(1.0, 2.0, 3.0, 2.0), of(0.5, 1.0, 2.5, 1.0))
    >>> round(found.statistic, 4), round(found.p_value, 8)
    (5.1962, 2e-07)
    """
    _check_same_prompts(without, with_it)
    if not (np.array_equal(without.lo, without.hi) and np.array_equal(with_it.lo, with_it.hi)):
        return Unscored("losses are known within intervals only")
    if not len(without.prompts):
        return Unscored("there are no prompts")
    means, totals = cluster_means(without.lo - with_it.lo, without.weights, without.clusters)
    error = clustered_standard_error(means, totals)
    if error is None:
        return Unscored("fewer than two documents")
    if error == 0:
        return Unscored("the difference is the same in every document")
    statistic = weighted_mean(means, totals) / error
    return DieboldMariano(statistic, math.erfc(abs(statistic) / math.sqrt(2)))


def _check_same_prompts(a: Losses, b: Losses) -> None:
    if a.prompts != b.prompts or a.clusters != b.clusters or not np.array_equal(a.weights, b.weights):
        raise ValueError("losses of different prompts cannot be paired")
