"""The figure of a version space: models that remain against the number of prompts, by tolerance and by kind."""

from __future__ import annotations

from foretell.information.surviving import Curve, Spread, VersionSpace
from foretell.studies.drawing import COLOURS, HALF, Axis, Chart, Point, beside, curves


def survivor_curves(found: VersionSpace, *, unit: str = "nats", by_kind_at: float | None = None) -> Chart:
    """Left: models that remain, a line a tolerance; right: the same by kind, at one tolerance.

    Bars hold the middle of the draws of prompts from this suite. Nothing that could not be determined is drawn.

    Args:
        by_kind_at: the tolerance of the right half; the one in the middle where None.
    """
    drawn = [curve for curve in found.curves if curve.points]
    marks = tuple(float(point.prompts) for point in drawn[0].points) if drawn else (1.0,)
    x = Axis(f"prompts (of {found.prompts:,})", log=True, ticks=marks)
    counts = Axis(f"models that remain, of {found.family:,}", log=True)
    left = [
        _point(f"{curve.tolerance:.2g} {unit}", point.prompts, point.remaining)
        for curve in drawn[: len(COLOURS)]
        for point in curve.points
    ]
    whole = curves(left, x, counts, width=HALF)
    chosen = _chosen(drawn, by_kind_at)
    if chosen is None:
        return whole
    right = [_point(kind, point.prompts, point.by_kind[kind]) for kind in found.kinds for point in chosen.points]
    title = Axis(f"members that remain within {chosen.tolerance:.2g} {unit}, by kind", log=True, from_zero=1.0)
    return beside(whole, curves(right, x, title, width=HALF))


def _chosen(drawn: list[Curve], tolerance: float | None) -> Curve | None:
    if tolerance is None:
        return drawn[len(drawn) // 2] if drawn else None
    return min(drawn, key=lambda curve: abs(curve.tolerance - tolerance), default=None)


def _point(series: str, prompts: int, spread: Spread) -> Point:
    return Point(series, float(prompts), spread.mean, spread.suite.lo, spread.suite.hi)
