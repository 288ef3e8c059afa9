"""Minimising a smooth convex function over the probability simplex, with a certificate of how close the result is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
#: weights (m,) → value, gradient (m,), Hessian (m, m)
Oracle = Callable[[_Floats], tuple[float, _Floats, _Floats]]

_MOST_STEPS = 100
_SUFFICIENT = 1e-4  # Armijo: the fraction of the promised decrease that a step must give
_SHORTEST = 2.0**-30
_ROUNDING = 1e-9  # weights this far below zero are zero


@dataclass(frozen=True)
class Minimum:
    """A minimiser and its certificate.

    Attributes:
        gap: value − least value is at most this (the Frank-Wolfe duality gap).
        steps: how often the function was asked for.
    """

    weights: tuple[float, ...]
    value: float
    gap: float
    steps: int


def minimise(oracle: Oracle, size: int, tolerance: float) -> Minimum:
    """Newton's method on the simplex from equal weights, until the duality gap is within the tolerance.

    Each step minimises the quadratic model over the simplex exactly and searches along the way there. If rounding
    stops the search first, the gap says how far it came.

    Args:
        size: number of weights; 2^size supports are tried in each quadratic model, so at most about 10.

    Source: Boyd & Vandenberghe 2004, section 9.5 (Newton's method); Jaggi 2013, eq. 2 (the gap).

    >>> def squares(w):
    ...     return float((w - [0.5, 0.7]) @ (w - [0.5, 0.7])), 2 * (w - [0.5, 0.7]), 2 * np.eye(2)
    >>> [round(weight, 6) for weight in minimise(squares, 2, 1e-9).weights]
    [0.4, 0.6]
    """
    weights = np.full(size, 1 / size)
    value, gradient, hessian = oracle(weights)
    steps = 1
    while (gap := float(gradient @ weights - gradient.min())) > tolerance and steps < _MOST_STEPS:
        direction = quadratic_minimiser(gradient - hessian @ weights, hessian) - weights
        slope, length = float(gradient @ direction), 1.0
        while length >= _SHORTEST:
            trial = oracle(weights + length * direction)
            steps += 1
            if trial[0] <= value + _SUFFICIENT * length * slope:
                break
            length /= 2
        else:
            break
        weights = weights + length * direction
        value, gradient, hessian = trial
    return Minimum(tuple(float(weight) for weight in weights), value, gap, steps)


def quadratic_minimiser(linear: _Floats, hessian: _Floats) -> _Floats:
    """The minimiser of linear·w + ½ w·hessian·w over the simplex, by trying every support: (m,).

    On a support the minimiser solves a linear system (with its sum fixed to 1); the best of those that are
    non-negative is the answer. A single weight of 1 is always among them.
    """
    size = len(linear)
    best, least = np.eye(size)[0], np.inf
    for count in range(1, size + 1):
        for support in combinations(range(size), count):
            chosen = list(support)
            system = np.zeros((count + 1, count + 1))
            system[:count, :count] = hessian[np.ix_(chosen, chosen)]
            system[:count, count] = system[count, :count] = 1
            solved = np.linalg.lstsq(system, np.append(-linear[chosen], 1), rcond=None)[0][:count]
            if solved.min() < -_ROUNDING:
                continue
            weights = np.zeros(size)
            weights[chosen] = np.maximum(solved, 0)
            weights /= weights.sum()
            value = float(linear @ weights + weights @ hessian @ weights / 2)
            if value < least:
                best, least = weights, value
    return np.asarray(best)
