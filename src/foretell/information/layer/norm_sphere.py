"""What a final norm gives away: the output layer up to a rotation instead of any linear map.

RMSNorm and LayerNorm put z, the hidden state before the gain, on a sphere, |z|² = d. In whatever basis hidden states
are recovered, they then lie on an ellipsoid, uᵀ A u = 1 (with a bias around another centre, uᵀ A u + bᵀ u = 1). A has
k(k + 1)/2 numbers and so many positions show it; its square root maps the ellipsoid back to the sphere. What stays
unknown is a rotation, k(k − 1)/2 numbers instead of k², and the layer that is recovered is that of z, which has the
gain folded in: W·diag(gain).

Source: Carlini et al. 2024, "Stealing part of a production language model", section 4.2 and the appendix on recovering
the layer up to an orthogonal matrix. The least squares are solved by conjugate gradients (Hestenes & Stiefel 1952),
preconditioned by what the normal equations are for Gaussian states, A ↦ 2A + tr(A)·1; they never form the k⁴ matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foretell.base.interval import Unscored
from foretell.base.progress import Progress, quiet
from foretell.information.layer.output_layer import Error, RecoveredLayer
from foretell.information.layer.singular_values import Float64

#: Conjugate gradients stop when the preconditioned gradient has fallen by this, squared; and at the latest after these.
_ENOUGH, _MOST_STEPS = 1e-17, 3000
#: The states are on no ellipsoid if the equation is off by more than this, root mean square.
_OFF = 0.05
#: An axis-parallel ellipsoid around zero fits an RMSNorm's states within this, root mean square.
_GAIN_OFF = 1e-3


@dataclass(frozen=True)
class SphereLayer:
    """An output layer up to a rotation.

    Attributes:
        layer: (vocabulary, k), for states on a sphere with |z|² = `radius_squared`.
        constant: what is the same at every position, (vocabulary,); None without offset.
        radius_squared: the width, as RMSNorm has it; a LayerNorm's is one more.
        residual: how far the fitted equation is off, root mean square (it has 1 on its right).
        positions: that were fitted.
    """

    layer: Float64
    constant: Float64 | None
    radius_squared: int
    residual: float
    positions: int

    def with_radius(self, squared: int) -> Float64:
        """The layer for states with another |z|²."""
        return np.asarray(self.layer * math.sqrt(self.radius_squared / squared))


def positions_needed(directions: int, offset: bool) -> int:
    """How many positions an ellipsoid takes at least: as many as it has numbers.

    >>> positions_needed(128, False), positions_needed(576, False)
    (8256, 166176)
    """
    return directions * (directions + 1) // 2 + (directions if offset else 0)


def sphere_layer(found: RecoveredLayer, *, offset: bool, progress: Progress = quiet) -> SphereLayer | Unscored:
    """Map recovered hidden states to a sphere, and the layer with them.

    Args:
        offset: a part is the same at every position (see `hidden_width`); then one direction is that part.

    >>> rng = np.random.default_rng(0)
    >>> states, gain, true = rng.normal(size=(60, 4)), np.array([1.0, 2.0, 0.5, 1.5]), rng.normal(size=(90, 4))
    >>> states *= 2 / np.linalg.norm(states, axis=1, keepdims=True)
    >>> basis, triangle = np.linalg.qr(true)
    >>> sphere = sphere_layer(RecoveredLayer(basis, states * gain @ triangle.T), offset=False)
    >>> orthogonal_error(sphere.layer, true * gain).relative < 1e-6
    True
    """
    count, rank = found.states.shape
    directions = rank - offset
    needed = positions_needed(directions, offset)
    if count < needed:
        return Unscored(f"needs {needed:,} positions to fit an ellipsoid in {directions:,} dimensions, here {count:,}")
    middle = found.states.mean(axis=0) if offset else np.zeros(rank)
    white, axes = _whitened(found.states - middle, directions)
    fit = _ellipsoid(white, offset, progress)
    if fit.residual > _OFF:
        return Unscored(f"the hidden states lie on no ellipsoid: off by {fit.residual:.2g}, root mean square")
    try:
        root = np.linalg.cholesky(fit.form)
    except np.linalg.LinAlgError:
        return Unscored(f"{count:,} positions do not settle the ellipsoid: a direction has no positive length")
    centre = -np.linalg.solve(fit.form, fit.slope) / 2
    level = 1 + float(centre @ fit.form @ centre)
    # |rootᵀ (u − centre)|² = level on the ellipsoid, and |z|² is to be the number of directions.
    to_sphere = root.T * math.sqrt(directions / level)
    layer = found.basis @ axes @ np.linalg.inv(to_sphere)
    constant = found.basis @ (middle + axes @ centre) if offset else None
    return SphereLayer(layer, constant, directions, fit.residual, count)


def orthogonal_error(recovered: Float64, true: Float64) -> Error:
    """Distance of a true layer from the recovered one under the best rotation or reflection.

    Args:
        recovered, true: (vocabulary, k).

    Source: Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem".
    """
    left, _, right = np.linalg.svd(recovered.T @ true, full_matrices=False)
    off = recovered @ (left @ right) - true
    return Error(float(np.sqrt(np.mean(off**2))), float(np.sqrt(np.mean(true**2))), true.shape[1])


def rms_gain(states: Float64) -> Float64 | Unscored:
    """The gain of an RMSNorm from its own outputs, up to signs: the axes of Σ h²/gain² = d.

    Args:
        states: true hidden states after the norm, (positions, d), of a factored truth.
    """
    count, width = states.shape
    if count < width:
        return Unscored(f"{count:,} positions are too few for {width:,} gains")
    squares = np.asarray(states, np.float64) ** 2
    inverse = np.linalg.lstsq(squares, np.full(count, float(width)), rcond=None)[0]
    off = float(np.sqrt(np.mean((squares @ inverse / width - 1) ** 2)))
    if off > _GAIN_OFF or float(inverse.min()) <= 0:
        return Unscored(f"the truth's own hidden states are no RMSNorm's with a gain: off by {off:.2g}")
    return np.asarray(1 / np.sqrt(inverse))


def _whitened(states: Float64, directions: int) -> tuple[Float64, Float64]:
    """States with unit covariance in their strongest directions, and the axes that lead back."""
    values, vectors = np.linalg.eigh(states.T @ states / len(states))
    values, vectors = values[::-1][:directions], vectors[:, ::-1][:, :directions]
    return states @ (vectors / np.sqrt(values)), vectors * np.sqrt(values)


@dataclass
class _Fit:
    form: Float64
    slope: Float64
    residual: float


def _ellipsoid(white: Float64, offset: bool, progress: Progress) -> _Fit:
    """Least squares of uᵀ A u (+ bᵀ u) = 1 by preconditioned conjugate gradients."""
    width = white.shape[1]
    form, slope = np.eye(width) / width, np.zeros(width)
    left = 1 - _equation(white, form, slope)
    way = _preconditioned(white, left, offset)
    size = first = way.size
    for step in range(_MOST_STEPS):
        progress("fitting the norm's ellipsoid", step, _MOST_STEPS)
        if size <= _ENOUGH * first:
            break
        change = _equation(white, way.form, way.slope)
        length = size / float(change @ change)
        form, slope, left = form + length * way.form, slope + length * way.slope, left - length * change
        downhill = _preconditioned(white, left, offset)
        keep = downhill.size / size
        size = downhill.size
        way = _Direction(downhill.form + keep * way.form, downhill.slope + keep * way.slope, size)
    progress("fitting the norm's ellipsoid", _MOST_STEPS, _MOST_STEPS)
    return _Fit(form, slope, float(np.sqrt(np.mean(left**2))))


@dataclass
class _Direction:
    form: Float64
    slope: Float64
    size: float


def _equation(white: Float64, form: Float64, slope: Float64) -> Float64:
    return np.asarray(np.einsum("ij,ij->i", white @ form, white) + white @ slope)


def _preconditioned(white: Float64, left: Float64, offset: bool) -> _Direction:
    """Downhill, as if states were Gaussian; with its product with the gradient."""
    count, width = white.shape
    gradient = (white * left[:, None]).T @ white
    # The inverse of A ↦ count·(2A + tr(A)·1).
    form = (gradient - np.eye(width) * np.trace(gradient) / (width + 2)) / (2 * count)
    slopes = white.T @ left if offset else np.zeros(width)
    return _Direction(form, slopes / count, float(np.sum(gradient * form) + slopes @ slopes / count))
