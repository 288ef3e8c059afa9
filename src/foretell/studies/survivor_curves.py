"""The figure of a version space: models that remain against the number of prompts, by tolerance and by kind."""

from __future__ import annotations

from foretell.information.survivors.surviving import Spread, VersionSpace
from foretell.studies.drawing import COLOURS, HALF, Axis, Chart, Point, beside, curves


def survivor_curves(found: VersionSpace, *, unit: str = "nats", by_kind_at: float | None = None) -> Chart | None:
    """Left: models that remain, a line a tolerance; right: the same by kind, at one tolerance.

    Bars hold the middle of the draws of prompts from this suite. What could not be determined is not drawn.

    Args:
        by_kind_at: the tolerance of the right half, or the next to it; the one in the middle where None.

    Returns:
        None where nothing could be determined.
    """
    whole = remaining(found, unit=unit)
    if whole is None:
        return None
    chosen = found.judged[len(found.judged) // 2] if by_kind_at is None else found.nearest(by_kind_at)
    right = [_point(kind, point.prompts, point.by_kind[kind]) for kind in found.kinds for point in chosen.points]
    title = Axis(f"members that remain within {chosen.tolerance:.2g} {unit}, by kind", log=True, from_zero=1.0)
    return beside(whole, curves(right, _prompts_of(found), title, width=HALF))


def remaining(found: VersionSpace, *, unit: str = "nats") -> Chart | None:
    """Models that remain, a line a tolerance; None where nothing could be determined."""
    if not found.judged:
        return None
    points = [
        _point(f"{curve.tolerance:.2g} {unit}", point.prompts, point.remaining)
        for curve in found.judged[: len(COLOURS)]
        for point in curve.points
    ]
    counts = Axis(f"models that remain, of {found.family:,}", log=True)
    return curves(points, _prompts_of(found), counts, width=HALF)


def _prompts_of(found: VersionSpace) -> Axis:
    marks = tuple(float(point.prompts) for point in found.judged[0].points)
    return Axis(f"prompts (of {found.prompts:,})", log=True, ticks=marks)


def _point(series: str, prompts: int, spread: Spread) -> Point:
    return Point(series, float(prompts), spread.mean, spread.suite.lo, spread.suite.hi)
