"""An interval is what it says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.interval import Interval

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_membership(a: float, b: float, x: float) -> None:
    interval = Interval(min(a, b), max(a, b))
    assert (x in interval) == (min(a, b) <= x <= max(a, b))
    assert interval.is_point == (a == b)
    assert interval.width >= 0


@pytest.mark.parametrize(("lo", "hi"), [(1.0, 0.0), (math.nan, 1.0), (0.0, math.nan)])
def test_what_is_no_interval(lo: float, hi: float) -> None:
    with pytest.raises(ValueError, match="not an interval"):
        Interval(lo, hi)


def test_an_end_may_be_infinite() -> None:
    assert 1e300 in Interval(0.0, math.inf)
