"""The output layer of a model, recovered from its log-probabilities up to what they cannot show.

Centred log-probabilities are H L_visᵀ: hidden states times the visible layer. The layer's mean over the vocabulary is
gone (it shifts all logits of a position alike, which the normaliser takes off), and any invertible matrix can go
between the two factors: (H M)(L M⁻ᵀ)ᵀ is the same. So L is recovered up to an invertible d × d matrix, d² numbers, of
its d·(vocabulary − 1) visible ones. With a bias, it is one more column of the layer.

Source: Carlini et al. 2024, "Stealing part of a production language model", section 4.2 (recovered up to symmetries).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.distributions import Head
from foretell.forecasters.lowrank_algebra import centred
from foretell.information.layer.singular_values import Float64, Rows
from foretell.information.layer.spectrum import spectrum_of

#: Changes blocks of log-probabilities as they come: rounds them, adds noise.
Altered = Callable[[NDArray[np.floating]], NDArray[np.floating]]


@dataclass(frozen=True)
class RecoveredLayer:
    """A basis of what logits can be, and where each position is in it.

    Attributes:
        basis: (vocabulary, rank), orthonormal columns.
        states: (positions, rank): hidden states in that basis; states · basisᵀ are the centred log-probabilities.
    """

    basis: Float64
    states: Float64

    def layer(self) -> Float64:
        """The layer (vocabulary, rank), for hidden states with unit mean squares.

        Its columns are right singular vectors times singular values over √positions.
        """
        values, vectors = np.linalg.eigh(self.states.T @ self.states / len(self.states))
        return np.asarray(self.basis @ (vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1])


@dataclass(frozen=True)
class Error:
    """How far a recovered layer is from the true one.

    Attributes:
        rms: root mean square over the entries of the visible layer.
        scale: root mean square of the visible layer itself.
        directions: of the true layer that are visible.
    """

    rms: float
    scale: float
    directions: int

    @property
    def relative(self) -> float:
        """In shares of the layer's own size."""
        return self.rms / self.scale


def recovered_layer(rows: Rows, tokens: int, positions: int, rank: int) -> RecoveredLayer:
    """Recover the output layer from log-probabilities that are read twice, and once more for the states.

    The positions' directions come from the sketch of `spectrum_of`; the layer is then what the log-probabilities are
    along these, so that rounding averages over positions.

    Args:
        rows: blocks of finite log-probabilities (positions, tokens).
        rank: as `hidden_width` finds it.

    >>> rng = np.random.default_rng(0)
    >>> true = Head(rng.normal(size=(200, 5)).astype(np.float32))
    >>> logits = true.logits(rng.normal(size=(80, 5)))
    >>> found = recovered_layer(lambda: iter([logits]), 200, 80, 5)
    >>> linear_error(found.basis, visible_layer(true)).relative < 1e-6
    True
    """
    spectrum = spectrum_of(rows, tokens, positions)
    left = np.zeros((spectrum.given, rank))
    left[spectrum.kept] = np.linalg.svd(spectrum.low)[0][:, :rank]
    layer = np.zeros((tokens, rank))
    for start, part in _numbered(rows):
        layer += centred(part).T @ left[start : start + len(part)]
    return with_states(np.linalg.qr(layer)[0], rows)


def with_states(basis: Float64, rows: Rows) -> RecoveredLayer:
    """The same basis with the hidden states of other positions."""
    states = np.concatenate([centred(part) @ basis for part in rows()])
    return RecoveredLayer(basis, states)


def _numbered(rows: Rows) -> Iterator[tuple[int, NDArray[np.floating]]]:
    start = 0
    for part in rows():
        yield start, part
        start += len(part)


def visible_layer(head: Head) -> Float64:
    """What log-probabilities can show of a true layer: (vocabulary, d), with a bias as a last column; columns centred.

    Scale is part of the layer. A soft cap is not: see `hidden_width`.

    >>> visible_layer(Head(np.array([[1.0], [3.0]]), np.array([0.0, 1.0]))).tolist()
    [[-1.0, -0.5], [1.0, 0.5]]
    """
    parts = [head.weight.astype(np.float64)]
    if head.bias is not None:
        parts.append(head.bias[:, None].astype(np.float64))
    layer = head.scale * np.concatenate(parts, axis=1)
    return np.asarray(layer - layer.mean(axis=0))


def linear_error(basis: Float64, true: Float64) -> Error:
    """Distance of a true layer from what the recovered one becomes under the best linear map.

    Where fewer directions were recovered than the true layer has (a LayerNorm without bias), those are compared that
    the recovered ones lie along: the others never reach a logit.

    Args:
        basis: (vocabulary, rank), orthonormal columns of the recovered layer.
        true: (vocabulary, columns), centred.
    """
    compared = true
    if basis.shape[1] < true.shape[1]:
        reached = np.linalg.lstsq(true, basis, rcond=None)[0]
        compared = true @ np.linalg.qr(reached)[0]
    left = compared - basis @ (basis.T @ compared)
    return Error(_rms(left), _rms(compared), compared.shape[1])


def _rms(values: Float64) -> float:
    return math.sqrt(float(np.mean(values**2)))


def error_by_positions(rows: Rows, tokens: int, true: Float64, counts: list[int], rank: int) -> list[Error]:
    """The error of the recovered layer with the first so many positions, for each count above the rank.

    Args:
        rows: blocks of log-probabilities, altered as they were released (see `altered`).
        counts: positions; each at least the rank.

    >>> rng = np.random.default_rng(0)
    >>> true = Head(rng.normal(size=(300, 5)).astype(np.float32))
    >>> logits = true.logits(rng.normal(size=(400, 5))).round(2)
    >>> few, many = error_by_positions(lambda: iter([logits]), 300, visible_layer(true), [20, 400], 5)
    >>> 3 < few.rms / many.rms < 7  # √20 = 4.5
    True
    """
    found = []
    for count in counts:
        layer = recovered_layer(first(rows, count), tokens, count, rank)
        found.append(linear_error(layer.basis, true))
    return found


def first(rows: Rows, count: int) -> Rows:
    """The first so many positions."""

    def limited() -> Iterator[NDArray[np.floating]]:
        left = count
        for part in rows():
            if left <= 0:
                return
            yield part[:left]
            left -= len(part)

    return limited


def altered(rows: Rows, alter: Altered) -> Rows:
    """The same positions, each block altered: rounded, say. Noise has to come out alike each time they are read."""
    return lambda: (alter(part) for part in rows())
