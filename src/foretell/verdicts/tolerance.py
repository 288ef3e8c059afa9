"""A tolerance met or not: the bound decides, never the estimate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from foretell.base.errors import ToleranceError
from foretell.base.interval import Interval

Decision = Literal["pass", "fail", "inconclusive", "unjudged"]


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
    whole: Interval, slices: Mapping[str, Interval], tolerance: float | None, prompts_needed: int | None = None
) -> Verdict:
    """The verdict over the whole suite and over every slice that is judged.

    All must pass; one failure fails. Since a pass needs every bound to hold at once, testing each at the full level
    does not raise the chance of a wrong pass (intersection–union test, Berger 1982).

    >>> judge(Interval(0.1, 0.2), {"code": Interval(0.3, 0.4)}, 0.25).reasons
    ('code: lower bound 0.3 is above 0.25',)
    """
    if tolerance is None:
        return Verdict("unjudged", ("no tolerance was set",))
    decisions = {name: decide(bounds, tolerance) for name, bounds in {"whole suite": whole, **slices}.items()}
    ranges = {"whole suite": whole, **slices}

    def reasons(kind: Decision, text: str) -> tuple[str, ...]:
        chosen = [name for name, decision in decisions.items() if decision == kind]
        return tuple(text.format(n=name, lo=ranges[name].lo, hi=ranges[name].hi, t=tolerance) for name in chosen)

    if "fail" in decisions.values():
        return Verdict("fail", reasons("fail", "{n}: lower bound {lo:.4g} is above {t:.4g}"))
    if "inconclusive" in decisions.values():
        text = "{n}: the bounds {lo:.4g} to {hi:.4g} include {t:.4g}"
        return Verdict("inconclusive", reasons("inconclusive", text), prompts_needed)
    return Verdict("pass", reasons("pass", "{n}: upper bound {hi:.4g} is within {t:.4g}"))


def require_resolvable(tolerance: float | None, noise_floor: Mapping[str, Any], where: str) -> None:
    """Refuse a tolerance that is not positive or lies under the truth's own noise.

    Raises:
        ToleranceError: as said.
    """
    if tolerance is None:
        return
    floor = float(noise_floor["kl_nats"])
    if not 0 < tolerance < math.inf or tolerance < floor:
        raise ToleranceError(
            "a tolerance that cannot be judged",
            where=where,
            got=f"{tolerance:g} nats",
            expected=f"a finite number above 0, and at least the truth's noise floor of {floor:.3g} nats",
            fix="Set a larger tolerance, or collect the truth with a more exact engine.",
        )
