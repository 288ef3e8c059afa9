"""Tests of the line through two distributions and of the power law: hand values, laws, and other ways to the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from foretell.forecasters.extrapolation import (
    LEAST,
    MOST,
    Blocks,
    along,
    fit_power_law,
    least_kl,
    mean_kl,
    mean_kl_to_base,
    pace,
    reaching,
)

_Floats = NDArray[np.float64]
coefficients = st.floats(-1, 4)
seeds = st.integers(0, 999)


def random_rows(seed: int, sources: int, rows: int = 5, vocabulary: int = 7) -> _Floats:
    return np.asarray(log_softmax(np.random.default_rng(seed).normal(0, 2, (sources, rows, vocabulary)), axis=2))


def in_blocks(*logs: _Floats) -> Blocks:
    """Rows of equal weight, given in two blocks."""
    whole = np.stack(logs)
    weights = np.full(whole.shape[1], 1 / whole.shape[1])

    def blocks() -> Iterator[tuple[_Floats, _Floats]]:
        yield whole[:, :2], weights[:2]
        yield whole[:, 2:], weights[2:]

    return blocks


@given(seeds, coefficients)
def test_a_line_is_normalised_and_ends_in_both(seed: int, coefficient: float) -> None:
    base, latest = random_rows(seed, 2)
    np.testing.assert_allclose(np.exp(along(base, latest, coefficient)).sum(axis=1), 1)
    np.testing.assert_allclose(along(base, latest, 0.0), latest, atol=1e-12)
    np.testing.assert_allclose(along(base, latest, -1.0), base, atol=1e-12)


def test_a_line_by_hand() -> None:
    """Odds of 1, then 4: half-way between them 2, half a step further 8."""
    base, latest = np.log([[0.5, 0.5]]), np.log([[0.8, 0.2]])
    np.testing.assert_allclose(np.exp(along(base, latest, -0.5)), [[2 / 3, 1 / 3]])
    np.testing.assert_allclose(np.exp(along(base, latest, 0.5)), [[8 / 9, 1 / 9]])


@given(seeds, coefficients)
def test_the_coefficient_that_made_a_truth_is_found(seed: int, coefficient: float) -> None:
    base, latest = random_rows(seed, 2)
    blocks = in_blocks(along(base, latest, coefficient), base, latest)
    assert least_kl(blocks) == pytest.approx(coefficient, abs=1e-3)
    assert mean_kl(blocks, coefficient) == pytest.approx(0, abs=1e-9)


@given(seeds)
def test_the_least_kl_is_what_scipy_finds(seed: int) -> None:
    blocks = in_blocks(*random_rows(seed, 3))
    slow = minimize_scalar(lambda a: mean_kl(blocks, a), bounds=(LEAST, MOST), method="bounded")
    found = least_kl(blocks)
    assert mean_kl(blocks, found) <= slow.fun + 1e-6
    assert mean_kl(blocks, found) <= mean_kl(blocks, 0.0) + 1e-9


def test_where_base_and_latest_are_one_there_is_no_way_to_go() -> None:
    truth, latest = random_rows(1, 2)
    assert least_kl(in_blocks(truth, latest, latest)) == 0


def test_the_search_ends_at_its_ends() -> None:
    base, latest = np.log([[0.5, 0.5]] * 3), np.log([[0.55, 0.45]] * 3)
    assert least_kl(in_blocks(np.log([[0.99, 0.01]] * 3), base, latest)) == MOST
    assert least_kl(in_blocks(np.log([[0.3, 0.7]] * 3), base, latest)) == LEAST


@given(seeds, coefficients, coefficients)
def test_the_distance_from_the_base_rises(seed: int, a: float, b: float) -> None:
    blocks = in_blocks(*random_rows(seed, 2))
    low, high = sorted((a, b))
    assert mean_kl_to_base(blocks, low) <= mean_kl_to_base(blocks, high) + 1e-9
    assert mean_kl_to_base(blocks, LEAST) == pytest.approx(0, abs=1e-12)


@given(seeds, st.floats(-0.9, 3.9))
def test_a_distance_from_the_base_is_reached(seed: int, coefficient: float) -> None:
    blocks = in_blocks(*random_rows(seed, 2))
    wanted = mean_kl_to_base(blocks, coefficient)
    found = reaching(lambda a: mean_kl_to_base(blocks, a), wanted)
    assert mean_kl_to_base(blocks, found) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(("wanted", "expected"), [(-9.0, LEAST), (99.0, MOST), (0.0, 0.0), (1.5, 1.5)])
def test_what_cannot_be_reached_is_the_nearer_end(wanted: float, expected: float) -> None:
    assert reaching(lambda a: a, wanted) == pytest.approx(expected, abs=1e-5)


def test_pace_counts_doublings() -> None:
    assert pace(99, 199, 1599) == pytest.approx(3)
    assert pace(0, 9, 99) == pytest.approx(1)  # untrained weights have a place
    assert pace(49, 99, 149) == pytest.approx(np.log(1.5) / np.log(2))


@given(st.floats(-5, 5), st.floats(0.1, 20), st.floats(0.05, 2.5), st.integers(3, 8))
def test_an_exact_power_law_is_found_and_continued(limit: float, gain: float, exponent: float, points: int) -> None:
    steps = [96 * 2**n for n in range(points)]
    values = [limit - gain * (1 + step) ** -exponent for step in steps]
    law = fit_power_law(steps, values)
    expected = limit - gain * (1 + 2 * steps[-1]) ** -exponent
    assert law.error < 1e-4
    assert law.at(2 * steps[-1]) == pytest.approx(expected, abs=2e-3)


def test_a_law_of_values_that_do_not_change_is_flat() -> None:
    law = fit_power_law([1, 10, 100], [2.0, 2.0, 2.0])
    assert law.at(10**6) == pytest.approx(2.0)
    assert law.error == pytest.approx(0, abs=1e-9)


def test_what_rises_faster_than_log_steps_is_followed_as_far_as_log_steps() -> None:
    law = fit_power_law([9, 99, 999], [1.0, 2.0, 4.0])
    assert law.exponent == pytest.approx(0.02)
    assert law.error > 0.1
    assert 5 < law.at(9999) < 6  # the straight line in log step goes up by 1.5 a factor of ten
