"""From prompts to a score: means, slices, tails, counts, differences, and how many prompts would decide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.interval import Interval, Unscored
from foretell.scoring.confidence import cluster_means, mean_bounds
from foretell.scoring.summary import (
    Losses,
    approximate_mean,
    mean_loss,
    paired_difference,
    prompts_needed,
    tail_losses,
    weighted_mean,
    within_tolerance,
)

CAP, LEVEL = 5.0, 0.95


def losses_of(values: list[float], hi: list[float] | None = None, *, cap: float = CAP, **labels: list[str]) -> Losses:
    n = len(values)
    slices, clusters = labels.get("slices", ["all"] * n), labels.get("clusters", [str(i) for i in range(n)])
    keys = [(f"p{i}", slices[i], clusters[i], 1.0 + i % 2) for i in range(n)]
    return Losses.of(keys, np.array(values), np.array(values if hi is None else hi), cap)


def test_losses_above_the_cap_count_as_the_cap_and_are_counted() -> None:
    losses = losses_of([1.0, CAP, CAP + 1, math.inf])
    assert losses.hi.tolist() == [1.0, CAP, CAP, CAP]
    assert losses.capped == 2


def test_a_slice_has_its_own_prompts() -> None:
    losses = losses_of([1.0, 2.0, 9.0, 4.0], slices=["a", "b", "b", "a"])
    part = losses.only("b")
    assert part.prompts == ("p1", "p2")
    assert part.hi.tolist() == [2.0, CAP]
    assert part.capped == 1
    assert losses.only("a").capped == 0


def test_the_mean_is_weighted_and_bounded_over_documents() -> None:
    losses = losses_of([1.0, 2.0, 3.0, 0.5], clusters=["a", "b", "a", "c"])
    result = mean_loss(losses, LEVEL)
    mean = (1 * 1 + 2 * 2 + 1 * 3 + 2 * 0.5) / 6
    assert result.mean is not None
    assert (result.mean.lo, result.mean.hi) == pytest.approx((mean, mean))
    means, totals = cluster_means(losses.hi, losses.weights, losses.clusters)
    assert result.bounds == mean_bounds(means, CAP, LEVEL, weights=totals)


def test_intervals_widen_the_bounds_on_their_own_sides() -> None:
    low, high = [0.5] * 40, [1.0] * 40
    result = mean_loss(losses_of(low, high), LEVEL)
    assert result.mean == Interval(0.5, 1.0)
    assert result.bounds.lo == mean_loss(losses_of(low), LEVEL).bounds.lo
    assert result.bounds.hi == mean_loss(losses_of(high), LEVEL).bounds.hi
    assert approximate_mean(losses_of(low, high), LEVEL) == Unscored("losses are known within intervals only")


def test_the_approximate_interval_is_a_normal_one() -> None:
    losses = losses_of(np.random.default_rng(0).uniform(0, 2, 200).tolist())
    result = approximate_mean(losses, LEVEL)
    assert not isinstance(result, Unscored)
    error, interval = result
    assert interval.width == pytest.approx(2 * 1.96 * error)
    assert interval.lo + error * 1.96 == pytest.approx(weighted_mean(losses.hi, losses.weights))
    assert approximate_mean(losses, 0.876) == Unscored("no normal quantile is tabled for level 0.876")
    assert approximate_mean(losses_of([1.0]), LEVEL) == Unscored("fewer than two documents")


def test_documents_within_the_tolerance_count_once_each() -> None:
    losses = losses_of([0.1, 0.2, 0.9, 0.3], [0.1, 0.6, 0.9, 0.3], clusters=["a", "b", "c", "a"])
    within = within_tolerance(losses, 0.5, LEVEL)
    assert (within.certain, within.possible, within.of) == (1, 2, 3)
    assert within.bounds.lo <= 1 / 3 < 2 / 3 <= within.bounds.hi


def test_a_difference_by_prompt_is_decided_where_the_means_are_not() -> None:
    rng = np.random.default_rng(1)
    base = rng.uniform(0, CAP - 1, 300)
    a, b = losses_of(base.tolist()), losses_of((base + 0.4).tolist())
    assert mean_loss(a, LEVEL).bounds.hi > mean_loss(b, LEVEL).bounds.lo
    difference = paired_difference(a, b, LEVEL)
    assert difference.bounds.hi < 0
    assert difference.mean is not None
    assert difference.mean.lo == pytest.approx(-0.4)
    assert -0.4 in difference.bounds
    assert paired_difference(b, a, LEVEL).bounds.lo > 0


def test_a_difference_of_intervals_is_an_interval() -> None:
    difference = paired_difference(losses_of([0.5] * 9, [0.7] * 9), losses_of([0.1] * 9, [0.4] * 9), LEVEL)
    assert difference.mean is not None
    assert (difference.mean.lo, difference.mean.hi) == pytest.approx((0.1, 0.6))


def test_as_many_copies_as_needed_decide() -> None:
    rng = np.random.default_rng(2)
    losses = losses_of(rng.exponential(0.4, 60).tolist())
    mean = weighted_mean(losses.hi, losses.weights)
    means, totals = cluster_means(losses.hi, losses.weights, losses.clusters)

    def decided(copies: float, tolerance: float) -> bool:
        bounds = mean_bounds(means, CAP, LEVEL, weights=totals, copies=copies)
        return bounds.hi <= tolerance or bounds.lo > tolerance

    for tolerance in (mean * 1.3, mean * 0.7):
        needed = prompts_needed(losses, tolerance, LEVEL)
        assert needed is not None
        assert decided(needed / 60, tolerance)
        assert not decided(0.9 * needed / 60, tolerance)


def test_what_no_number_of_prompts_decides() -> None:
    losses = losses_of([1.0, 2.0, 3.0])
    assert prompts_needed(losses, weighted_mean(losses.hi, losses.weights), LEVEL) is None
    assert prompts_needed(losses_of([0.1] * 5, [3.0] * 5), 1.0, LEVEL) is None


@given(st.lists(st.floats(0, CAP), min_size=1, max_size=40))
def test_the_tail_rises(values: list[float]) -> None:
    losses = losses_of(values)
    tail = tail_losses(losses)
    assert tail["q90"] <= tail["q99"] <= tail["worst"]["loss"] == max(values)
    assert tail["worst"]["prompt"] in losses.prompts
    for name, share in (("q90", 0.9), ("q99", 0.99)):
        below = losses.weights[losses.hi <= tail[name]].sum() / losses.weights.sum()
        strictly = losses.weights[losses.hi < tail[name]].sum() / losses.weights.sum()
        assert strictly - 1e-9 <= share <= below + 1e-9
