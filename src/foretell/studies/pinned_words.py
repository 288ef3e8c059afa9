"""What study 12 says: sentences, tables and the figure, from the models that remain and the directions pinned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretell.base.interval import Interval
from foretell.information.directions.local_results import LocalInformation, Row, whole
from foretell.information.survivors.surviving import Curve, Point, VersionSpace
from foretell.information.survivors.version_space import PROBABILITY
from foretell.reports.figures import figure, plain
from foretell.studies.drawing import HALF, Axis, Chart, beside, curves
from foretell.studies.drawing import Point as Mark
from foretell.studies.study import EACH_ALONE, Findings, Table
from foretell.studies.survivor_curves import remaining
from foretell.studies.words import listed

#: The number of distributions that the debate names; what knows text only; and how far weights are moved, as a share
#: of their norm.
ASKED, REFERENCE, SIZE = 200, "ngram:5:tiny", 0.01
#: From this share of all directions on, it could be said that they pin the weights.
_NEARLY_ALL = 0.95
#: The tolerance that the answer tells more of, or the next to it.
_TOLD = 0.1
_ALWAYS, _NEVER = "at every tolerance", "at no tolerance"


@dataclass(frozen=True)
class Found:
    """Everything measured.

    Attributes:
        on_average, everywhere: by each rule; the first is what a verdict asks.
        apart: on average, of the models alone that were trained apart: other steps, another seed, another size.
        reference_nats: what a forecast that knows text only loses.
        local: of the target itself.
        nearest: the least mean loss of each kind of member.
    """

    on_average: VersionSpace
    everywhere: VersionSpace
    apart: VersionSpace
    reference_nats: float
    local: LocalInformation
    nearest: dict[str, float]


def findings(found: Found) -> Findings:
    """What the numbers say."""
    space, local = found.on_average, found.local
    return Findings(
        answer(found),
        (_survivors(space), _by_kind(space), _identifying(found), _directions(local)),
        _figure(space, local),
        "Left: models of the family that remain within each tolerance of the target after so many prompts; points are "
        "means over random draws of prompts, bars hold 95% of them. Right: directions of the target's own weights that "
        f"the same number of distributions pins to {SIZE:.0%} of the weights' norm, of "
        f"{plain(local.weights)}; bars are 95% bounds, a tolerance is left out where the curvature does not hold so "
        "far out.",
        {
            "on_average": space.record(),
            "everywhere": found.everywhere.record(),
            "trained_apart": found.apart.record(),
            "reference_nats": found.reference_nats,
            "nearest_of_each_kind": found.nearest,
            "local": local.record(),
        },
        bounds=f"{EACH_ALONE} Ranges of survivors hold 95% of random draws of prompts from this suite.",
        method=(
            "A model of the family remains after N prompts if its mean KL divergence from the target on them is at "
            "most the tolerance, as a verdict asks; by the stricter rule, if it is so on every single prompt.",
            "The family: checkpoints of the target's run and mixtures of weights with them; quantised and pruned "
            "copies; copies nudged in random and in the most sensitive directions; copies without a layer, a head or "
            "some neurons; another seed and a model of half the size.",
            f"Tolerances go from the truth's noise to the loss of {REFERENCE}, which knows text only "
            f"({figure(found.reference_nats)} nats).",
            "Locally: directions in units of each tensor's size; a direction counts as pinned where moving the weights "
            f"along it by {SIZE:.0%} of their norm costs more than the tolerance (docs/information/directions.md).",
        ),
    )


def answer(found: Found) -> tuple[str, ...]:
    """Yes, no, or it depends, and on what; the first sentence is about the family, the others about the weights too."""
    space = found.on_average
    return (
        _first(found.apart, space),
        _trained_apart(found.apart),
        *([_one_tolerance(space, space.nearest(_TOLD))] if space.judged else []),
        _every_prompt(found.everywhere),
        *_locally(found.local),
        "So whoever asks for a tolerance asks for membership in a set of models, never for one: what the set holds is "
        "decided by the tolerance and by which prompts are asked, and models outside this family were not counted.",
    )


def _by(curve: Curve, prompts: int) -> bool:
    """Whether the target is alone with the wanted probability by so many prompts of this suite."""
    needed = curve.identification.suite
    return needed is not None and needed.hi is not None and needed.hi <= prompts


def _first(apart: VersionSpace, family: VersionSpace) -> str:
    reached = [_reach(space) for space in (apart, family)]
    if None in reached:
        return "Not determined: no tolerance could be judged."
    whole = [(_ALWAYS, "Yes"), (_NEVER, "No")]
    start = next((word for reach, word in whole if set(reached) == {reach}), None)
    return (
        f"{start or 'It depends on the alternatives, and on the tolerance'}: with {family.probability:.0%} probability "
        f"{ASKED} distributions leave the target alone {reached[0]} among {plain(apart.family)} models that were "
        f"trained apart, and {reached[1]} among {plain(family.family)} that include altered copies of it."
    )


def _reach(space: VersionSpace) -> str | None:
    """Up to which tolerance the target is alone; None where none was judged."""
    alone = [curve.tolerance for curve in space.judged if _by(curve, ASKED)]
    if not space.judged:
        return None
    if not alone:
        return _NEVER
    return _ALWAYS if len(alone) == len(space.judged) else f"up to a tolerance of {figure(max(alone))} nats"


def _one_tolerance(space: VersionSpace, curve: Curve) -> str:
    point = _at(curve, ASKED)
    left = point.remaining
    return (
        f"At {figure(curve.tolerance)} nats, after {point.prompts:,} prompts {left.mean:.1f} of {space.family:,} "
        f"models remain ({left.suite.lo:g} to {left.suite.hi:g}), which is {point.bits.mean:.2f} of "
        f"{space.most_bits:.2f} bits; {curve.identification.sentence(space.probability)}."
    )


def _trained_apart(space: VersionSpace) -> str:
    told: dict[str, list[str]] = {}
    for curve in space.curves:
        needed, status = curve.identification.suite, curve.identification.status
        told.setdefault(status if needed is None else f"from {needed.words()} on", []).append(figure(curve.tolerance))
    each = "; ".join(f"at {listed(tolerances)} nats {words}" for words, tolerances in told.items())
    return (
        f"Against models trained apart ({space.family - 1}: other steps of the run, another seed, half the size) it is "
        f"alone with {space.probability:.0%} probability {each}."
    )


def _at(curve: Curve, prompts: int) -> Point:
    """The point of the most prompts that are not more than asked for."""
    return max((one for one in curve.points if one.prompts <= prompts), key=lambda one: one.prompts)


def _every_prompt(space: VersionSpace) -> str:
    told = space.judged
    if not told:
        return "By the stricter rule, every prompt within the tolerance: not determined."
    each = ", ".join(f"{_at(curve, ASKED).remaining.mean:.1f} at {figure(curve.tolerance)} nats" for curve in told)
    prompts = _at(told[0], ASKED).prompts
    return f"Asked to be within the tolerance on every single one of {prompts} prompts, there remain {each}."


def _locally(local: LocalInformation) -> list[str]:
    told, free = [], 0
    if isinstance(local.symmetries, dict):
        free = sum(local.symmetries.values())
        told.append(
            f"No number of prompts pins the weights themselves: {free:,} of {local.weights:,} directions change no "
            "answer at all (symmetries of the architecture)."
        )
    rows = [row for row in local.rows if row.prompts == max(one.prompts for one in local.rows)]
    for row in rows:
        pinned = row.pinned[0]
        start = f"Locally, at {figure(row.tolerance)} nats, {row.prompts} distributions"
        if pinned.untold is not None:
            told.append(f"{start}: not determined: {pinned.untold}.")
            continue
        share = pinned.effective.hi / local.weights
        verdict = "which pins nearly all" if pinned.effective.lo / local.weights >= _NEARLY_ALL else "no more"
        told.append(
            f"{start} pin {whole(pinned.effective)} directions to {SIZE:.0%} of the weights' norm: "
            f"{share:.2%} of all at most, {verdict}."
        )
    return told


def _survivors(space: VersionSpace) -> Table:
    drawn = space.judged
    columns = ("prompts", *(f"within {figure(curve.tolerance)} nats" for curve in drawn))
    rows = tuple(
        (plain(one.prompts), *(_cell(curve.points[index]) for curve in drawn))
        for index, one in enumerate(drawn[0].points)
    )
    return Table(
        f"Models that remain, of {space.family:,}",
        columns,
        rows,
        "Mean over draws of prompts (95% of the draws); bits won in square brackets.",
    )


def _by_kind(space: VersionSpace) -> Table:
    drawn = space.judged
    points = [_at(curve, ASKED) for curve in drawn]
    rows = tuple(
        (f"{kind} ({count})", *(f"{point.by_kind[kind].mean:.1f}" for point in points))
        for kind, count in space.kinds.items()
    )
    return Table(
        f"Members that remain after {points[0].prompts if points else ASKED} prompts, by kind",
        ("kind (how many)", *(f"within {figure(curve.tolerance)} nats" for curve in drawn)),
        rows,
        "Mean over draws of prompts.",
    )


def _cell(point: Point) -> str:
    left = point.remaining
    return f"{left.mean:.1f} ({left.suite.lo:g} to {left.suite.hi:g}) [{point.bits.mean:.2f}]"


def _identifying(found: Found) -> Table:
    def words(space: VersionSpace, tolerance: float) -> str:
        near = min(space.curves, key=lambda curve: abs(curve.tolerance - tolerance))
        if abs(near.tolerance - tolerance) > tolerance / 2:
            return "–"  # the two rules have different noise, so different first tolerances
        own = near.identification
        return own.suite.words() if own.suite is not None else own.status

    rows = tuple(
        (
            f"{figure(curve.tolerance)} nats",
            words(found.on_average, curve.tolerance),
            words(found.everywhere, curve.tolerance),
            curve.identification.nearest or "–",
        )
        for curve in found.on_average.curves
    )
    return Table(
        f"Prompts that leave the target alone with {PROBABILITY:.0%} probability",
        ("tolerance", "mean within it", "every prompt within it", "the nearest model"),
        rows,
        "'never': some model stays within the tolerance on the whole suite.",
    )


def _directions(local: LocalInformation) -> Table:
    def cell(row: Row) -> str:
        one = row.pinned[0]
        return whole(one.effective) if one.untold is None else "–"

    def bits(row: Row) -> str:
        return whole(row.volume.bits) if row.volume.untold is None else "–"

    rows = tuple((plain(row.prompts), f"{figure(row.tolerance)}", cell(row), bits(row)) for row in local.rows)
    return Table(
        f"Directions of {plain(local.weights)} weights that N distributions pin to {SIZE:.0%} of the norm",
        ("distributions", "tolerance, nats", "pinned", "bits about the weights"),
        rows,
        f"Bits beyond knowing each weight to {local.settings.prior:.0%} of its tensor's size. A dash: the bounds are "
        "too wide, or the curvature at the target does not hold so far out.",
    )


def _figure(space: VersionSpace, local: LocalInformation) -> Chart:
    left = remaining(space)
    marks = [
        Mark(f"{row.tolerance:g} nats", float(row.prompts), _middle(one.effective), one.effective.lo, one.effective.hi)
        for row in local.rows
        if (one := row.pinned[0]).untold is None
    ]
    x = Axis("distributions (last position of each prompt)", log=True, ticks=tuple(map(float, local.settings.prompts)))
    right = curves(marks, x, Axis("directions pinned", log=True, from_zero=1.0), width=HALF) if marks else None
    shown = [chart for chart in (left, right) if chart is not None]
    return beside(*shown)


def _middle(interval: Interval) -> float:
    return float(np.sqrt(max(interval.lo, 1.0) * max(interval.hi, 1.0)))
