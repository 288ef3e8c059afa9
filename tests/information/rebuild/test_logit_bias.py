"""Taking a logit bias out again, against a direct softmax in double precision, and what large biases cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from foretell.information.rebuild.logit_bias import agreement, by_reference, by_sum

Float64 = NDArray[np.float64]
VOCABULARY, LIFTED = 60, 8


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum(dtype=logits.dtype)))


def drawn(seed: int, scale: float, kind: type[np.floating] = np.float64) -> NDArray[np.floating]:
    return np.random.default_rng(seed).normal(scale=scale, size=VOCABULARY).astype(kind)


def with_bias(logits: NDArray[np.floating], tokens: slice, bias: float) -> NDArray[np.floating]:
    lifted = logits.copy()
    lifted[tokens] += logits.dtype.type(bias)
    return log_softmax(lifted)


SEEDS, SCALES = st.integers(0, 2**32), st.floats(0.1, 6)


@given(SEEDS, SCALES, st.floats(-100, 100))
def test_a_reference_gives_the_exact_inverse_in_double_precision(seed: int, scale: float, bias: float) -> None:
    logits = drawn(seed, scale)
    truth, reported = log_softmax(logits), with_bias(logits, slice(0, LIFTED), bias)
    biased_too = by_reference(reported[1:LIFTED], bias, reported[0], bias, truth[0])
    np.testing.assert_allclose(np.exp(biased_too - truth[1:LIFTED]), 1, rtol=1e-12)
    not_biased = by_reference(reported[:LIFTED], bias, reported[-1], 0.0, truth[-1])
    np.testing.assert_allclose(np.exp(not_biased - truth[:LIFTED]), 1, rtol=1e-12)


@given(SEEDS, SCALES, st.lists(st.floats(-50, 50), min_size=LIFTED, max_size=LIFTED))
def test_each_token_may_have_a_bias_of_its_own(seed: int, scale: float, biases: list[float]) -> None:
    logits = drawn(seed, scale)
    lifted = logits.copy()
    lifted[:LIFTED] += biases
    truth, reported = log_softmax(logits), log_softmax(lifted)
    rebuilt = by_reference(reported[:LIFTED], biases, reported[-1], 0.0, truth[-1])
    np.testing.assert_allclose(np.exp(rebuilt - truth[:LIFTED]), 1, rtol=1e-12)


@given(SEEDS, SCALES, st.floats(-20, 20))
def test_sums_lose_no_more_than_d_says(seed: int, scale: float, bias: float) -> None:
    logits = drawn(seed, scale)
    truth, reported = log_softmax(logits), with_bias(logits, slice(0, LIFTED), bias)
    rebuilt, log_d = by_sum(reported[:LIFTED], bias)
    expected_d = np.logaddexp(np.logaddexp.reduce(truth[LIFTED:]), np.logaddexp.reduce(truth[:LIFTED]) + bias)
    assert np.abs(rebuilt - truth[:LIFTED]).max() <= 1e-14 * np.exp(max(log_d, expected_d, 0.0)) + 1e-12
    if np.exp(expected_d) < 1e6:
        assert log_d == pytest.approx(float(expected_d), abs=1e-7)


def test_sums_are_exact_where_the_bias_is_small() -> None:
    for seed in range(50):
        logits = drawn(seed, 2.0)
        rebuilt, _ = by_sum(with_bias(logits, slice(0, LIFTED), 2.0)[:LIFTED], 2.0)
        np.testing.assert_allclose(np.exp(rebuilt - log_softmax(logits)[:LIFTED]), 1, rtol=1e-12)


def test_all_mass_on_the_lifted_tokens_is_an_infinite_d() -> None:
    rebuilt, log_d = by_sum(np.log([0.5, 0.5]), 700.0)
    assert log_d == pytest.approx(700)
    np.testing.assert_allclose(rebuilt, np.log([0.5, 0.5]))


def errors_in_float32(bias: float) -> tuple[float, float]:
    """Largest errors, in nats, over 40 servers that compute in float32: by reference, by sum."""
    reference, total = [], []
    for seed in range(40):
        logits = drawn(seed, 3.0, np.float32)
        truth = log_softmax(logits.astype(np.float64))
        plain, reported = log_softmax(logits), with_bias(logits, slice(0, LIFTED), bias).astype(np.float64)
        rebuilt = by_reference(reported[1:LIFTED], bias, float(reported[0]), bias, float(plain[0]))
        reference.append(np.abs(rebuilt - truth[1:LIFTED]).max())
        total.append(np.abs(by_sum(reported[:LIFTED], bias)[0] - truth[:LIFTED]).max())
    return max(reference), max(total)


def test_float32_a_reference_keeps_and_sums_lose_precision_with_the_bias() -> None:
    small, large, huge = errors_in_float32(5.0), errors_in_float32(20.0), errors_in_float32(100.0)
    assert small[0] < 5e-6
    assert huge[0] < 5e-5  # logits of about 100 have steps of 8e-6
    assert small[0] < huge[0]
    assert small[1] < 1e-4
    assert large[1] > 0.1


def test_agreement_by_hand() -> None:
    truth = np.log([[0.5, 0.25, 0.25], [0.2, 0.4, 0.4]])
    rebuilt = truth + np.log1p([[2.0**-10, 0, 0], [0, -(2.0**-3), 0]])
    found = agreement(rebuilt, truth)
    assert found.worst_bits == pytest.approx(3)
    assert found.median_bits == 53
    assert found.largest_nats == pytest.approx(-np.log1p(-(2.0**-3)))
    assert "3.0 at worst" in found.sentence()
    assert found.record()["kl_nats"] > 0
