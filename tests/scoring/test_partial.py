"""Intervals for a truth known on its top k: brute force over unseen tails must stay within them, and reach them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from foretell.base.errors import DistributionError
from foretell.base.interval import Interval
from foretell.distributions import DenseBlock, TopKBlock
from foretell.scoring import ScoreSettings, score_positions
from foretell.scoring import divergences as by_definition
from foretell.scoring.partial import PartialTruth, abs_interval, js_interval, kl_interval, tv_interval

Float64 = NDArray[np.float64]
Divergence = Callable[[Float64, Float64], Float64]
Bound = Callable[[PartialTruth], Interval]
BOUNDS: dict[str, tuple[Bound, Divergence]] = {
    "kl": (kl_interval, by_definition.kl_nats),
    "abs": (abs_interval, by_definition.abs_logprob_nats),
    "tv": (tv_interval, by_definition.tv),
    "js": (js_interval, by_definition.js_nats),
}
ATTAINED = ("kl", "tv", "js")
ROUNDING = 1e-9


def truth_of(seed: int, vocabulary: int, k: int) -> tuple[PartialTruth, Float64]:
    """A random full truth's top k against a random forecast; and the truth's own unseen tail."""
    rng = np.random.default_rng(seed)
    p = np.sort(rng.dirichlet(np.full(vocabulary, rng.choice([0.1, 0.5, 2.0]))))[::-1]
    q = rng.dirichlet(np.full(vocabulary, rng.choice([0.1, 0.5, 2.0]))) * 0.999 + 0.001 / vocabulary
    return PartialTruth(p[:k], q[:k], q[k:], float(p[k:].sum())), p[k:]


def corners(cap: float, rest: float, unseen: int) -> Float64:
    """Every corner of {0 ≤ p ≤ cap, Σp = rest}: full portions on some tokens, what remains on one more."""
    full = int(rest / cap)
    found = []
    for chosen in itertools.combinations(range(unseen), min(full, unseen)):
        for one in set(range(unseen)) - set(chosen) or {-1}:
            tail = np.zeros(unseen)
            tail[list(chosen)] = cap
            if one >= 0:
                tail[one] = rest - full * cap
            found.append(tail)
    return np.array(found)


def random_tails(cap: float, rest: float, unseen: int, rng: np.random.Generator) -> Float64:
    """Tails inside the constraints: mixtures of corners."""
    corner = corners(cap, rest, unseen)
    return np.asarray(rng.dirichlet(np.full(len(corner), 0.3), size=60) @ corner)


def values(divergence: Divergence, truth: PartialTruth, tails: Float64) -> Float64:
    with np.errstate(divide="ignore"):
        p = np.log(np.hstack([np.tile(truth.p, (len(tails), 1)), np.maximum(tails, 0)]))
        q = np.log(np.concatenate([truth.q, truth.q_unseen]))
    return divergence(p, np.tile(q, (len(tails), 1)))


@pytest.mark.parametrize("name", BOUNDS)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.data())
def test_no_tail_leaves_the_interval_and_one_reaches_its_end(
    name: str, seed: int, size: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, size - 1))
    truth, actual = truth_of(seed, size, k)
    bound, divergence = BOUNDS[name]
    interval = bound(truth)
    cap = float(truth.p.min())
    rng = np.random.default_rng(seed)
    tails = np.vstack([corners(cap, truth.rest, size - k), random_tails(cap, truth.rest, size - k, rng), actual])
    reached = values(divergence, truth, tails)
    assert interval.lo <= reached.min() + ROUNDING
    assert reached.max() <= interval.hi + ROUNDING
    if name in ATTAINED:
        assert reached.max() == pytest.approx(interval.hi, abs=1e-9)


@pytest.mark.parametrize("name", ["kl", "tv", "js"])
def test_the_lower_end_is_reached_where_the_tail_is_like_the_forecasts(name: str) -> None:
    q = np.array([0.5, 0.1, 0.1, 0.3])
    truth = PartialTruth(np.array([0.6]), q[:1], q[1:], 0.4)
    bound, divergence = BOUNDS[name]
    alike = values(divergence, truth, (q[1:] * 0.4 / 0.5)[None])[0]
    assert bound(truth).lo == pytest.approx(alike)


@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.data())
def test_more_listed_tokens_never_widen(seed: int, size: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, size - 2))
    few, _ = truth_of(seed, size, k)
    more, _ = truth_of(seed, size, k + 1)
    for name in ATTAINED:
        bound, _ = BOUNDS[name]
        assert bound(few).lo <= bound(more).lo + ROUNDING
        assert bound(more).hi <= bound(few).hi + ROUNDING


@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_everything_listed_gives_the_full_score(seed: int, size: int) -> None:
    truth, _ = truth_of(seed, size, size)
    for name, (bound, divergence) in BOUNDS.items():
        interval = bound(truth)
        full = values(divergence, truth, np.zeros((1, 0)))[0]
        assert interval.lo == pytest.approx(full, abs=1e-12), name
        assert interval.hi == pytest.approx(full, abs=1e-12), name


def test_rounding_of_listed_tokens_does_not_become_a_rest_for_nobody() -> None:
    truth = PartialTruth(np.array([0.6, 0.4 - 1e-8]), np.array([0.5, 0.5]), np.zeros(0), 1e-8)
    assert kl_interval(truth).hi < 0.03


def test_a_rest_that_fits_nowhere_is_refused() -> None:
    truth = PartialTruth(np.array([0.5, 0.01]), np.array([0.5, 0.1]), np.full(4, 0.1), 0.49)
    with pytest.raises(DistributionError, match=r"impossible top-k truth: got a rest of 0.49 for 4 unlisted"):
        kl_interval(truth, "prompt 'a'")


def test_a_forecast_of_zero_for_an_unseen_token() -> None:
    truth = PartialTruth(np.array([0.5]), np.array([0.5]), np.array([0.0, 0.5]), 0.5)
    assert kl_interval(truth) == Interval(0.0, np.inf)
    assert abs_interval(truth).hi == np.inf
    assert tv_interval(truth) == Interval(0.0, 0.5)
    listed = PartialTruth(np.array([0.5]), np.array([0.0]), np.array([0.5, 0.5]), 0.5)
    assert kl_interval(listed).lo == abs_interval(listed).lo == np.inf


@pytest.mark.parametrize("shape", ["random", "peaked", "far tail", "sparse", "uniform"])
@pytest.mark.parametrize("k", [1, 3, 20, 49, 50])
def test_the_top_k_of_a_full_truth_contains_its_score(shape: str, k: int, make_rows: Callable[..., Float64]) -> None:
    rng = np.random.default_rng(k)
    p, q = make_rows(shape, 12, 50, rng), make_rows("random", 12, 50, rng)
    top = np.argsort(-p, axis=1, kind="stable")[:, :k]
    listed = np.take_along_axis(p, top, axis=1)
    with np.errstate(divide="ignore"):
        rest = np.log(np.maximum(1 - np.exp(listed).sum(axis=1), 0.0))
    lengths, settings = np.ones(50, np.float32), ScoreSettings(1e-6, 3)
    full = score_positions(DenseBlock(p), DenseBlock(q), lengths, settings)
    partly = score_positions(TopKBlock(top, listed, rest), DenseBlock(q), lengths, settings)
    for name in ("kl_nats", "abs_logprob_nats", "tv", "js_nats"):
        assert (partly.lo[name] <= full.lo[name] + ROUNDING).all(), name
        assert (full.lo[name] <= partly.hi[name] + ROUNDING).all(), name
    np.testing.assert_array_equal(partly.lo["top1_agreement"], full.lo["top1_agreement"])
    if k >= 3:
        np.testing.assert_allclose(partly.hi["topk_logprob_rmse"], full.hi["topk_logprob_rmse"])
    else:
        assert "top k only" in partly.unscored["topk_logprob_rmse"]
    assert set(partly.unscored) >= {"entropy_nats", "expected_bytes"}
