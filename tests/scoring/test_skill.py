"""Skill and encompassing: hand values, identities, a slow oracle, degenerate cases, and coverage on heavy tails."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from foretell.base.interval import Interval, Unscored
from foretell.scoring.confidence import _BETS, _LOG_PRIOR, Bounds
from foretell.scoring.skill import (
    DieboldMariano,
    diebold_mariano,
    encompassing,
    most_lost,
    skill,
)
from foretell.scoring.summary import Losses

Array = np.ndarray
LEVEL, CAP = 0.95, 8.0
#: Repetitions of each simulation, and the fewest hits of so many at 95% coverage that chance alone leaves.
REPETITIONS = 300
FEWEST = int(stats.binom.ppf(1e-4, REPETITIONS, LEVEL))


def losses(
    low: Array | list[float],
    high: Array | list[float] | None = None,
    weights: Array | list[float] | None = None,
    clusters: list[str] | None = None,
    cap: float = CAP,
) -> Losses:
    lo = np.asarray(low, np.float64)
    hi = lo if high is None else np.asarray(high, np.float64)
    names = tuple(f"p{i}" for i in range(len(lo)))
    share = np.ones(len(lo)) if weights is None else np.asarray(weights, np.float64)
    return Losses(names, ("all",) * len(lo), tuple(clusters or names), share, lo, hi, cap, 0)


def bounded(result: Bounds | Unscored) -> Bounds:
    assert isinstance(result, Bounds), result
    return result


def test_a_hand_value_with_weights() -> None:
    found = bounded(skill(losses([1.0, 0.0], weights=[3, 1]), losses([2.0, 2.0], weights=[3, 1]), LEVEL))
    assert found.mean == Interval(1 - 0.75 / 2, 1 - 0.75 / 2)
    assert found.bounds.lo < 0  # two prompts tell next to nothing


def slow_wealth(q: Array, r: Array, ratio: float, above: bool, cap: float) -> float:
    """The wealth against the ratio of means being `ratio`, bet by bet and prompt by prompt."""
    signed = (q / ratio - r if above else ratio * r - q) / cap
    return math.fsum(
        math.exp(prior) * math.prod(1 + bet * x for x in signed) for bet, prior in zip(_BETS, _LOG_PRIOR, strict=True)
    )


def test_the_ends_are_where_the_wealth_of_a_slow_oracle_reaches_its_threshold() -> None:
    rng = np.random.default_rng(5)
    q, r = rng.exponential(0.7, 40), rng.exponential(2.0, 40)
    found = bounded(skill(losses(q), losses(r), LEVEL))
    for end, above in ((found.bounds.hi, True), (found.bounds.lo, False)):
        assert slow_wealth(q, r, 1 - end, above, CAP) == pytest.approx(2 / (1 - LEVEL), rel=1e-6)
    # Farther from the estimate there is more wealth, so what is left is one interval.
    lower = [slow_wealth(q, r, ratio, True, CAP) for ratio in np.geomspace(0.01, 1, 50)]
    upper = [slow_wealth(q, r, ratio, False, CAP) for ratio in np.geomspace(0.01, 9, 50)]
    assert np.all(np.diff(lower) < 0)
    assert np.all(np.diff(upper) > 0)


positive = st.floats(0.01, CAP)
pairs = st.lists(st.tuples(st.floats(0, CAP), positive), min_size=1, max_size=30)


@given(pairs)
def test_bounds_contain_the_estimate_and_never_promise_more_than_perfect(values: list[tuple[float, float]]) -> None:
    q, r = np.array(values).T
    found = bounded(skill(losses(q), losses(r), LEVEL))
    assert found.mean is not None
    assert found.bounds.lo <= found.mean.lo <= found.mean.hi <= found.bounds.hi <= 1


@given(st.lists(positive, min_size=1, max_size=30))
def test_the_reference_itself_has_no_skill(values: list[float]) -> None:
    found = bounded(skill(losses(values), losses(values), LEVEL))
    assert found.mean == Interval(0.0, 0.0)
    assert 0.0 in found.bounds


@given(pairs, st.sampled_from([0.25, 2.0, 1024.0]))
def test_the_unit_does_not_matter(values: list[tuple[float, float]], scale: float) -> None:
    q, r = np.array(values).T
    one = bounded(skill(losses(q), losses(r), LEVEL))
    other = bounded(skill(losses(q * scale, cap=CAP * scale), losses(r * scale, cap=CAP * scale), LEVEL))
    assert other.bounds.lo == pytest.approx(one.bounds.lo, rel=1e-9, abs=1e-9)
    assert other.bounds.hi == pytest.approx(one.bounds.hi, rel=1e-9, abs=1e-9)


@given(pairs)
def test_more_confidence_is_wider(values: list[tuple[float, float]]) -> None:
    q, r = np.array(values).T
    narrow, wide = (bounded(skill(losses(q), losses(r), level)).bounds for level in (0.8, 0.99))
    assert wide.lo <= narrow.lo
    assert wide.hi >= narrow.hi


@given(pairs, st.floats(0, 0.5))
def test_what_is_known_less_exactly_is_wider(values: list[tuple[float, float]], more: float) -> None:
    q, r = np.array(values).T
    exact = bounded(skill(losses(q), losses(r), LEVEL))
    vague = bounded(skill(losses(q, np.minimum(q + more, CAP)), losses(r, np.minimum(r + more, CAP)), LEVEL))
    assert vague.mean is not None
    assert exact.mean is not None
    assert vague.mean.lo <= exact.mean.lo + 1e-9
    assert vague.mean.hi >= exact.mean.hi - 1e-9
    assert vague.bounds.lo <= exact.bounds.lo + 1e-9
    assert vague.bounds.hi >= exact.bounds.hi - 1e-9


def test_prompts_of_one_document_count_once() -> None:
    q, r = [0.5] * 40, [2.0] * 40
    apart = bounded(skill(losses(q), losses(r), LEVEL)).bounds
    together = bounded(skill(losses(q, clusters=["a", "b"] * 20), losses(r, clusters=["a", "b"] * 20), LEVEL)).bounds
    assert together.width > 5 * apart.width


@pytest.mark.parametrize(
    ("own", "reference", "reason"),
    [
        (losses([]), losses([]), "no prompts"),
        (losses([0.0, 1.0]), losses([0.0, 1e-7]), "loses no more than rounding"),
        (losses([1.0, 1.0]), losses([0.0, 0.0], [1.0, 2.0]), "may lose nothing"),
    ],
)
def test_where_there_is_no_ratio_a_reason_stands(own: Losses, reference: Losses, reason: str) -> None:
    found = skill(own, reference, LEVEL)
    assert isinstance(found, Unscored)
    assert reason in found.reason


def test_a_perfect_forecast_and_one_that_is_far_worse() -> None:
    perfect = bounded(skill(losses([0.0] * 50), losses([2.0] * 50), LEVEL))
    assert perfect.mean == Interval(1.0, 1.0)
    assert 0.5 < perfect.bounds.lo < perfect.bounds.hi == 1.0
    worse = bounded(skill(losses([6.0] * 50), losses([0.5] * 50), LEVEL))
    assert worse.mean == Interval(-11.0, -11.0)
    assert worse.bounds.hi < 0


def test_other_prompts_are_refused() -> None:
    with pytest.raises(ValueError, match="different prompts"):
        skill(losses([1.0]), losses([1.0, 2.0]), LEVEL)
    with pytest.raises(ValueError, match="different prompts"):
        encompassing(losses([1.0]), losses([1.0], weights=[2]), LEVEL)


def heavy(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Losses with tails to the cap: most prompts easy, few very bad, the forecast's correlated with the reference's."""
    r = np.minimum(0.4 * (rng.pareto(1.3, n) + 0.5), CAP)
    q = np.where(rng.random(n) < 0.03, CAP * rng.random(n) ** 0.2, r * rng.random(n) * 0.6)
    return q, r


