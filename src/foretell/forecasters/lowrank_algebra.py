"""Rows that are nearly low-rank, completed: the linear algebra of `lowrank`. Arrays in, arrays out.

The logs are rows of log-probabilities (runs, vocabulary). A model whose logits are linear in a hidden state of d
numbers gives rows within a space of d + 1 dimensions (1 for the normaliser), whatever was asked: with enough runs,
every other answer of the model is a linear combination of these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
#: Directions weaker than this, relative to the strongest, are rounding: float32 logs have some 7 digits.
RELATIVE_RANK = 1e-5
#: A shift of all log-probabilities of a row alike is worth nothing, and costs next to nothing in the least norm.
_FREE_SHIFT = 1e3


def centred(logs: NDArray[np.floating]) -> _Floats:
    """Rows minus their mean over the vocabulary: the same for logits as for log-probabilities.

    >>> centred(np.array([[1.0, 3.0]])).tolist()
    [[-1.0, 1.0]]
    """
    wide = np.asarray(logs, np.float64)
    return np.asarray(wide - wide.mean(axis=1, keepdims=True))


def basis_of(logs: _Floats) -> _Floats:
    """The space of the logs: its principal directions, each as long as the logs reach along it (root mean square).

    Args:
        logs: (runs, vocabulary), centred.

    Returns:
        (rank, vocabulary), orthogonal rows, as many as are not rounding.

    >>> basis_of(centred(np.array([[0.0, 0.0, 3.0], [0.0, 0.0, 0.0]]))).shape
    (1, 3)
    """
    part = logs / np.sqrt(len(logs))
    wide = part.shape[0] <= part.shape[1]
    values, vectors = np.linalg.eigh(part @ part.T if wide else part.T @ part)
    strengths = np.sqrt(np.maximum(values, 0))
    kept = strengths > RELATIVE_RANK * max(float(strengths.max()), np.finfo(float).tiny)
    return np.asarray(vectors[:, kept].T @ part if wide else (vectors * strengths)[:, kept].T)


def choose_probes(basis: _Floats, count: int) -> NDArray[np.int64]:
    """Tokens whose log-probabilities say most about all others, most telling first: (count,).

    Greedy: always the token with the most left to learn, given those that are known already. The first ones also have
    to settle the shift of the whole row.

    Args:
        basis: (rank, vocabulary), from `basis_of`.
        count: at most the vocabulary.
    """
    shift = np.full((1, basis.shape[1]), np.sqrt(np.sum(basis**2, axis=0).max()))
    left = np.concatenate([shift, basis])
    chosen: list[int] = []
    for _ in range(count):
        power = np.sum(left**2, axis=0)
        power[chosen] = -1.0
        best = int(np.argmax(power))
        chosen.append(best)
        if power[best] > 0:
            unit = left[:, best] / np.sqrt(power[best])
            left = left - np.outer(unit, unit @ left)
    return np.array(chosen, np.int64)


def complete(basis: _Floats, start: _Floats, probes: NDArray[np.int64], answers: _Floats) -> _Floats:
    """Rows that agree with the answers at the probes and differ from the start within the basis, by as little.

    Little: the least sum of squares, each direction in units of how far the logs reach along it; among normal rows
    with the logs' second moments around the start, the likeliest that agrees. Where the probes outnumber the
    directions, the nearest row in least squares. Where the true row minus the start lies in the basis (and a shift),
    and the probes are at least rank + 1 and independent, the result is the true row up to a shift: exactly.

    Args:
        basis: (rank, vocabulary), from `basis_of`.
        start: (rows, vocabulary), what was expected without probes, up to a shift of each row.
        probes: (probes,) tokens.
        answers: (rows, probes), the true log-probabilities there.

    Returns:
        (rows, vocabulary), up to a shift of each row.
    """
    known = basis[:, probes].T
    scale = _FREE_SHIFT * max(float(np.sqrt(np.sum(basis**2, axis=0).max())), 1.0)
    system = np.concatenate([known, np.full((len(probes), 1), scale)], axis=1)
    solved = np.linalg.lstsq(system, (answers - start[:, probes]).T, rcond=None)[0]
    return np.asarray(start + solved[:-1].T @ basis)


def ridge_weights(kernel: _Floats, ridge: float) -> _Floats:
    """(kernel + ridge)⁻¹: (runs, runs), by a symmetric eigendecomposition."""
    values, vectors = np.linalg.eigh(kernel)
    return np.asarray((vectors / (np.maximum(values, 0) + ridge)) @ vectors.T)


def left_out(inverse: _Floats, logs: _Floats, groups: NDArray[np.int64]) -> _Floats:
    """What ridge regression would say of each row, had all rows of its group been left out: (runs, vocabulary).

    Args:
        inverse: (kernel + ridge)⁻¹.
        logs: (runs, vocabulary), what was regressed on the kernel.
        groups: (runs,), which rows belong together.

    Source: Hastie, Tibshirani & Friedman 2009, section 7.10 (leaving out one), for groups by the block inverse.
    """
    weights = inverse @ logs
    result = np.empty_like(logs)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        result[rows] = logs[rows] - np.linalg.solve(inverse[np.ix_(rows, rows)], weights[rows])
    return result
