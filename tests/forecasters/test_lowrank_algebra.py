"""Tests of completing low-rank rows: exact where it must be, and against slow oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.distributions.combining import log_normalised
from foretell.forecasters.lowrank_algebra import (
    basis_of,
    centred,
    choose_probes,
    complete,
    left_out,
    ridge_weights,
)

RANK, VOCABULARY = 5, 40


def answers(rng: np.random.Generator, count: int, head: np.ndarray) -> np.ndarray:
    """Log-probabilities of a model with a hidden state of RANK numbers."""
    return log_normalised(rng.normal(size=(count, RANK)) @ head)


@pytest.fixture
def head() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(RANK, VOCABULARY))


@pytest.mark.parametrize("runs", [6, 200])  # fewer and more than tokens
def test_the_basis_has_the_models_rank_and_holds_every_answer(head: np.ndarray, runs: int) -> None:
    rng = np.random.default_rng(1)
    logs = centred(answers(rng, runs, head))
    basis = basis_of(logs)
    assert basis.shape == (RANK, VOCABULARY)
    np.testing.assert_allclose(basis.T @ basis, logs.T @ logs / runs, atol=1e-9)
    new = centred(answers(rng, 3, head))
    inside = new @ np.linalg.pinv(basis) @ basis
    np.testing.assert_allclose(inside, new, atol=1e-9)


@pytest.mark.parametrize("count", [RANK + 1, RANK + 4])
def test_rank_and_one_probes_rebuild_unseen_answers_exactly(head: np.ndarray, count: int) -> None:
    rng = np.random.default_rng(2)
    basis = basis_of(centred(answers(rng, 30, head)))
    truth = answers(rng, 10, head)
    probes = choose_probes(basis, count)
    assert len(set(probes.tolist())) == count
    rebuilt = log_normalised(complete(basis, np.zeros_like(truth), probes, truth[:, probes]))
    np.testing.assert_allclose(rebuilt, truth, atol=1e-8)


def test_fewer_probes_agree_where_asked_and_help_elsewhere(head: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    basis = basis_of(centred(answers(rng, 30, head)))
    truth = answers(rng, 200, head)
    errors = []
    for count in (1, 2, 4, 6):
        probes = choose_probes(basis, count)
        rebuilt = complete(basis, np.zeros_like(truth), probes, truth[:, probes])
        agreed = (rebuilt - truth)[:, probes]
        np.testing.assert_allclose(agreed, agreed.mean(axis=1, keepdims=True) + 0 * agreed, atol=1e-6)
        errors.append(float(np.mean((log_normalised(rebuilt) - truth) ** 2)))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-12 < errors[-2]


def test_the_error_falls_with_runs(head: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    logs, truth = centred(answers(rng, 50, head)), answers(rng, 200, head)
    errors = []
    for runs in (1, 2, 3, 4, 5):
        basis = basis_of(logs[:runs])
        probes = choose_probes(basis, 12)
        rebuilt = log_normalised(complete(basis, np.zeros_like(truth), probes, truth[:, probes]))
        errors.append(float((np.exp(truth) * (truth - rebuilt)).sum(axis=1).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-12 < errors[-2]


def test_a_start_that_is_right_stays(head: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    basis = basis_of(centred(answers(rng, 30, head)))
    truth = answers(rng, 4, head)
    probes = choose_probes(basis, 2)
    rebuilt = complete(basis, truth + 7.0, probes, truth[:, probes])
    np.testing.assert_allclose(log_normalised(rebuilt), truth, atol=1e-4)  # a shift is nearly free, not quite


@given(seed=st.integers(0, 100), ridge=st.floats(0.05, 2.0))
def test_leaving_groups_out_is_fitting_without_them(seed: int, ridge: float) -> None:
    rng = np.random.default_rng(seed)
    features, logs = rng.normal(size=(9, 4)), rng.normal(size=(9, 3))
    groups = np.array([0, 0, 1, 2, 2, 2, 3, 1, 0])
    kernel = features @ features.T
    said = left_out(ridge_weights(kernel, ridge), logs, groups)
    for group in range(4):
        out, rest = groups == group, groups != group
        weights = np.linalg.solve(kernel[np.ix_(rest, rest)] + ridge * np.eye(rest.sum()), logs[rest])
        np.testing.assert_allclose(said[out], kernel[np.ix_(out, rest)] @ weights, atol=1e-8)
