"""Tolerances worth looking at: from the noise of a truth to what a text-only reference scores."""

from __future__ import annotations

import math

#: Powers of ten between the two at most, the largest.
_DECADES = 6


def tolerance_ladder(noise: float, reference: float) -> list[float]:
    """The noise, powers of ten up to the reference's score, and that score.

    Args:
        reference: mean loss of a text-only forecast: a tolerance there is met without knowing the model.

    >>> tolerance_ladder(2e-3, 2.07)
    [0.002, 0.01, 0.1, 1.0, 2.07]
    >>> tolerance_ladder(3.0, 2.07)
    [3.0]
    """
    if reference <= noise:
        return [noise]
    first, last = math.floor(math.log10(noise)) + 1, math.ceil(math.log10(reference)) - 1
    decades = [float(f"1e{power}") for power in range(max(first, last - _DECADES + 1), last + 1)]
    return [noise, *(decade for decade in decades if noise < decade < reference), reference]
