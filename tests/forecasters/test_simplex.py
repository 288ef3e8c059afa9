"""Tests of the minimiser on the simplex against a general one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as with_data
from hypothesis import strategies as st
from scipy.optimize import minimize

from foretell.forecasters.simplex import minimise, quadratic_minimiser


@with_data(st.integers(0, 10_000), st.integers(1, 6))
def test_quadratics_against_a_general_solver(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    hessian, linear = root @ root.T, rng.normal(0, 2, size)

    def value(w: np.ndarray) -> float:
        return float(linear @ w + w @ hessian @ w / 2)

    found = quadratic_minimiser(linear, hessian)
    general = minimize(
        value,
        np.full(size, 1 / size),
        jac=lambda w: linear + hessian @ w,
        bounds=[(0, 1)] * size,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(size)},
        options={"ftol": 1e-12},
    )
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)
    assert value(found) <= general.fun + 1e-7


def test_equal_columns_are_no_trouble() -> None:
    found = quadratic_minimiser(np.array([-1.0, -1.0]), np.ones((2, 2)))
    assert found.sum() == pytest.approx(1)


def test_the_gap_bounds_the_distance_to_the_least_value() -> None:
    target = np.array([0.7, 0.7, -0.4])

    def logarithmic(w: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        odds = np.array([[1.0, 2.0, 0.5], [3.0, 0.5, 1.0], [0.2, 1.0, 4.0]])
        mixed = odds @ w
        ratio = odds / mixed[:, None]
        return -float(np.log(mixed).sum()), -ratio.sum(axis=0), ratio.T @ ratio

    found = minimise(logarithmic, 3, 1e-10)
    assert found.gap <= 1e-10
    grid = [(a / 100, b / 100, 1 - a / 100 - b / 100) for a in range(101) for b in range(101 - a)]
    assert found.value <= min(logarithmic(np.array(w))[0] for w in grid) + 1e-12

    def squares(w: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        return float((w - target) @ (w - target)), 2 * (w - target), 2 * np.eye(3)

    np.testing.assert_allclose(minimise(squares, 3, 1e-12).weights, [0.5, 0.5, 0], atol=1e-9)
