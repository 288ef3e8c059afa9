"""Composed distributions: hand values, identities, every sequence of draws counted, and a sampler that samples."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import log_softmax

from foretell.distributions.combining import Logs, best_of_n, draft_and_verify, linear_pool, logarithmic_pool

VOCABULARY = 6
#: Logits far apart, and -inf, so that zeros and the smallest probabilities occur.
LOGITS = st.one_of(st.floats(-30, 30), st.floats(-900, 900), st.just(-np.inf))


def rows(logits: np.ndarray) -> Logs:
    """Log-probabilities; a row without any mass gets its first token."""
    logits = logits.copy()
    logits[np.isneginf(logits).all(axis=1), 0] = 0.0
    return np.asarray(log_softmax(logits, axis=1))


#: Nothing that double precision loses when it is not a logarithm.
ORDINARY = hnp.arrays(np.float64, (3, VOCABULARY), elements=st.floats(-15, 15)).map(rows)
DISTRIBUTIONS = hnp.arrays(np.float64, (3, VOCABULARY), elements=LOGITS).map(rows)
#: Few different scores, so that ties are common.
SCORES = hnp.arrays(np.float64, (3, VOCABULARY), elements=st.sampled_from([-np.inf, -2.0, -1.0, 0.0]))


def total(logs: Logs) -> np.ndarray:
    assert not np.isnan(logs).any()
    return np.asarray(np.exp(logs).sum(axis=1))


@given(DISTRIBUTIONS, SCORES, st.integers(1, 1000))
def test_the_best_of_n_is_a_distribution_within_its_drafts(p: Logs, scores: np.ndarray, n: int) -> None:
    best = best_of_n(p, scores, n)
    np.testing.assert_allclose(total(best), 1, atol=1e-12)
    assert np.isneginf(best[np.isneginf(p)]).all()
    assert (best <= p + np.log(n) + 1e-9).all()  # no token is more than n times as likely as in one draw


@given(DISTRIBUTIONS, SCORES)
def test_one_draw_and_equal_scores_leave_the_draft(p: Logs, scores: np.ndarray) -> None:
    np.testing.assert_allclose(best_of_n(p, scores, 1), p, atol=1e-12)
    np.testing.assert_allclose(best_of_n(p, np.zeros_like(p), 50), p, atol=1e-12)


@given(DISTRIBUTIONS, SCORES, st.integers(1, 4))
def test_the_best_of_n_is_the_count_of_all_sequences_of_draws(p: Logs, scores: np.ndarray, n: int) -> None:
    """Each of the n draws with the highest score is kept as often as the others."""
    expected = np.zeros_like(p)
    for row, (logs, own) in enumerate(zip(p, scores, strict=True)):
        for draws in product(range(VOCABULARY), repeat=n):
            chance = np.exp(sum(logs[draw] for draw in draws))
            kept = [draw for draw in draws if own[draw] == max(own[draw] for draw in draws)]
            for draw in kept:
                expected[row, draw] += chance / len(kept)
    np.testing.assert_allclose(np.exp(best_of_n(p, scores, n)), expected, atol=1e-12)


def test_the_best_of_n_keeps_the_smallest_probabilities() -> None:
    """1 − (1 − r)ⁿ is n·r for the smallest r, and the lowest score needs all n draws."""
    p = np.array([[0.0, -80.0, -700.0]])
    best = best_of_n(p, np.array([[0.0, 1.0, 2.0]]), 8)
    np.testing.assert_allclose(best[0, 1:], np.log(8) + p[0, 1:], rtol=1e-12)
    low = best_of_n(np.log([[1 - 1e-9, 1e-9]]), np.array([[1.0, 0.0]]), 10)
    np.testing.assert_allclose(low[0, 1], 10 * np.log(1e-9), rtol=1e-9)


def test_many_draws_end_at_the_best_score_that_has_mass() -> None:
    with np.errstate(divide="ignore"):
        p = np.log([[0.6, 0.3, 0.1, 0.0]])
    best = np.exp(best_of_n(p, np.array([[0.0, 2.0, 1.0, 9.0]]), 10_000))
    np.testing.assert_allclose(best, [[0, 1, 0, 0]], atol=1e-12)


@pytest.mark.parametrize(("n", "scores"), [(0, np.zeros((1, 2))), (2, np.zeros((1, 3))), (2, np.full((1, 2), np.nan))])
def test_a_best_of_n_that_makes_no_sense_is_refused(n: int, scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"n \d, shapes"):
        best_of_n(np.log([[0.5, 0.5]]), scores, n)


@given(DISTRIBUTIONS, DISTRIBUTIONS)
def test_without_lenience_the_draft_changes_nothing(draft: Logs, verifier: Logs) -> None:
    verified = draft_and_verify(draft, verifier)
    np.testing.assert_allclose(np.exp(verified), np.exp(verifier), atol=1e-13)


@given(DISTRIBUTIONS, DISTRIBUTIONS, st.floats(1e-6, 1))
def test_with_lenience_it_stays_a_distribution_and_within_its_guarantee(
    draft: Logs, verifier: Logs, lenience: float
) -> None:
    verified = draft_and_verify(draft, verifier, lenience)
    np.testing.assert_allclose(total(verified), 1, atol=1e-12)
    assert (np.exp(verified) <= np.exp(verifier) / lenience + 1e-12).all()
    np.testing.assert_allclose(np.exp(draft_and_verify(draft, draft, lenience)), np.exp(draft), atol=1e-13)


@given(ORDINARY, ORDINARY, st.floats(1e-3, 1))
def test_draft_and_verify_is_its_definition_written_out(draft: Logs, verifier: Logs, lenience: float) -> None:
    """Slowly, in probabilities: what is accepted of each token, and the rest drawn from what the draft left over."""
    for q, p, got in zip(
        np.exp(draft), np.exp(verifier), np.exp(draft_and_verify(draft, verifier, lenience)), strict=True
    ):
        accepted = [qx * min(1.0, px / (lenience * qx)) if qx > 0 else 0.0 for qx, px in zip(q, p, strict=True)]
        spare = np.maximum(p - q, 0)
        again = (1 - sum(accepted)) * spare / spare.sum() if spare.sum() > 1e-12 else 0 * spare
        np.testing.assert_allclose(got, np.array(accepted) + again, atol=1e-11)


@pytest.mark.parametrize("lenience", [1.0, 0.6, 0.2])
def test_a_sampler_of_algorithm_1_ends_with_these_frequencies(lenience: float) -> None:
    rng = np.random.default_rng(7)
    q, p = np.array([0.7, 0.2, 0.1, 0.0]), np.array([0.3, 0.3, 0.1, 0.3])
    draws, counts = 200_000, np.zeros(4)
    drafted = rng.choice(4, draws, p=q)
    rejected = rng.random(draws) > p[drafted] / (lenience * q[drafted])
    spare = np.maximum(p - q, 0)
    drafted[rejected] = rng.choice(4, int(rejected.sum()), p=spare / spare.sum())
    counts = np.bincount(drafted, minlength=4) / draws
    with np.errstate(divide="ignore"):
        exact = np.exp(draft_and_verify(np.log(q)[None], np.log(p)[None], lenience))[0]
    deviations = np.abs(counts - exact) / np.sqrt(np.maximum(exact * (1 - exact), 1e-9) / draws)
    assert deviations.max() < 5


@pytest.mark.parametrize("lenience", [0.0, -1.0, 1.5, float("nan")])
def test_a_lenience_outside_its_range_is_refused(lenience: float) -> None:
    with pytest.raises(ValueError, match="lenience"):
        draft_and_verify(np.log([[0.5, 0.5]]), np.log([[0.5, 0.5]]), lenience)


@given(DISTRIBUTIONS, DISTRIBUTIONS, st.floats(0.01, 0.99))
def test_pools_are_distributions_and_pools_of_one_thing_are_that_thing(a: Logs, b: Logs, weight: float) -> None:
    weights = [weight, 1 - weight]
    np.testing.assert_allclose(total(linear_pool([a, b], weights)), 1, atol=1e-12)
    np.testing.assert_allclose(linear_pool([a, a], weights), a, atol=1e-12)
    np.testing.assert_allclose(logarithmic_pool([a, a], weights), a, atol=1e-9)
    logarithmic = logarithmic_pool([a, b], weights)
    left = np.isfinite(a + b).any(axis=1)
    np.testing.assert_allclose(total(logarithmic[left]), 1, atol=1e-12)
    assert np.isnan(logarithmic[~left]).all()


@given(ORDINARY, ORDINARY, ORDINARY, st.integers(1, 20))
def test_what_a_composition_does_to_a_forecast_error_has_these_bounds(p: Logs, q: Logs, other: Logs, n: int) -> None:
    """KL is jointly convex (linear pool), and n draws have n times the KL of one (best of n, judge known)."""

    def kl(a: Logs, b: Logs) -> np.ndarray:
        return np.asarray((np.exp(a) * (a - b)).sum(axis=1))

    own = kl(p, q)
    pooled = kl(linear_pool([p, other], [0.5, 0.5]), linear_pool([q, other], [0.5, 0.5]))
    assert (pooled <= own / 2 + 1e-9).all()
    assert (kl(best_of_n(p, other, n), best_of_n(q, other, n)) <= n * (own + 1e-9)).all()
