"""A tolerance met or not: the bound decides, never the estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from foretell.base.interval import Interval

Decision = Literal["pass", "fail", "inconclusive", "unjudged"]
#: What reasons call the mean over all prompts.
WHOLE = "whole suite"


@dataclass(frozen=True)
class Verdict:
    """A decision with its reasons.

    Attributes:
        prompts_needed: how many prompts in all would probably decide, when inconclusive; None where unknown.
    """

    decision: Decision
    reasons: tuple[str, ...]
    prompts_needed: int | None = None

    def record(self) -> dict[str, Any]:
        """The verdict for JSON."""
        return {"decision": self.decision, "reasons": list(self.reasons), "prompts_needed": self.prompts_needed}


def decide(bounds: Interval, tolerance: float) -> Decision:
    """Pass if the upper bound is within the tolerance, fail if the lower bound is above it, else inconclusive.

    >>> decide(Interval(0.1, 0.2), 0.25), decide(Interval(0.1, 0.3), 0.25), decide(Interval(0.3, 0.4), 0.25)
    ('pass', 'inconclusive', 'fail')
    """
    if bounds.hi <= tolerance:
        return "pass"
    return "fail" if bounds.lo > tolerance else "inconclusive"


def judge(
    whole: Interval,
    slices: Mapping[str, Interval],
    tolerance: float | None,
    prompts_needed: int | None = None,
    *,
    slice_tolerances: Mapping[str, float] | None = None,
) -> Verdict:
    """The verdict over the whole suite and over every slice that is judged.

    All must pass; one failure fails. Since a pass needs every bound to hold at once, testing each at the full level
    does not raise the chance of a wrong pass (intersection–union test, Berger 1982).

    Args:
        slice_tolerances: of slices that have one of their own.

    >>> judge(Interval(0.1, 0.2), {"code": Interval(0.3, 0.4)}, 0.25).reasons
    ('code: lower bound 0.3 is above 0.25',)
    >>> judge(Interval(0.1, 0.2), {"code": Interval(0.3, 0.4)}, 0.25, slice_tolerances={"code": 0.5}).decision
    'pass'
    """
    if tolerance is None:
        return Verdict("unjudged", ("no tolerance was set",))
    own = slice_tolerances or {}
    # A list, not a mapping: a slice may have any name, and none may stand in for the whole.
    judged = [(WHOLE, whole, tolerance)]
    judged += [(name, bounds, own.get(name, tolerance)) for name, bounds in slices.items()]

    def reasons(kind: Decision, text: str) -> tuple[str, ...]:
        return tuple(
            text.format(n=name, lo=bounds.lo, hi=bounds.hi, t=limit)
            for name, bounds, limit in judged
            if decide(bounds, limit) == kind
        )

    if failed := reasons("fail", "{n}: lower bound {lo:.4g} is above {t:.4g}"):
        return Verdict("fail", failed)
    if open_ones := reasons("inconclusive", "{n}: the bounds {lo:.4g} to {hi:.4g} include {t:.4g}"):
        return Verdict("inconclusive", open_ones, prompts_needed)
    return Verdict("pass", reasons("pass", "{n}: upper bound {hi:.4g} is within {t:.4g}"))
