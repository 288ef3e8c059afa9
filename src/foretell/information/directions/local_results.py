"""What is told of local identifiability: directions pinned and bits, by number of prompts and tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foretell import __version__
from foretell.base.interval import Interval, Unscored
from foretell.information.directions.direction_settings import DirectionSettings
from foretell.information.directions.local_measuring import Move

SCHEMA = "foretell.directions/1"


@dataclass(frozen=True)
class Pinned:
    """How many directions are pinned to a size at a tolerance, on average over the draws.

    Attributes:
        size: as a share of the weights' norm.
        cut: the least eigenvalue that counts.
        effective: Σ λ / (λ + cut).
        counted: how many eigenvalues are above the cut.
        range: from the lowest to the highest of the draws' own bounds of the effective number.
        move: what happened when the weights were moved that far; None where no direction is curved enough.
        untold: why the figures tell nothing, or None.
    """

    size: float
    cut: float
    effective: Interval
    counted: Interval
    range: Interval
    move: Move | None
    untold: str | None

    def record(self) -> dict[str, Any]:
        """For JSON: 'by_curvature' is what the curvature at the target says, whether that holds so far out or not."""
        figures = {"effective": _ends(self.effective), "counted": _ends(self.counted), "range": _ends(self.range)}
        told = {"unscored": self.untold} if self.untold else figures["effective"]
        move = None if self.move is None else self.move.record()
        return {"size": self.size, "cut": self.cut, "pinned": told, "by_curvature": figures, "move": move}


@dataclass(frozen=True)
class Volume:
    """The bits that the answers tell about the weights, on average over the draws.

    Attributes:
        bits: bounds.
        range: from the lowest to the highest of the draws' own bounds.
        move: what happened at a random model at about the tolerance.
        untold: why the figures tell nothing, or None.
    """

    bits: Interval
    range: Interval
    move: Move | None
    untold: str | None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        figures = {"bits": _ends(self.bits), "range": _ends(self.range)}
        told = {"unscored": self.untold} if self.untold else figures["bits"]
        move = None if self.move is None else self.move.record()
        return {"bits": told, "by_curvature": figures, "move": move}


@dataclass(frozen=True)
class Row:
    """One number of prompts at one tolerance."""

    prompts: int
    tolerance: float
    pinned: tuple[Pinned, ...]
    volume: Volume

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "prompts": self.prompts,
            "tolerance": self.tolerance,
            "pinned": [one.record() for one in self.pinned],
            "volume": self.volume.record(),
        }


@dataclass(frozen=True)
class Measured:
    """The Fisher information of N prompts.

    Attributes:
        prompts, draws: N, and how many choices of N prompts were measured.
        positions: distributions, on average.
        largest: the largest eigenvalue of any draw.
        total: the sum of all eigenvalues, mean over draws.
        exact: whether all eigenvalues were taken, so that the bounds are points.
    """

    prompts: int
    draws: int
    positions: float
    largest: Interval
    total: Interval
    exact: bool

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self)) | {"largest": _ends(self.largest), "total": _ends(self.total)}


@dataclass(frozen=True)
class LocalInformation:
    """Curves over N and the tolerance.

    Attributes:
        target: its name.
        weights: how many it has.
        different: how many prompts ask different things.
        given: how many were given.
        measured: a number of prompts each.
        missing: numbers of prompts that were asked for and could not be measured, and why.
        symmetries: directions that no prompt can pin, by kind, or why they are not known.
    """

    target: str
    weights: int
    different: int
    given: int
    settings: DirectionSettings
    measured: tuple[Measured, ...]
    rows: tuple[Row, ...]
    missing: dict[int, str]
    symmetries: dict[str, int] | Unscored

    def record(self) -> dict[str, Any]:
        """For JSON."""
        settings = {name: value for name, value in vars(self.settings).items() if name != "effort"}
        known = self.symmetries
        return {
            "schema": SCHEMA,
            "made_by": f"foretell {__version__}",
            "target": self.target,
            "weights": self.weights,
            "prompts_given": self.given,
            "prompts_different": self.different,
            "settings": settings | vars(self.settings.effort),
            "measured": [one.record() for one in self.measured],
            "rows": [row.record() for row in self.rows],
            "not_determined": {str(count): reason for count, reason in self.missing.items()},
            "symmetries": {"unscored": known.reason} if isinstance(known, Unscored) else known,
            "sentences": self.sentences(),
        }

    def sentences(self) -> list[str]:
        """What was found, in words."""
        told = [f"{self.target} has {self.weights:,} weights."] if self.measured else []
        if self.different < self.given:
            told.append(f"Of {self.given} prompts {self.different} ask different things; the others were merged.")
        told += [f"{count} prompts: not determined: {reason}." for count, reason in self.missing.items()]
        if isinstance(self.symmetries, Unscored):
            told.append(f"Directions that no prompt can pin: not determined: {self.symmetries.reason}.")
        else:
            total = sum(self.symmetries.values())
            parts = ", ".join(f"{count:,} {name}" for name, count in self.symmetries.items())
            share = f", {total / self.weights:.1%} of them all" if self.weights else ""
            told.append(f"No prompt can pin {total:,} directions{share}: {parts}.")
        return [*told, *(self._curvature(one) for one in self.measured), *self._at_most()]

    def _curvature(self, one: Measured) -> str:
        draws = "1 draw" if one.draws == 1 else f"{one.draws} draws"
        return (
            f"{one.prompts} prompts ({draws}): a largest eigenvalue of {one.largest.lo:.3g} ({one.largest.hi:.3g} at "
            f"most), and {whole(one.total)} for the sum of all."
        )

    def _at_most(self) -> list[str]:
        """The largest number of prompts, in words."""
        if not self.measured:
            return []
        most = self.measured[-1].prompts
        told = []
        for row in (row for row in self.rows if row.prompts == most):
            for one in row.pinned:
                if one.untold is None:
                    told.append(
                        f"{most} prompts pin {whole(one.effective)} directions to {one.size:.2%} of the weights' norm "
                        f"at {row.tolerance:g} nats: {one.effective.hi / self.weights:.2%} of all at most."
                    )
        return told


def _ends(interval: Interval) -> dict[str, Any]:
    hi = interval.hi
    return {"lo": interval.lo, "hi": hi if hi < float("inf") else None}


def whole(interval: Interval) -> str:
    """An interval of counts in words.

    >>> whole(Interval(1234.4, 2345.6)), whole(Interval(3.0, 3.0)), whole(Interval(2.0, float("inf")))
    ('1,234 to 2,346', '3', 'at least 2')
    """
    if interval.hi == float("inf"):
        return f"at least {interval.lo:,.0f}"
    ends = f"{interval.lo:,.0f}", f"{interval.hi:,.0f}"
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)
