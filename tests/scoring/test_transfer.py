"""Rank correlations and their bounds: hand values, scipy, all orders of few forecasts, and measured coverage."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from foretell.base.interval import Interval, Unscored
from foretell.scoring import transfer
from foretell.scoring.summary import Losses
from foretell.scoring.transfer import (
    Cell,
    Signs,
    agreement,
    decided_order,
    kendall,
    means_of,
    spearman,
    worth_of_passing,
)

Float64 = NDArray[np.float64]
LEVEL, TRIALS = 0.9, 60
#: Three standard errors of a fraction of TRIALS at LEVEL.
SLACK = 3 * (LEVEL * (1 - LEVEL) / TRIALS) ** 0.5


def losses_of(values: Float64, clusters: list[str] | None = None, weights: Float64 | None = None) -> list[Losses]:
    """Forecasts from columns of (prompts, forecasts)."""
    ids = tuple(f"p{i}" for i in range(len(values)))
    own = np.ones(len(ids)) if weights is None else weights
    return [
        Losses(ids, ("all",) * len(ids), tuple(clusters or ids), own, column, column, 1e6, 0) for column in values.T
    ]


def order_of(means: Float64) -> Signs:
    return np.sign(np.subtract.outer(means, means)).astype(np.int8)


def decided(values: Float64, level: float = LEVEL, seed: int = 0, names: list[str] | None = None) -> Signs:
    found = decided_order(losses_of(values, names), level, np.random.default_rng(seed))
    assert not isinstance(found, Unscored), found
    return found


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=9))
def test_correlations_are_those_of_scipy_with_ties_too(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array(side, np.float64) for side in zip(*pairs, strict=True))
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert spearman(a, b) is None
        assert kendall(a, b) is None
    else:
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
        assert kendall(a, b) == pytest.approx(stats.kendalltau(a, b).statistic)


def test_by_hand() -> None:
    """Ranks 1 2 3 4 against 2 1 4 3: Σ d² = 4, ρ = 1 − 24/60; of six pairs four agree, two do not."""
    a, b = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.2, 0.1, 0.4, 0.3])
    assert spearman(a, b) == pytest.approx(0.6)
    assert kendall(a, b) == pytest.approx(1 / 3)


@pytest.mark.parametrize("seed", range(12))
def test_the_bounds_hold_every_order_that_is_possible(seed: int) -> None:
    """Against all 120 × 120 pairs of orders of five forecasts that fit the decided pairs."""
    rng = np.random.default_rng(seed)
    hidden = [rng.permutation(5).astype(np.float64) for _ in range(2)]
    signs = []
    for means in hidden:
        own = order_of(means)
        opened = np.triu(rng.random((5, 5)) < rng.choice([0.1, 0.3, 0.7]), 1)
        own[opened | opened.T] = 0
        signs.append(own)
    fitting = [
        [
            np.array(p, np.float64)
            for p in permutations(range(5))
            if not np.any((own != 0) & (order_of(np.array(p)) != own))
        ]
        for own in signs
    ]
    found = agreement(*signs)
    rhos = [float(stats.spearmanr(a, b).statistic) for a in fitting[0][:24] for b in fitting[1][:24]]
    taus = [float(stats.kendalltau(a, b).statistic) for a in fitting[0][:24] for b in fitting[1][:24]]
    assert found.spearman.lo - 1e-9 <= min(rhos) <= max(rhos) <= found.spearman.hi + 1e-9
    assert found.kendall.lo - 1e-9 <= min(taus) <= max(taus) <= found.kendall.hi + 1e-9
    assert found.agree + found.disagree + found.open == 10


def test_bounds_are_points_where_all_is_decided() -> None:
    a, b = np.array([1.0, 2, 3, 4, 5, 6]), np.array([2.0, 1, 3, 6, 5, 4])
    found = agreement(order_of(a), order_of(b))
    assert found.spearman.lo == pytest.approx(found.spearman.hi)
    assert found.spearman.hi == pytest.approx(stats.spearmanr(a, b).statistic)
    assert found.kendall.lo == found.kendall.hi == pytest.approx(stats.kendalltau(a, b).statistic)
    assert (found.agree, found.disagree, found.open) == (11, 4, 0)


@pytest.mark.parametrize("documents", [20, 80])
@pytest.mark.parametrize("draw", ["exponential", "heavy", "nearly paired"])
@pytest.mark.parametrize("apart", [1.4, 1.03])
def test_coverage(draw: str, documents: int, apart: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds hold the correlation of the true means as often as they say."""
    monkeypatch.setattr(transfer, "REPLICATES", 400)
    rng = np.random.default_rng(documents)
    means = apart ** np.arange(6.0)
    other = means[[1, 0, 2, 5, 3, 4]]
    true = stats.spearmanr(means, other).statistic
    held = 0
    for trial in range(TRIALS):
        each = 1 - (1 - LEVEL) / 2
        signs = [decided(own * _noise(draw, documents, rng), each, trial) for own in (means, other)]
        bounds = agreement(*signs).spearman
        held += bounds.lo - 1e-9 <= true <= bounds.hi + 1e-9
    assert held / TRIALS >= LEVEL - SLACK


