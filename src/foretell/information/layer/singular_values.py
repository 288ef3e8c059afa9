"""Singular values of log-probabilities that come in blocks of rows, without ever holding all of them.

The rows are long (a vocabulary) and few (positions). Each is mixed into fewer numbers by a random orthogonal transform
of which some coordinates are kept: signs at random, a Fourier transform, frequencies at random. Ranks stay as they
are, with probability one, and singular values change by little; rounding noise spreads evenly. One LQ decomposition
then leaves a triangle whose first k rows have the singular values of the first k positions. Everything is in double
precision and no Gram matrix is formed, which would lose every singular value below 1e-8 of the largest: float32 noise
is about there.

Source: Halko, Martinsson & Tropp 2011, "Finding structure with randomness", section 4.6; Tropp 2011, "Improved
analysis of the subsampled randomized Hadamard transform", theorem 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
#: Blocks of log-probabilities (positions, vocabulary), from the first again at each call.
Rows = Callable[[], Iterator[NDArray[np.floating]]]

#: Numbers that are kept of a row for each position: the noise's singular values then spread by a factor of 0.5 to 1.5.
OVERSAMPLING = 4
_SEED = 0


class Sketch:
    """Long rows as short ones, with singular values nearly as they were.

    Args:
        length: of the rows.
        positions: how many there will be; at least 4 numbers for each are kept, or everything where rows are short.

    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(50, 5)) @ rng.normal(size=(5, 4000))
    >>> short = Sketch(4000, 50).of(rows)
    >>> short.shape, np.linalg.matrix_rank(short)
    ((50, 200), np.int64(5))
    """

    def __init__(self, length: int, positions: int) -> None:
        rng = np.random.default_rng(_SEED)
        whole = (length - 1) // 2  # frequencies with a sine and a cosine
        pairs = math.ceil(OVERSAMPLING * positions / 2)
        self.exact = pairs >= whole
        self.width = length if self.exact else 2 * pairs
        if not self.exact:
            self._signs = rng.choice([-1.0, 1.0], length)
            self._kept = 1 + np.sort(rng.choice(whole, pairs, replace=False))
            self._scale = math.sqrt(2 / length) * math.sqrt(length / self.width)

    def of(self, rows: NDArray[np.floating]) -> Float64:
        """The short rows, (positions, width); sums of squares stay as they are on average."""
        if self.exact:
            return np.asarray(rows, np.float64)
        waves = np.fft.rfft(rows * self._signs)[:, self._kept] * self._scale
        return np.concatenate([waves.real, waves.imag], axis=1)


def triangle(rows: Float64) -> Float64:
    """A matrix (positions, at most positions) whose first k rows have the singular values of the first k, for every k.

    >>> rows = np.random.default_rng(0).normal(size=(4, 9))
    >>> low = triangle(rows)
    >>> np.allclose(singular_values(low[:2, :2]), np.linalg.svd(rows[:2], compute_uv=False))
    True
    """
    return np.asarray(np.linalg.qr(rows.T, mode="r")).T


def first_rows(low: Float64, count: int) -> Float64:
    """What stands for the first positions in a `triangle`."""
    return low[:count, :count]


def singular_values(rows: NDArray[np.floating]) -> Float64:
    """In descending order."""
    return np.asarray(np.linalg.svd(rows, compute_uv=False))


def noise_edge(deviation: float, rows: int, columns: int) -> float:
    """The largest singular value of independent noise, to within a few per cent.

    Args:
        deviation: of each entry.

    Source: Bai & Yin 1993, "Limit of the smallest eigenvalue of a large dimensional sample covariance matrix".

    >>> noise = np.random.default_rng(0).normal(size=(100, 400))
    >>> round(float(singular_values(noise)[0]) / noise_edge(1.0, 100, 400), 1)
    1.0
    """
    return deviation * (math.sqrt(rows) + math.sqrt(columns))
