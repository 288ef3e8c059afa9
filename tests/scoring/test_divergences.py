"""The definitions against scipy, and what must hold between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from foretell.scoring.divergences import (
    abs_logprob_nats,
    entropy_nats,
    floored,
    js_nats,
    kl_nats,
    normalised,
    top1_agreement,
    topk_logprob_rmse,
    tv,
)

Float64 = NDArray[np.float64]
Pair = tuple[Float64, Float64]
FLOORS = (0.0, 1e-6, 0.1)


def rows_of(size: int) -> st.SearchStrategy[Float64]:
    """Normalised rows (1, size), some entries far out."""
    logits = arrays(np.float64, (1, size), elements=st.floats(-80, 80))
    return logits.map(normalised)


def pairs() -> st.SearchStrategy[Pair]:
    return st.integers(2, 40).flatmap(lambda size: st.tuples(rows_of(size), rows_of(size)))


@pytest.mark.parametrize("floor", FLOORS)
def test_kl_is_scipys_relative_entropy(pair: Pair, floor: float) -> None:
    p, q = pair[0], floored(pair[1], floor)
    expected = rel_entr(np.exp(p), np.exp(q)).sum(axis=1)
    np.testing.assert_allclose(kl_nats(p, q), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("floor", FLOORS)
def test_the_other_divergences_against_scipy(pair: Pair, floor: float) -> None:
    p, q = pair[0], floored(pair[1], floor)
    a, b = np.exp(p), np.exp(q)
    # scipy's distance is the square root and loses half its digits near 0.
    np.testing.assert_allclose(js_nats(p, q), jensenshannon(a, b, axis=1) ** 2, rtol=1e-9, atol=1e-12)
    # Between one-dimensional distributions on {0, 1}, the Wasserstein distance is the difference: a check by token.
    by_token = [[stats.wasserstein_distance([0, 1], [0, 1], [1 - x, x], [1 - y, y]) for x, y in zip(*row, strict=True)]
                for row in zip(a, b, strict=True)]  # fmt: skip
    np.testing.assert_allclose(tv(p, q), np.sum(by_token, axis=1) / 2, atol=1e-12)
    np.testing.assert_allclose(entropy_nats(p), stats.entropy(a, axis=1), atol=1e-12)


def test_kl_is_infinite_only_where_the_forecast_has_a_zero(pair: Pair) -> None:
    p, q = pair
    zero = ((np.exp(p) > 0) & (np.exp(q) == 0)).any(axis=1)
    assert np.array_equal(np.isinf(kl_nats(p, q)), zero)
    assert np.array_equal(np.isinf(abs_logprob_nats(p, q)), zero)
    assert np.isfinite(kl_nats(p, floored(q, 1e-6))).all()


@given(pairs())
def test_what_must_hold_between_them(pair: Pair) -> None:
    p, q = pair
    kl, total = kl_nats(p, q)[0], tv(p, q)[0]
    assert kl >= 0
    assert abs_logprob_nats(p, q)[0] >= kl - 1e-12
    assert kl >= 2 * total**2 - 1e-12  # Pinsker
    assert 0 <= total <= 1 + 1e-12
    assert total == pytest.approx(tv(q, p)[0], abs=1e-15)
    js = js_nats(p, q)[0]
    assert -1e-15 <= js <= np.log(2) + 1e-12
    assert js == pytest.approx(js_nats(q, p)[0], abs=1e-12)
    assert js <= total * np.log(2) + 1e-12  # Lin 1991, theorem 3
    assert js >= total**2 / 2 - 1e-12  # Pinsker for both halves


@given(st.integers(2, 40).flatmap(rows_of))
def test_a_distribution_is_at_no_distance_from_itself(p: Float64) -> None:
    for divergence in (kl_nats, abs_logprob_nats, tv, js_nats):
        assert abs(divergence(p, p)[0]) <= 1e-12
    assert top1_agreement(p, p)[0] == 1
    assert topk_logprob_rmse(p, p, 3)[0] == 0


@given(st.integers(2, 30).flatmap(rows_of), st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1e-6, 1e-9, 1e-13]))
def test_kl_of_nearly_equal_rows_is_never_negative(p: Float64, seed: int, step: float) -> None:
    moved = normalised(p + np.random.default_rng(seed).normal(size=p.shape) * step)
    kl = kl_nats(p, moved)[0]
    # Half the variance of the step, to second order.
    assert 0 <= kl <= 50 * step**2 + 1e-29


@given(pairs(), st.sampled_from([1e-9, 1e-6, 1e-2, 0.5]))
def test_the_floor_bounds_the_loss(pair: Pair, floor: float) -> None:
    p, q = pair
    q = floored(q, floor)
    np.testing.assert_allclose(np.exp(q).sum(axis=1), 1, atol=1e-12)
    assert kl_nats(p, q)[0] <= np.log(p.shape[1] / floor) + 1e-12


@given(pairs(), st.floats(-300, 300))
def test_logits_are_read_up_to_a_constant(pair: Pair, constant: float) -> None:
    np.testing.assert_allclose(normalised(pair[0] + constant), pair[0], atol=1e-11)


def test_ties_for_the_likeliest_token_go_to_the_lowest_id() -> None:
    even = np.log([[0.25, 0.25, 0.25, 0.25]])
    assert top1_agreement(even, np.log([[0.4, 0.2, 0.2, 0.2]]))[0] == 1
    assert top1_agreement(even, np.log([[0.2, 0.4, 0.2, 0.2]]))[0] == 0


def test_the_graded_tokens_are_the_truths_likeliest() -> None:
    p, q = np.log([[0.1, 0.6, 0.3]]), np.log([[0.5, 0.3, 0.2]])
    assert topk_logprob_rmse(p, q, 1)[0] == pytest.approx(np.log(2))
    two = np.sqrt((np.log(2) ** 2 + np.log(1.5) ** 2) / 2)
    assert topk_logprob_rmse(p, q, 2)[0] == pytest.approx(two)
    everything = topk_logprob_rmse(p, q, 3)[0]
    assert topk_logprob_rmse(p, q, 99)[0] == everything


def test_graded_zeros_agree_with_zeros_and_with_nothing_else() -> None:
    with np.errstate(divide="ignore"):
        p, same, other = np.log([[1.0, 0.0]]), np.log([[1.0, 0.0]]), np.log([[0.5, 0.5]])
    assert topk_logprob_rmse(p, same, 2)[0] == 0
    assert topk_logprob_rmse(p, other, 2)[0] == np.inf
