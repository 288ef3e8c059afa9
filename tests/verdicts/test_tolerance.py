"""The bound decides, never the estimate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import ToleranceError
from foretell.base.interval import Interval
from foretell.verdicts import decide, judge, require_resolvable

INTERVALS = st.tuples(st.floats(0, 10), st.floats(0, 10)).map(lambda ends: Interval(min(ends), max(ends)))


@given(INTERVALS, st.floats(0.01, 10))
def test_a_decision_follows_the_bounds(bounds: Interval, tolerance: float) -> None:
    decision = decide(bounds, tolerance)
    assert (decision == "pass") == (bounds.hi <= tolerance)
    assert (decision == "fail") == (bounds.lo > tolerance)


@given(INTERVALS, st.dictionaries(st.sampled_from("abc"), INTERVALS), st.floats(0.01, 10))
def test_all_must_pass_and_one_failure_fails(whole: Interval, slices: dict[str, Interval], tolerance: float) -> None:
    verdict = judge(whole, slices, tolerance, 99)
    decisions = [decide(bounds, tolerance) for bounds in (whole, *slices.values())]
    expected = "fail" if "fail" in decisions else "inconclusive" if "inconclusive" in decisions else "pass"
    assert verdict.decision == expected
    assert len(verdict.reasons) == decisions.count(verdict.decision)
    assert verdict.record()["reasons"] == list(verdict.reasons)


def test_reasons_name_what_decided() -> None:
    whole, slices = Interval(0.1, 0.2), {"code": Interval(0.1, 0.4), "prose": Interval(0.0, 0.1)}
    assert judge(whole, slices, 0.3).reasons == ("code: the bounds 0.1 to 0.4 include 0.3",)
    assert judge(whole, {}, 0.3).reasons == ("whole suite: upper bound 0.2 is within 0.3",)
    assert judge(whole, slices, None).decision == "unjudged"


@pytest.mark.parametrize("tolerance", [0.0, -1.0, 0.009, math.nan, math.inf])
def test_a_tolerance_that_cannot_be_judged(tolerance: float) -> None:
    with pytest.raises(ToleranceError, match=r"truth/: a tolerance .*: got .* nats, .*noise floor of 0.01 nats"):
        require_resolvable(tolerance, {"kl_nats": 0.01}, "truth/")


def test_a_tolerance_at_the_noise_floor_can_be() -> None:
    require_resolvable(0.01, {"kl_nats": 0.01}, "truth/")
    require_resolvable(None, {"kl_nats": 0.01}, "truth/")


def test_a_slice_has_its_own_tolerance() -> None:
    whole, slices = Interval(0.1, 0.2), {"code": Interval(0.3, 0.4), "prose": Interval(0.1, 0.2)}
    assert judge(whole, slices, 0.25, slice_tolerances={"code": 0.5}).decision == "pass"
    assert judge(whole, slices, 0.9, slice_tolerances={"code": 0.2}).reasons == ("code: lower bound 0.3 is above 0.2",)


def test_no_slice_stands_in_for_the_whole() -> None:
    verdict = judge(Interval(0.8, 0.9), {"whole suite": Interval(0.0, 0.1)}, 0.5)
    assert verdict.decision == "fail"
