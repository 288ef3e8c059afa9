"""From positions to a score: position → prompt → slice → whole suite, with bounds at every step that claims one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Interval, Unscored
from foretell.scoring.confidence import (
    BETTING,
    BINOMIAL,
    Bounds,
    cluster_means,
    clustered_standard_error,
    difference_bounds,
    fraction_bounds,
    mean_bounds,
)

Float64 = NDArray[np.float64]
#: Quantiles of the prompts' losses that are reported beside the worst prompt.
TAIL_QUANTILES = (0.90, 0.99)
#: Two-sided normal quantiles for the approximate bounds.
_NORMAL_QUANTILE = {0.8: 1.2816, 0.9: 1.6449, 0.95: 1.9600, 0.99: 2.5758, 0.999: 3.2905}
_MOST_COPIES = 1e6


@dataclass(frozen=True)
class Losses:
    """The losses of one forecast, one number a prompt, with what each prompt counts for.

    Attributes:
        prompts, slices, clusters: labels, (prompts,) each.
        weights: (prompts,), the charter's.
        lo, hi: mean over the prompt's positions of the metric's lower and upper end, (prompts,).
        cap: every loss lies in [0, cap]; larger ones have been set to it.
        capped: how many prompts were.
    """

    prompts: tuple[str, ...]
    slices: tuple[str, ...]
    clusters: tuple[str, ...]
    weights: Float64
    lo: Float64
    hi: Float64
    cap: float
    capped: int

    @classmethod
    def of(cls, prompts: list[tuple[str, str, str, float]], lo: Float64, hi: Float64, cap: float) -> Losses:
        """Losses of prompts given as (id, slice, cluster, weight), cut off at the cap."""
        ids, slices, clusters, weights = zip(*prompts, strict=True)
        # Rounding may push the largest possible loss over log(V/ε) by a few units in the last place.
        capped = int(np.sum(hi > cap * (1 + 1e-9)))
        return cls(ids, slices, clusters, np.array(weights), np.minimum(lo, cap), np.minimum(hi, cap), cap, capped)

    def only(self, slice_name: str) -> Losses:
        """The prompts of one slice."""
        keep = np.array([name == slice_name for name in self.slices])

        def pick(labels: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(label for label, kept in zip(labels, keep, strict=True) if kept)

        return Losses(
            pick(self.prompts),
            pick(self.slices),
            pick(self.clusters),
            self.weights[keep],
            self.lo[keep],
            self.hi[keep],
            self.cap,
            int(np.sum(self.hi[keep] >= self.cap)) if self.capped else 0,
        )


def mean_loss(losses: Losses, level: float) -> Bounds:
    """Weighted mean of the prompts' losses with betting bounds over clusters.

    Where losses are known within intervals, the bounds take the lower ends below and the upper ends above.
    """
    low_means, totals = cluster_means(losses.lo, losses.weights, losses.clusters)
    high_means, _ = cluster_means(losses.hi, losses.weights, losses.clusters)
    lo = mean_bounds(low_means, losses.cap, level, weights=totals)
    hi = lo if np.array_equal(losses.lo, losses.hi) else mean_bounds(high_means, losses.cap, level, weights=totals)
    mean = Interval(weighted_mean(losses.lo, losses.weights), weighted_mean(losses.hi, losses.weights))
    return Bounds(mean, Interval(lo.lo, hi.hi), level, BETTING)


def approximate_mean(losses: Losses, level: float) -> tuple[float, Interval] | Unscored:
    """Clustered standard error and the normal interval that people are used to."""
    if not np.array_equal(losses.lo, losses.hi):
        return Unscored("losses are known within intervals only")
    if level not in _NORMAL_QUANTILE:
        return Unscored(f"no normal quantile is tabled for level {level}")
    means, totals = cluster_means(losses.lo, losses.weights, losses.clusters)
    error = clustered_standard_error(means, totals)
    if error is None:
        return Unscored("fewer than two documents")
    mean = weighted_mean(losses.lo, losses.weights)
    half = _NORMAL_QUANTILE[level] * error
    return error, Interval(mean - half, mean + half)


@dataclass(frozen=True)
class Within:
    """How many documents stay within the tolerance, and bounds on the fraction of all that would.

    Attributes:
        certain: documents whose loss is within for sure; possible: those that may be (equal for full truths).
    """

    certain: int
    possible: int
    of: int
    bounds: Interval
    level: float
    method: str = BINOMIAL


def within_tolerance(losses: Losses, tolerance: float, level: float) -> Within:
    """Count the documents (clusters) whose mean loss is at most the tolerance; every document counts once."""
    low, _ = cluster_means(losses.lo, losses.weights, losses.clusters)
    high, _ = cluster_means(losses.hi, losses.weights, losses.clusters)
    certain, possible = int(np.sum(high <= tolerance)), int(np.sum(low <= tolerance))
    lo, hi = fraction_bounds(certain, len(low), level), fraction_bounds(possible, len(low), level)
    return Within(certain, possible, len(low), Interval(lo.lo, hi.hi), level)


def paired_difference(a: Losses, b: Losses, level: float) -> Bounds:
    """Mean of a's losses minus b's on the same prompts, in their unit: below zero means that a was closer.

    Paired by prompt and clustered, so it can be decided where the two means' own bounds overlap.
    """
    low, totals = cluster_means(a.lo - b.hi, a.weights, a.clusters)
    high, _ = cluster_means(a.hi - b.lo, a.weights, a.clusters)
    span = max(a.cap, b.cap)
    lo = difference_bounds(low, span, level, weights=totals)
    hi = lo if np.array_equal(low, high) else difference_bounds(high, span, level, weights=totals)
    mean = Interval(weighted_mean(a.lo - b.hi, a.weights), weighted_mean(a.hi - b.lo, a.weights))
    return Bounds(mean, Interval(lo.lo, hi.hi), level, BETTING)


def prompts_needed(losses: Losses, tolerance: float, level: float) -> int | None:
    """How many prompts like these would decide: the fewest copies of the data whose bounds exclude the tolerance.

    Returns:
        The total number of prompts, or None where a million times as many would not do.
    """
    low, totals = cluster_means(losses.lo, losses.weights, losses.clusters)
    high, _ = cluster_means(losses.hi, losses.weights, losses.clusters)

    def decides(copies: float) -> bool:
        above = mean_bounds(low, losses.cap, level, weights=totals, copies=copies).lo > tolerance
        return above or mean_bounds(high, losses.cap, level, weights=totals, copies=copies).hi <= tolerance

    enough = 2.0
    while not decides(enough):
        enough *= 2
        if enough > _MOST_COPIES:
            return None
    short = enough / 2
    while enough / short > 1.05:
        middle = math.sqrt(short * enough)
        short, enough = (short, middle) if decides(middle) else (middle, enough)
    return math.ceil(enough * len(losses.prompts))


def tail_losses(losses: Losses) -> dict[str, Any]:
    """The upper tail of the prompts' losses (upper ends): weighted 90% and 99% quantiles and the worst prompt."""
    order = np.argsort(losses.hi, kind="stable")
    reached = np.cumsum(losses.weights[order]) / losses.weights.sum()
    tail: dict[str, Any] = {}
    for quantile in TAIL_QUANTILES:
        place = min(int(np.searchsorted(reached, quantile - 1e-12)), len(order) - 1)
        tail[f"q{round(quantile * 100)}"] = float(losses.hi[order[place]])
    worst = int(order[-1])
    tail["worst"] = {"prompt": losses.prompts[worst], "loss": float(losses.hi[worst])}
    return tail


def weighted_mean(values: Float64, weights: Float64) -> float:
    """Σ w·x / Σ w.

    >>> weighted_mean(np.array([1.0, 4.0]), np.array([2.0, 1.0]))
    2.0
    """
    return float(weights @ values / weights.sum())