@pytest.mark.parametrize("documents", [20, 80])
@pytest.mark.parametrize("draw", ["exponential", "heavy", "nearly paired"])
def test_nothing_is_decided_between_equals(draw: str, documents: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all true means are the same, every decided pair is wrong: that is where errors are likeliest."""
    monkeypatch.setattr(transfer, "REPLICATES", 400)
    rng = np.random.default_rng(documents + 1)
    found = [decided(_noise(draw, documents, rng), LEVEL, trial).any() for trial in range(TRIALS)]
    assert np.mean(found) <= 1 - LEVEL + SLACK


def test_resampled_correlations_would_not_do() -> None:
    """Why bounds go by the order: percentiles of resampled correlations miss a perfect correlation nearly always."""
    rng, means, held = np.random.default_rng(0), 1.05 ** np.arange(8.0), 0
    for _ in range(TRIALS):
        resampled = []
        for _ in range(2):
            values = means * (rng.exponential(1, (100, 1)) + rng.exponential(1, (100, 8))) / 2
            resampled.append(rng.multinomial(100, np.full(100, 0.01), size=200) @ values / 100)
        correlations = [spearman(a, b) for a, b in zip(*resampled, strict=True)]
        held += np.quantile([one for one in correlations if one is not None], 1 - (1 - LEVEL) / 2) >= 1
    assert held / TRIALS < 0.2


def _noise(draw: str, documents: int, rng: np.random.Generator) -> Float64:
    """Factors with mean 1, (documents, 6), partly common to all forecasts, as a hard document is."""
    if draw == "heavy":  # index 2.2: no third moment
        return np.asarray(rng.pareto(2.2, (documents, 1)) + rng.pareto(2.2, (documents, 6))) * 1.2 / 2
    share = 0.95 if draw == "nearly paired" else 0.5
    own, common = rng.exponential(1, (documents, 6)), rng.exponential(1, (documents, 1))
    return np.asarray(share * common + (1 - share) * own)


def test_more_documents_decide_more() -> None:
    rng = np.random.default_rng(0)
    means = 1.15 ** np.arange(6.0)
    numbers = [int(np.sum(decided(means * _noise("exponential", n, rng)) != 0)) for n in (20, 200, 2000)]
    assert numbers[0] < numbers[1] < numbers[2]
    assert numbers[2] == 30


def test_documents_are_resampled_whole() -> None:
    """Each document five times over says no more than once, and a heavy document counts by its weight."""
    rng = np.random.default_rng(3)
    values = 1.3 ** np.arange(6.0) * _noise("exponential", 60, rng)
    five = np.repeat(values, 5, axis=0)
    names = [f"d{i}" for i in range(60) for _ in range(5)]
    once = decided(values)
    clustered = decided(five, names=names)
    assert np.array_equal(clustered, decided(values, names=names[::5]))
    assert np.sum(decided(five) != 0) > np.sum(once != 0)
    weights = np.ones(60)
    weights[0] = 1e4
    lone = decided_order(losses_of(values, weights=weights), LEVEL, np.random.default_rng(0))
    assert lone == Unscored("60 documents that count as 1.0; fewer than 20 do not tell how uncertain a mean is")


def test_what_has_no_order() -> None:
    rng = np.random.default_rng(0)
    values = rng.exponential(1, (30, 6))

    def reason(losses: list[Losses]) -> str:
        found = decided_order(losses, LEVEL, rng)
        assert isinstance(found, Unscored)
        return found.reason

    assert reason(losses_of(values[:, :4])) == "4 forecasts; an order of fewer than 5 says little"
    assert reason(losses_of(values[:19])).startswith("19 documents; fewer than 20")
    wide = losses_of(values)
    wide[2] = replace(wide[2], hi=wide[2].hi + 0.1)
    assert reason(wide) == "losses are known within intervals only"
    assert isinstance(means_of(wide), Unscored)
    values[:, 4] = values[:, 1]
    assert reason(losses_of(values)) == "forecasts 2 and 5 of the list lose the same on every document"


def test_worth_of_a_pass() -> None:
    def cell(mean: float, half: float = 0.1) -> Cell:
        return Cell(mean, Interval(mean - half, mean + half), Interval(mean - 2 * half, mean + 2 * half))

    first, second = [cell(0.2), cell(0.5), cell(0.45, 0.2)], [cell(0.9), cell(0.55), cell(3.0)]
    found = worth_of_passing(first, second, 0.6)
    assert not isinstance(found, Unscored)
    assert found.met == (0, 1)  # the third is below by its mean, and open by its bounds
    assert (found.worst, found.mean, found.also_meet, found.miss) == (0, 0.9, 0, 1)
    assert found.bounds.lo == pytest.approx(0.7)
    assert found.bounds.hi == pytest.approx(1.1)
    assert isinstance(worth_of_passing(first, second, 0.1), Unscored)
