"""Tolerances from the noise to a reference: ascending, within both, not too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foretell.information.survivors.tolerance_ladder import tolerance_ladder


@given(st.floats(1e-12, 10), st.floats(1e-12, 10))
def test_ascending_and_between(noise: float, reference: float) -> None:
    found = tolerance_ladder(noise, reference)
    assert found == sorted(set(found))
    assert found[0] == noise
    assert found[-1] == max(noise, reference)
    assert len(found) <= 8


def test_powers_of_ten_are_themselves() -> None:
    assert tolerance_ladder(5e-9, 1.0) == [5e-9, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1.0]
