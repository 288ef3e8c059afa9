"""Tests of Lanczos against dense eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest

from foretell.information.directions.lanczos import lanczos, largest


def matrix_of(rng: np.random.Generator, size: int, rank: int) -> np.ndarray:
    root = rng.normal(size=(size, rank)) * 10.0 ** -np.linspace(0, 3, rank)
    return np.asarray(root @ root.T)


def test_the_largest_eigenpairs_are_found_with_their_residuals() -> None:
    rng = np.random.default_rng(0)
    matrix = matrix_of(rng, 80, 60)
    found = largest(lanczos(lambda v: matrix @ v, rng.normal(size=80), 40), 5)
    assert found.values == pytest.approx(np.linalg.eigvalsh(matrix)[::-1][:5], rel=1e-6)
    for value, vector, residual in zip(found.values, found.vectors, found.residuals, strict=True):
        assert np.linalg.norm(matrix @ vector - value * vector) == pytest.approx(residual, abs=1e-8 * found.values[0])
    assert found.vectors @ found.vectors.T == pytest.approx(np.eye(5), abs=1e-10)


def test_the_basis_is_orthonormal_and_turns_the_matrix_tridiagonal() -> None:
    rng = np.random.default_rng(1)
    matrix = matrix_of(rng, 50, 50)
    krylov = lanczos(lambda v: matrix @ v, rng.normal(size=50), 20)
    assert krylov.basis is not None
    assert krylov.basis @ krylov.basis.T == pytest.approx(np.eye(20), abs=1e-12)
    assert krylov.basis @ matrix @ krylov.basis.T == pytest.approx(krylov.matrix, abs=1e-10 * np.abs(matrix).max())


def test_a_complete_space_ends_early_and_every_step_is_told() -> None:
    rng = np.random.default_rng(2)
    told: list[int] = []
    root = rng.normal(size=(30, 4))
    krylov = lanczos(lambda v: root @ (root.T @ v), rng.normal(size=30), 20, after=told.append)
    assert krylov.residual == 0
    # Four directions, what is left of the start vector in the null space, and at most one that rounding makes.
    assert told in ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6])
    assert np.linalg.eigvalsh(krylov.matrix)[-4:] == pytest.approx(np.linalg.eigvalsh(root.T @ root))