def rare(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Nearly all of both means comes from one prompt in fifty, and not the same one."""
    q, r = (np.where(rng.random(n) < 0.02, CAP, 0.02) for _ in range(2))
    return q, r


@pytest.mark.parametrize("draw", [heavy, rare])
@pytest.mark.parametrize("n", [15, 120])
def test_coverage_of_skill(draw: Callable[[np.random.Generator, int], tuple[Array, Array]], n: int) -> None:
    rng = np.random.default_rng(n)
    q, r = draw(rng, 2_000_000)
    true = 1 - q.mean() / r.mean()
    hits = 0
    for _ in range(REPETITIONS):
        own, reference = draw(rng, n)
        found = skill(losses(own), losses(reference), LEVEL)
        hits += isinstance(found, Unscored) or true in found.bounds
    assert hits >= FEWEST


def test_coverage_of_skill_in_documents_of_unequal_weight() -> None:
    rng = np.random.default_rng(3)
    true = 1 - 0.6 / 2.0
    hits = 0
    for _ in range(REPETITIONS):
        # Three prompts of a document share what makes it hard; weights were fixed before.
        document = np.minimum(rng.exponential(1.0, 40), 3.0)
        document = np.repeat(document / (1 - math.exp(-3)), 3)
        q, r = document * 0.6, document * 2.0
        noise = 1 + 0.5 * rng.choice([-1, 1], 120)
        weights, names = np.resize([1.0, 2.0, 5.0, 0.5], 120), [f"d{i // 3}" for i in range(120)]
        found = bounded(
            skill(losses(q * noise, weights=weights, clusters=names), losses(r, weights=weights, clusters=names), LEVEL)
        )
        hits += true in found.bounds
    assert hits >= FEWEST


def test_bounds_are_worth_something() -> None:
    rng = np.random.default_rng(1)
    r = rng.gamma(4, 0.5, 150)
    found = bounded(skill(losses(0.25 * r), losses(r), LEVEL))
    assert found.bounds.width < 0.2


@pytest.mark.parametrize("known", [True, False])
def test_coverage_of_the_gain(known: bool) -> None:
    """A forecast that mostly costs its share and seldom helps a lot: the shape that fools a normal interval."""
    rng, weight = np.random.default_rng(2), 0.1
    lost = most_lost(weight)
    help_mean = 0.05 * 5.0 - 0.95 * lost
    hits, normal = 0, 0
    for _ in range(REPETITIONS):
        gain = np.where(rng.random(40) < 0.05, 5.0, -lost)
        without = losses(np.full(40, 6.0))
        found = encompassing(without, losses(6.0 - gain), LEVEL, lost if known else math.inf)
        hits += help_mean in found.bounds
        error = gain.std(ddof=1) / math.sqrt(40)
        normal += abs(gain.mean() - help_mean) <= 1.96 * error
    assert hits >= FEWEST
    assert normal < FEWEST


def test_a_bound_on_the_loss_makes_the_gain_certain_earlier() -> None:
    rng = np.random.default_rng(4)
    without = losses(rng.uniform(1, 3, 150))
    better = losses(without.lo - 0.08)
    assert encompassing(without, better, LEVEL).bounds.lo < 0
    assert encompassing(without, better, LEVEL, most_lost(0.05)).bounds.lo > 0.05


def test_nothing_is_lost_beyond_what_a_weight_can_cost() -> None:
    rng = np.random.default_rng(6)
    p, r, q = rng.dirichlet(np.ones(50), 3)
    for weight in (0.01, 0.5, 0.99):
        mixed = (1 - weight) * r + weight * q
        assert p @ np.log(r / mixed) <= most_lost(weight)
    assert most_lost(1.0) == math.inf
    with pytest.raises(ValueError, match="values outside"):
        encompassing(losses([1.0]), losses([2.0]), LEVEL, most_lost(0.5))


@given(pairs)
def test_a_gain_turned_round_is_a_loss(values: list[tuple[float, float]]) -> None:
    a, b = (losses(x) for x in np.array(values).T)
    there, back = encompassing(a, b, LEVEL), encompassing(b, a, LEVEL)
    assert there.mean is not None
    assert back.mean is not None
    assert there.mean.lo == pytest.approx(-back.mean.hi)
    assert there.bounds.lo == pytest.approx(-back.bounds.hi, abs=1e-4)


def test_gains_known_within_intervals_and_of_no_prompts() -> None:
    vague = encompassing(losses([1.0] * 30, [3.0] * 30), losses([0.5] * 30, [2.5] * 30), LEVEL, most_lost(0.5))
    assert vague.mean is not None
    assert vague.mean.lo == pytest.approx(-most_lost(0.5), abs=1e-4)
    assert vague.mean.hi == 2.5
    assert encompassing(losses([]), losses([]), LEVEL).bounds == Interval(-CAP, CAP)


def test_diebold_and_mariano_is_the_paired_test_by_document() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.exponential(2, 60), rng.exponential(1.5, 60)
    found = diebold_mariano(losses(a), losses(b))
    assert isinstance(found, DieboldMariano)
    expected = stats.ttest_rel(a, b)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(expected.statistic)))
    names = [f"d{i // 2}" for i in range(60)]
    clustered = diebold_mariano(losses(a, clusters=names), losses(b, clusters=names))
    assert isinstance(clustered, DieboldMariano)
    means = (a - b).reshape(30, 2).mean(axis=1)
    assert clustered.statistic == pytest.approx(stats.ttest_1samp(means, 0).statistic)


@pytest.mark.parametrize(
    ("without", "with_it", "reason"),
    [
        (losses([]), losses([]), "no prompts"),
        (losses([1.0]), losses([0.5]), "fewer than two documents"),
        (losses([1.0, 2.0]), losses([0.5, 1.5]), "the same in every document"),
        (losses([1.0, 2.0], [2.0, 3.0]), losses([0.5, 1.0]), "within intervals only"),
    ],
)
def test_where_there_is_no_test_a_reason_stands(without: Losses, with_it: Losses, reason: str) -> None:
    found = diebold_mariano(without, with_it)
    assert isinstance(found, Unscored)
    assert reason in found.reason
