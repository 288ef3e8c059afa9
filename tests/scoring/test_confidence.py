"""Bounds cover as often as they say: measured by simulation on heavy tails, strata, clusters, and under peeking."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from foretell.base.interval import Interval
from foretell.scoring.confidence import (
    cluster_means,
    clustered_standard_error,
    difference_bounds,
    fraction_bounds,
    mean_bounds,
)

Float64 = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Float64]
CAP, LEVEL = 10.0, 0.95
TRIALS = 300
#: Three standard errors of a fraction of TRIALS at 0.95.
SLACK = 3 * math.sqrt(LEVEL * (1 - LEVEL) / TRIALS)
SIZES = (5, 50, 300)


def pareto(rng: np.random.Generator, n: int) -> Float64:
    """Index 1.1 (no variance), cut off at the cap."""
    return np.asarray(np.minimum(0.05 * (1 + rng.pareto(1.1, n)), CAP))


def zero_inflated(rng: np.random.Generator, n: int) -> Float64:
    return np.where(rng.random(n) < 0.9, 0.0, rng.uniform(0, CAP, n))


def bernoulli(rng: np.random.Generator, n: int) -> Float64:
    return np.where(rng.random(n) < 0.03, CAP, 0.0)


def exponential(rng: np.random.Generator, n: int) -> Float64:
    return np.asarray(np.minimum(rng.exponential(0.3, n), CAP))


DRAWS: dict[str, Draw] = {f.__name__: f for f in (pareto, zero_inflated, bernoulli, exponential)}
MEANS = {
    # E min(X, c) of a Pareto with scale s and index a: s·a/(a−1) − (s/c)^a · c/(a−1).
    "pareto": 0.05 * 1.1 / 0.1 - (0.05 / CAP) ** 1.1 * CAP / 0.1,
    "zero_inflated": 0.1 * CAP / 2,
    "bernoulli": 0.03 * CAP,
    "exponential": 0.3 * (1 - math.exp(-CAP / 0.3)),
}


def assert_covers(bounds: list[Interval], truth: float, trials: int = TRIALS) -> None:
    covered = np.mean([truth in interval for interval in bounds])
    assert covered >= LEVEL - 3 * math.sqrt(LEVEL * (1 - LEVEL) / trials)


@pytest.mark.parametrize("name", DRAWS)
def test_the_means_above_are_right(name: str) -> None:
    values = DRAWS[name](np.random.default_rng(0), 400_000)
    assert values.mean() == pytest.approx(MEANS[name], abs=5 * values.std() / math.sqrt(len(values)))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", DRAWS)
def test_coverage(name: str, n: int) -> None:
    rng = np.random.default_rng(n)
    assert_covers([mean_bounds(DRAWS[name](rng, n), CAP, LEVEL) for _ in range(TRIALS)], MEANS[name])


@pytest.mark.parametrize("n", SIZES)
def test_coverage_over_strata_of_unequal_means(n: int) -> None:
    """A fixed number of prompts from each slice: values are independent, with different means."""
    rng = np.random.default_rng(n)
    rates = np.resize([0.02, 0.5, 2.0, 0.1, 0.1], n)
    mean = float(np.mean(rates * (1 - np.exp(-CAP / rates))))
    draws = (np.minimum(rng.exponential(rates), CAP) for _ in range(TRIALS))
    assert_covers([mean_bounds(values, CAP, LEVEL) for values in draws], mean)


@pytest.mark.parametrize("n", SIZES)
def test_coverage_over_clusters_of_unequal_weight(n: int) -> None:
    """Prompts of a document share a level; documents have 1 to 5 prompts of unequal weight."""
    rng = np.random.default_rng(n)
    sizes = np.resize([1, 2, 5, 1, 3], n)
    clusters = np.repeat(np.arange(n), sizes)
    weights = np.resize([1.0, 0.5, 2.0], len(clusters))
    levels = np.resize([0.1, 0.4, 1.5], n)
    means = levels * (1 - np.exp(-CAP / levels))
    truth = float(weights @ means[clusters] / weights.sum())
    bounds = []
    for _ in range(TRIALS):
        values = np.minimum(rng.exponential(levels), CAP)[clusters]  # wholly dependent within a document
        by_document, totals = cluster_means(values, weights, clusters)
        bounds.append(mean_bounds(by_document, CAP, LEVEL, weights=totals))
    assert_covers(bounds, truth)


@pytest.mark.parametrize("name", ["pareto", "bernoulli"])
def test_coverage_at_every_look_at_once(name: str) -> None:
    rng, paths = np.random.default_rng(7), 100
    looks = range(10, 301, 10)
    met = []
    for _ in range(paths):
        values = DRAWS[name](rng, 300)
        seen = [mean_bounds(values[:n], CAP, LEVEL) for n in looks]
        met.append(Interval(0.0, 1.0) if all(MEANS[name] in interval for interval in seen) else Interval(2.0, 3.0))
    assert_covers(met, 0.5, paths)


def test_coverage_of_differences() -> None:
    rng = np.random.default_rng(3)
    draws = (pareto(rng, 60) - exponential(rng, 60) for _ in range(TRIALS))
    bounds = [difference_bounds(values, CAP, LEVEL) for values in draws]
    assert_covers(bounds, MEANS["pareto"] - MEANS["exponential"])
    assert all(-CAP <= interval.lo <= interval.hi <= CAP for interval in bounds)


def test_differences_turn_round_with_their_sign() -> None:
    values = np.random.default_rng(4).uniform(-1, 3, 80)
    there, back = difference_bounds(values, CAP, LEVEL), difference_bounds(-values, CAP, LEVEL)
    assert there.lo == pytest.approx(-back.hi)
    assert there.hi == pytest.approx(-back.lo)


@given(st.lists(st.floats(0, CAP), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_bounds_enclose_the_mean_and_stay_in_range(values: list[float], level: float) -> None:
    bounds = mean_bounds(values, CAP, level)
    assert 0 <= bounds.lo <= np.mean(values) * (1 + 1e-9) + 1e-300
    assert np.mean(values) * (1 - 1e-9) <= bounds.hi <= CAP
    wider = mean_bounds(values, CAP, 1 - (1 - level) / 10)
    assert wider.lo <= bounds.lo + 1e-9
    assert bounds.hi <= wider.hi + 1e-9


@given(st.lists(st.floats(0, CAP), min_size=2, max_size=30), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(values: list[float], random: object) -> None:
    shuffled = sorted(values, key=lambda _: random.random())  # type: ignore[attr-defined]
    a, b = mean_bounds(values, CAP, LEVEL), mean_bounds(shuffled, CAP, LEVEL)
    assert (a.lo, a.hi) == pytest.approx((b.lo, b.hi), abs=1e-9)


@given(st.lists(st.floats(0, CAP), min_size=1, max_size=30), st.floats(0.1, 50))
def test_units_do_not_matter_and_equal_weights_are_none(values: list[float], unit: float) -> None:
    plain = mean_bounds(values, CAP, LEVEL)
    scaled = mean_bounds(np.array(values) * unit, CAP * unit, LEVEL, weights=np.full(len(values), 3.0))
    assert (scaled.lo, scaled.hi) == pytest.approx((plain.lo * unit, plain.hi * unit), rel=1e-6, abs=1e-9)


def test_more_of_the_same_narrows() -> None:
    widths = [mean_bounds(np.resize([0.1, 0.5, 0.3], n), CAP, LEVEL).width for n in (3, 30, 300, 3000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.2


def test_copies_count_as_values() -> None:
    values = np.random.default_rng(5).uniform(0, 2, 40)
    copied, repeated = mean_bounds(values, CAP, LEVEL, copies=3), mean_bounds(np.tile(values, 3), CAP, LEVEL)
    assert (copied.lo, copied.hi) == pytest.approx((repeated.lo, repeated.hi), abs=1e-9)


def test_no_values_say_nothing() -> None:
    assert mean_bounds([], CAP, LEVEL) == Interval(0.0, CAP)
    assert difference_bounds([], CAP, LEVEL) == Interval(-CAP, CAP)
    assert fraction_bounds(0, 0, LEVEL) == Interval(0.0, 1.0)


@pytest.mark.parametrize("bad", [[-0.1], [CAP + 1], [math.nan]])
def test_values_out_of_range_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match=r"values outside \[0, 10.0\]"):
        mean_bounds([1.0, *bad], CAP, LEVEL)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
@pytest.mark.parametrize(
    ("successes", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (7, 20), (1, 300), (150, 300), (299, 300)]
)
def test_fractions_are_the_exact_binomials(successes: int, n: int, level: float) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(level, method="exact")
    bounds = fraction_bounds(successes, n, level)
    assert (bounds.lo, bounds.hi) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_clustered_error_is_the_textbook_one_without_clusters() -> None:
    values = np.random.default_rng(6).normal(size=50)
    error = clustered_standard_error(values, np.ones(50))
    assert error == pytest.approx(values.std(ddof=1) / math.sqrt(50))


def test_the_clustered_error_by_the_sum_over_pairs_of_prompts() -> None:
    """Miller 2024: the sum over pairs of prompts of one cluster, here weighted, with the n/(n−1) of the clusters."""
    rng = np.random.default_rng(8)
    clusters = rng.integers(12, size=60)
    values, weights = rng.normal(size=60) + clusters, rng.uniform(0.5, 2, 60)
    mean = weights @ values / weights.sum()
    pairs = [
        weights[i] * (values[i] - mean) * weights[j] * (values[j] - mean)
        for i in range(60)
        for j in range(60)
        if clusters[i] == clusters[j]
    ]
    n = len(set(clusters.tolist()))
    expected = math.sqrt(n / (n - 1) * sum(pairs)) / weights.sum()
    assert clustered_standard_error(*cluster_means(values, weights, clusters)) == pytest.approx(expected)


def test_one_cluster_has_no_standard_error() -> None:
    assert clustered_standard_error(np.array([1.0]), np.ones(1)) is None
