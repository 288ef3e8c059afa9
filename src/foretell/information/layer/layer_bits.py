"""How many bits of an output layer are known: a definition, for comparing precisions and numbers of positions.

Every free number counts log₂(standard deviation of the layer's entries / RMS error of the recovered entries) bits, none
where the error is as large as the entries. It is what a Gaussian number known with a Gaussian error is worth to within
half a bit, (1/2)·log₂(1 + ratio²) exactly; entries are taken as independent, which trained ones are not. Free numbers
are those that the symmetry leaves: of the d·(vocabulary − 1) visible numbers of a layer, d² are not shown where hidden
states may be anything, d·(d − 1)/2 where they are known to lie on a sphere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from foretell.information.layer.output_layer import Error

#: Double precision shows no smaller error.
_MOST = 2.0**52


@dataclass(frozen=True)
class LayerBits:
    """What is known of a layer.

    Attributes:
        per_number: bits of each free number.
        free_numbers: dimension of the set of layers that log-probabilities tell apart.
        total: the product.
    """

    per_number: float
    free_numbers: int
    total: float

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


def free_numbers(tokens: int, directions: int, *, norm_known: bool) -> int:
    """Numbers of a visible layer less those of its symmetry: the linear group, or the orthogonal one.

    >>> free_numbers(49_152, 576, norm_known=False), free_numbers(49_152, 576, norm_known=True)
    (27979200, 28145376)
    """
    hidden = directions * (directions - 1) // 2 if norm_known else directions**2
    return directions * (tokens - 1) - hidden


def layer_bits(error: Error, tokens: int, *, norm_known: bool) -> LayerBits:
    """Bits of a layer that was recovered with an error.

    Args:
        norm_known: the error is that after the best rotation, not the best linear map.

    >>> found = layer_bits(Error(rms=2.0**-20, scale=1.0, directions=10), 101, norm_known=False)
    >>> found.per_number, found.free_numbers, found.total
    (20.0, 900, 18000.0)
    >>> layer_bits(Error(rms=2.0, scale=1.0, directions=10), 101, norm_known=False).total
    0.0
    """
    free = free_numbers(tokens, error.directions, norm_known=norm_known)
    ratio = min(error.scale / error.rms, _MOST) if error.rms > 0 else _MOST
    each = max(0.0, math.log2(ratio))
    return LayerBits(each, free, each * free)
