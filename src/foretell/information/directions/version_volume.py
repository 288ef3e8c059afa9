"""How much of a prior over weights stays within a tolerance, in the quadratic approximation of the KL divergence.

The prior: every weight is known to within a share ρ of its tensor's root mean square σ, independently: u ~ N(0, ρ² I)
in units of σ. Within the tolerance are the weights with Q = ½ uᵀ F u ≤ τ nats. The figure is −log2 P(Q ≤ τ): the bits
that the answers tell about the weights, as log2(family) − log2(surviving) is for a family of models.

Q is a weighted sum of χ² variables with the weights ρ² λ / 2, so E e^(−tQ) = Π (1 + t ρ² λ)^(−1/2), and for every t > 0

    P(Q ≤ τ) ≤ e^(tτ) E e^(−tQ)                                                     (Chernoff)
    P(Q ≤ τ) ≥ E e^(−tQ) · e^(t(m − h)) · (1 − v / h²),   h = τ − m > 0             (tilted Chebyshev)

with m and v the mean and variance of Q where the prior is weighed by e^(−tQ): m = Σ ½ ρ²λ / (1 + tρ²λ), v ≤ m / t.
Traces are bounded (`spectrum`), t runs over a grid, and the bounds hold for the whole grid together.
"""

from __future__ import annotations

import math

import numpy as np

from foretell.base.interval import Interval
from foretell.information.directions.curvature import Spectrum, log_volume, pinned_share

#: Tilts t in multiples of 1/τ: half the number of pinned directions is best, so from one half to half a million.
_TILTS = 2.0 ** np.arange(-1, 19.5, 0.5)
_BITS = math.log2(math.e)


def volume_bits(spectrum: Spectrum, tolerance: float, prior: float, level: float) -> Interval:
    """Bounds on −log2 of the prior probability of being within the tolerance.

    Args:
        spectrum: of σ F σ, F being the mean Fisher information; where it is of several draws of prompts, the figure is
            the mean over these.
        tolerance: mean KL, in nats.
        prior: ρ, the share of its tensor's root mean square that each weight may be off.
        level: confidence of both bounds together.

    >>> from foretell.information.directions.curvature import Exact
    >>> found = volume_bits(Exact(np.array([[0.0, 2.0]]), 0.0), tolerance=0.01, prior=1.0, level=0.95)
    >>> exact = -math.log2(math.erf(math.sqrt(0.01 / 2)))  # P(u² ≤ 0.01)
    >>> found.lo < exact < found.hi, round(exact, 2)
    (True, 3.65)
    """
    each = 1 - (1 - level) / (2 * len(_TILTS))
    lows, highs = [0.0], [math.inf]
    for tilt in (_TILTS / tolerance).tolist():
        volume = spectrum.trace(log_volume(tilt * prior**2), each)
        lows.append(volume.lo - tilt * tolerance * _BITS)
        highs.append(_at_most(spectrum, volume, tilt, tolerance, prior, each))
    lo = max(lows)
    return Interval(lo, max(lo, min(highs)))


def _at_most(spectrum: Spectrum, volume: Interval, tilt: float, tolerance: float, prior: float, level: float) -> float:
    """The upper bound at one tilt; infinite where the tilted mean may lie outside the tolerance."""
    share = pinned_share(tilt * prior**2)
    among = 1 - (1 - level) / (1 + len(spectrum.alone))
    mean = spectrum.trace(share, among).lo / (2 * tilt)
    worst = max(one.trace(share, among).hi for one in spectrum.alone) / (2 * tilt)
    room = tolerance - worst
    if room <= 0 or worst / tilt >= room**2:
        return math.inf
    return volume.hi - max(0.0, tilt * (mean - room)) * _BITS - math.log2(1 - worst / tilt / room**2)


def best_tilt(spectrum: Spectrum, tolerance: float, prior: float) -> float:
    """The t at which the tilted mean of Q is about the tolerance: what the models within it are like; 0 where all are.

    >>> from foretell.information.directions.curvature import Exact
    >>> round(best_tilt(Exact(np.full((1, 100), 1e6), 0.0), tolerance=0.1, prior=1.0))
    640
    """
    # Q's mean without any tilt, at most ½ ρ² tr F.
    for tilt in (_TILTS / tolerance).tolist():
        if spectrum.point(pinned_share(tilt * prior**2)) / (2 * tilt) <= tolerance:
            return float(tilt)
    return float(_TILTS[-1] / tolerance)
