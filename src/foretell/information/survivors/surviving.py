"""What a version space says: counts that remain, bits, and their bounds, as values, as records, and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from foretell import __version__
from foretell.base.interval import Interval
from foretell.information.survivors.identification import Identification

SCHEMA = "foretell.survivors/1"
#: What each rule asks of a member that remains.
RULES = {
    "mean": "its mean loss on the prompts is at most the tolerance, as a verdict asks",
    "every": "its loss on every single prompt is at most the tolerance",
}


@dataclass(frozen=True)
class Spread:
    """A figure over random draws of prompts.

    Attributes:
        mean: over the draws.
        bounds: of the mean over all draws that this suite has, where they were worked out.
        suite: the middle of the draws of this suite (95% of them at level 0.95).
        fresh: the same for other suites like it, approximate: a bootstrap over documents.
    """

    mean: float
    bounds: Interval | None
    suite: Interval
    fresh: Interval

    def record(self) -> dict[str, Any]:
        """For JSON."""
        bounds = {} if self.bounds is None else {"lo": self.bounds.lo, "hi": self.bounds.hi}
        draws = {name: [one.lo, one.hi] for name, one in (("suite_draws", self.suite), ("fresh_draws", self.fresh))}
        return {"mean": self.mean} | bounds | draws


@dataclass(frozen=True)
class Point:
    """After so many prompts at one tolerance.

    Attributes:
        remaining: models that remain, the target among them.
        bits: log2(family) − log2(remaining).
        alone: share of the draws that leave the target alone, or with members that are equal to it within noise.
        alone_bounds: exact binomial.
        by_kind: members that remain of each kind, the target not among them.
    """

    prompts: int
    remaining: Spread
    bits: Spread
    alone: float
    alone_bounds: Interval
    by_kind: Mapping[str, Spread]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "prompts": self.prompts,
            "remaining": self.remaining.record(),
            "bits": self.bits.record(),
            "alone": {"share": self.alone, "lo": self.alone_bounds.lo, "hi": self.alone_bounds.hi},
            "by_kind": {kind: one.record() for kind, one in self.by_kind.items()},
        }


@dataclass(frozen=True)
class Curve:
    """One tolerance: what remains after each number of prompts, and when the target is alone.

    Attributes:
        points: none where nothing can be said.
        reason: why, then.
        among: when the target is alone among the members of one kind, by kind.
    """

    tolerance: float
    identification: Identification
    points: tuple[Point, ...]
    reason: str | None = None
    among: Mapping[str, Identification] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "tolerance": self.tolerance,
            "points": [point.record() for point in self.points],
            "not_determined": self.reason,
            "identification": self.identification.record(),
            "among": {kind: one.record() for kind, one in self.among.items()},
        }


@dataclass(frozen=True)
class VersionSpace:
    """How many models remain, by tolerance and number of prompts.

    Attributes:
        family: models in all, the target among them.
        kinds: members beside the target, by kind.
        equal: members that the truth cannot tell from the target on this suite.
        prompts, documents: of the suite, different ones.
        beyond: numbers of prompts that were asked for and that the suite does not have.
        noise: the truth's own, in the unit of the losses.
        draws: of this suite, and as many of others like it.
        level: confidence of bounds, and share of the draws that ranges hold.
        probability: with which the target has to be alone to count as identified.
    """

    family: int
    kinds: Mapping[str, int]
    equal: tuple[str, ...]
    prompts: int
    documents: int
    beyond: tuple[int, ...]
    rule: str
    noise: float
    draws: int
    level: float
    probability: float
    curves: tuple[Curve, ...]

    @property
    def judged(self) -> tuple[Curve, ...]:
        """Curves of the tolerances of which something can be said."""
        return tuple(curve for curve in self.curves if curve.points)

    def nearest(self, tolerance: float) -> Curve:
        """Of those, the one whose tolerance is nearest to this.

        Raises:
            ValueError: there is none.
        """
        return min(self.judged, key=lambda curve: abs(curve.tolerance - tolerance))

    @property
    def most_bits(self) -> float:
        """What there is to tell: all but the target and its equals ruled out.

        >>> VersionSpace(8, {"k": 7}, ("same",), 1, 1, (), "mean", 0.0, 1, 0.95, 0.95, ()).most_bits
        2.0
        """
        return math.log2(self.family) - math.log2(1 + len(self.equal))

    def record(self) -> dict[str, Any]:
        """For JSON."""
        plain = ("family", "prompts", "documents", "rule", "noise", "draws", "level", "probability", "most_bits")
        return {
            "schema": SCHEMA,
            "made_by": f"foretell {__version__}",
            **{name: getattr(self, name) for name in plain},
            "kinds": dict(self.kinds),
            "equal": list(self.equal),
            "beyond": list(self.beyond),
            "curves": [curve.record() for curve in self.curves],
            "sentences": self.sentences(),
        }

    def sentences(self) -> list[str]:
        """What was found, in words."""
        kinds = ", ".join(f"{count} of kind '{kind}'" for kind, count in self.kinds.items()) or "no other"
        told = [
            f"A family of {self.family:,}: the target and {kinds}; {math.log2(self.family):.2f} bits if all are "
            f"equally likely. A member remains if {RULES[self.rule]}.",
        ]
        if self.equal:
            told.append(
                f"Equal to the target within the truth's noise ({self.noise:.2g}) on this suite, so never told from "
                f"it, and counted with it: {', '.join(self.equal)}. At most {self.most_bits:.2f} bits can be had."
            )
        told += [self._curve(curve) for curve in self.curves]
        if self.beyond:
            asked = ", ".join(f"{count:,}" for count in self.beyond)
            told.append(f"N = {asked}: not determined: the suite has {self.prompts:,} different prompts.")
        return [*told, self._meaning()]

    def _curve(self, curve: Curve) -> str:
        if not curve.points:
            return f"Tolerance {curve.tolerance:.3g}: not determined: {curve.reason}."
        last = curve.points[-1]
        return (
            f"Tolerance {curve.tolerance:.3g}: after {last.prompts:,} prompts {last.remaining.mean:.1f} of "
            f"{self.family:,} remain ({last.remaining.suite.lo:g} to {last.remaining.suite.hi:g}; fresh prompts "
            f"{last.remaining.fresh.lo:g} to {last.remaining.fresh.hi:g}), {last.bits.mean:.2f} bits; "
            f"{curve.identification.sentence(self.probability)}."
        )

    def _meaning(self) -> str:
        return (
            f"Ranges hold {self.level:.0%} of {self.draws:,} random draws of prompts of this suite; 'fresh' is a "
            f"bootstrap over its {self.documents:,} documents, approximate. Models outside the family are not counted."
        )
