"""Lanczos: the eigenvalues of a symmetric matrix that is known only by its products with vectors.

From a start vector q the recurrence builds an orthonormal basis Q of the Krylov space and the tridiagonal T = Q A Qᵀ.
The eigenvalues θ of T (Ritz values) are the nodes, and the squares of the first entries of its eigenvectors the weights
w, of the Gauss quadrature for the measure that q gives the spectrum: qᵀ f(A) q ≈ Σ w f(θ) (Golub & Meurant 2010,
"Matrices, moments and quadrature", chapters 3 and 6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Vector = NDArray[np.floating[Any]]
#: From a vector (size,) to the matrix times it.
Product = Callable[[Vector], Vector]
#: A residual below so many roundings of the matrix's size is nothing: the Krylov space is complete.
_ROUNDINGS = 64.0


@dataclass(frozen=True)
class Krylov:
    """What Lanczos found from one start vector.

    Attributes:
        diagonal, beside: of the tridiagonal T, (steps,) and (steps − 1,).
        residual: the norm of what the next basis vector would have been; 0 where the space is complete.
        basis: orthonormal rows, (steps, size), or None where they were not kept.
    """

    diagonal: Float64
    beside: Float64
    residual: float
    basis: Vector | None

    @property
    def matrix(self) -> Float64:
        """T, (steps, steps)."""
        return np.diag(self.diagonal) + np.diag(self.beside, 1) + np.diag(self.beside, -1)


def lanczos(product: Product, start: Vector, steps: int, *, after: Callable[[int], None] = lambda done: None) -> Krylov:
    """Lanczos with full reorthogonalisation, in the precision of the start vector.

    Args:
        product: of a symmetric matrix.
        start: (size,), not zero.
        steps: products taken at most; fewer where the Krylov space is complete before.
        after: told how many steps are done.

    >>> matrix = np.diag([3.0, 2.0, 1.0])
    >>> found = lanczos(lambda v: matrix @ v, np.ones(3), 5)
    >>> np.round(np.linalg.eigvalsh(found.matrix), 6).tolist()
    [1.0, 2.0, 3.0]
    """
    steps = min(steps, len(start))
    basis = np.empty((steps, len(start)), start.dtype)
    basis[0] = start / np.linalg.norm(start)
    diagonal, beside = np.zeros(steps), np.zeros(steps)
    for step in range(steps):
        image = np.asarray(product(basis[step]))
        diagonal[step] = float(np.dot(basis[step], image))
        # Twice is enough (Parlett 1998, section 6.9).
        for _ in range(2):
            image = image - basis[: step + 1].T @ (basis[: step + 1] @ image)
        beside[step] = float(np.linalg.norm(image))
        after(step + 1)
        size = np.abs(diagonal[: step + 1]).max() + beside[: step + 1].max()
        if beside[step] <= _ROUNDINGS * np.finfo(basis.dtype).eps * size:
            return Krylov(diagonal[: step + 1], beside[:step], 0.0, basis[: step + 1])
        if step + 1 < steps:
            basis[step + 1] = image / beside[step]
    return Krylov(diagonal, beside[:-1], float(beside[-1]), basis)


@dataclass(frozen=True)
class Eigenpairs:
    """The largest eigenvalues that Lanczos found, descending.

    Attributes:
        values: (count,).
        vectors: unit rows, (count, size).
        residuals: (count,), ‖A v − λ v‖: the matrix has an eigenvalue within this of each value.
    """

    values: Float64
    vectors: Vector
    residuals: Float64


def largest(krylov: Krylov, count: int) -> Eigenpairs:
    """The Ritz pairs of the largest Ritz values.

    >>> found = largest(lanczos(lambda v: np.array([3.0, 2.0, 0.0]) * v, np.ones(3), 3), 1)
    >>> np.round(found.values, 6).tolist(), np.round(np.abs(found.vectors), 6).tolist()
    ([3.0], [[1.0, 0.0, 0.0]])
    """
    assert krylov.basis is not None
    values, rotations = np.linalg.eigh(krylov.matrix)
    values, rotations = values[::-1][:count], rotations[:, ::-1][:, :count]
    vectors = rotations.T.astype(krylov.basis.dtype) @ krylov.basis
    return Eigenpairs(values, vectors, krylov.residual * np.abs(rotations[-1]))
