"""Ignorance as a value: an interval that is known, or a reason why there is no number."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """All numbers from lo to hi; a point when they are equal.

    Raises:
        ValueError: a bound is NaN or lo > hi.

    >>> Interval(0.1, 0.3).width
    0.19999999999999998
    >>> 0.2 in Interval(0.1, 0.3)
    True
    """

    lo: float
    hi: float

    def __post_init__(self) -> None:
        if math.isnan(self.lo) or math.isnan(self.hi) or self.lo > self.hi:
            raise ValueError(f"not an interval: [{self.lo}, {self.hi}]")

    def __contains__(self, value: float) -> bool:
        return self.lo <= value <= self.hi

    @property
    def width(self) -> float:
        """Hi − lo."""
        return self.hi - self.lo

    @property
    def is_point(self) -> bool:
        """Whether the value is known exactly."""
        return self.lo == self.hi


@dataclass(frozen=True, slots=True)
class Unscored:
    """A figure that cannot be given, and why.

    >>> Unscored("the truth lists its top 5 only").reason
    'the truth lists its top 5 only'
    """

    reason: str
