"""What is judged, with which tolerance and which cap."""

from __future__ import annotations

import math

import pytest

from foretell.base.errors import InputError
from foretell.verdicts.judging import JudgeSettings


@pytest.mark.parametrize(
    ("metric", "cap"),
    [
        ("kl_nats", math.log(50)),
        ("abs_logprob_nats", math.log(50)),
        ("topk_logprob_rmse", math.log(50)),
        ("tv", 1.0),
        ("js_nats", math.log(2)),
    ],
)
def test_the_cap_that_a_metric_has(metric: str, cap: float) -> None:
    assert JudgeSettings(metric=metric).cap_for(50) == pytest.approx(cap)
    assert JudgeSettings(metric=metric, cap=0.25).cap_for(50) == 0.25


def test_agreement_is_no_loss() -> None:
    with pytest.raises(InputError, match="--metric: no such loss: got 'top1_agreement', expected one of kl_nats"):
        JudgeSettings(metric="top1_agreement")


def test_without_a_tolerance_no_slice_is_judged() -> None:
    assert JudgeSettings(slices={"code": 0.5}).tolerance_of("code") is None
