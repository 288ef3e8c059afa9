"""What numbers show of their rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import InputError
from foretell.information.fingerprint.precision import Precision, precision_of, rounded

EXACT = -np.random.default_rng(0).exponential(6, (3, 200))


@pytest.mark.parametrize(("to", "bits"), [("float32", 23), ("float16", 10), ("bfloat16", 7)])
def test_binary_precisions_are_read_from_their_bits(to: str, bits: int) -> None:
    for stored in (np.float32, np.float64):
        assert precision_of(rounded(EXACT.astype(stored), to)) == Precision(min(bits, 23) if to != "float32" else bits)


@pytest.mark.parametrize("digits", range(6))
def test_decimals_are_read_from_differences(digits: int) -> None:
    printed = rounded(EXACT, str(digits))
    assert precision_of(printed).digits == digits
    assert precision_of(printed - np.log([[1.01], [0.98], [1.3]])).digits == digits
    if digits < 4:
        assert precision_of(printed.astype(np.float32)).digits == digits


def test_few_numbers_and_exact_ones_show_no_decimals() -> None:
    assert precision_of(rounded(EXACT, "2")[:1, :10]).digits is None
    assert precision_of(EXACT).digits is None
    assert precision_of(np.full((1, 4), -np.inf)) == Precision(0)


@given(st.floats(-60, -1e-3), st.sampled_from(["float16", "bfloat16", "float32", "0", "1", "3"]))
def test_half_a_step_bounds_what_rounding_does(value: float, to: str) -> None:
    before = np.array([value])
    after = rounded(before, to)
    bits = {"float16": 10, "bfloat16": 7, "float32": 23}.get(to, 52)
    precision = Precision(bits, int(to) if to.isdecimal() else None)
    subnormal = 2.0**-25 if to == "float16" else 0.0
    assert abs(after - before)[0] <= precision.half_steps(after)[0] * (1 + 1e-9) + subnormal


def test_words_and_unknown_precisions() -> None:
    assert Precision(23, 1).words() == "1 decimal"
    assert Precision(12).words() == "12 bits of mantissa"
    assert Precision(10, error_nats=0.5).half_steps(np.array([-1.0]))[0] > 0.5
    with pytest.raises(InputError, match="unknown precision: got 'float8'"):
        rounded(EXACT, "float8")
