"""The timeline of a watched training run: each checkpoint's forecast with its bounds, the tolerance, and references."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import vl_convert
from markupsafe import Markup

from foretell.reports.canvas import GRID, INK, LETTERS, MUTED, OWN, PAPER, REFERENCE, TOLERANCE, Scale, on_paper, themed
from foretell.reports.figures import missing, upper
from foretell.scoring.losses import NATS, loss_metric

Layer = Any
#: Height of a line of letters, in pixels.
_LINE = 14.0
_WIDTH, _HEIGHT, _LABEL_ROOM = 760, 330, 110
#: Steps that lie further apart than this are shown on a logarithmic axis.
_FAR = 20
#: What a verdict looks like: a filled circle where training may go on, another shape where it may not.
_SHAPES = {
    "pass": "circle",
    "fail": "cross",
    "inconclusive": "diamond",
    "inadmissible": "triangle-up",
    "unforecast": "square",
}


def timeline_figure(record: Mapping[str, Any]) -> Markup | None:
    """The plot for a page, in the page's colours; None where nothing is judged yet.

    Args:
        record: content of a watch record (schema foretell.watch-record/1).
    """
    return Markup(themed(_drawn(record, background=None))) if _judged(record) else None


def timeline_svg(record: Mapping[str, Any]) -> str | None:
    """The plot as an SVG file in light colours; None where nothing is judged yet."""
    return on_paper(_drawn(record, background=PAPER)) if _judged(record) else None


def _judged(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in record["checkpoints"] if one["loss"] is not None]


def series(record: Mapping[str, Any]) -> dict[str, list[tuple[int, float]]]:
    """Each reference's mean loss by step (upper end, where only bounds are known), in the order of the record."""
    found: dict[str, list[tuple[int, float]]] = {}
    for one in _judged(record):
        for reference in one["references"] or []:
            if missing(reference["loss"].get("mean")) is None:
                found.setdefault(_called(reference["name"]), []).append((one["step"], upper(reference["loss"]["mean"])))
    return found


def _called(name: str) -> str:
    """A reference without the step that it was made for, so that it is one line.

    >>> _called("next:last:runs/a@40"), _called("ngram:3:tiny")
    ('next:last:runs/a', 'ngram:3:tiny')
    """
    return name.partition("@")[0] if name.startswith("next:") else name


def _drawn(record: Mapping[str, Any], background: str | None) -> str:
    steps = [one["step"] for one in record["checkpoints"]]
    kind: Literal["log", "linear"] = "log" if min(steps) > 0 and max(steps) / min(steps) > _FAR else "linear"
    x = alt.X(
        "step:Q",
        scale=alt.Scale(type=kind, nice=False, padding=24),
        axis=alt.Axis(title="training step", values=steps, format=",d", labelOverlap="greedy"),
    )
    chart = alt.layer(*_layers(record, x)).properties(
        width=_WIDTH, height=_HEIGHT, padding={"left": 12, "right": _LABEL_ROOM, "top": 12, "bottom": 12}
    )
    spec = chart.to_dict() | {"background": background}
    spec["autosize"] = {"type": "pad"}
    spec["config"] = _CONFIG
    return str(vl_convert.vegalite_to_svg(spec))


@dataclass(frozen=True)
class Name:
    """What a line is called, at its last point."""

    text: str
    colour: str
    step: int
    y: float


def _layers(record: Mapping[str, Any], x: alt.X) -> Iterator[Layer]:
    axis = _scale(record)
    y = _losses(record, axis)
    limits = [{"step": one["step"], "y": one["tolerance"]} for one in record["checkpoints"]]
    line = alt.Chart(alt.InlineData(values=limits))
    yield line.mark_line(interpolate="step-after", color=TOLERANCE, strokeDash=[6, 4], strokeWidth=1.6).encode(x=x, y=y)
    names = [Name("tolerance", TOLERANCE, limits[-1]["step"], limits[-1]["y"])]
    for number, (name, points) in enumerate(series(record).items()):
        drawn = alt.Chart(alt.InlineData(values=[{"step": step, "y": mean} for step, mean in points])).encode(x=x, y=y)
        yield drawn.mark_line(color=REFERENCE, strokeWidth=1.2, strokeDash=[1 + 2 * number, 2])
        yield drawn.mark_point(color=REFERENCE, filled=True, shape="square", size=28)
        names.append(Name(name, REFERENCE, *points[-1]))
    yield from _forecasts(record, x, y)
    last = _judged(record)[-1]
    names.append(Name(f"forecast: {last['decision']}", OWN, last["step"], upper(last["loss"]["mean"])))
    for own, shift in apart(names, axis):
        chart = alt.Chart(alt.InlineData(values=[vars(own)])).encode(x=x, y=y, text="text:N")
        yield chart.mark_text(align="left", dx=10, dy=shift, color=own.colour, fontSize=LETTERS - 1)


def apart(names: Sequence[Name], axis: Scale) -> list[tuple[Name, float]]:
    """Names with how far each moves down, in pixels, so that none is written over another.

    >>> axis = Scale.of([0.0, 1.0], telling=[1.0])
    >>> [shift for _, shift in apart([Name("a", "", 1, 1.0), Name("b", "", 1, 1.0), Name("c", "", 1, 0.0)], axis)]
    [0.0, 14.0, 0.0]
    """
    found: list[tuple[Name, float]] = []
    free = -math.inf
    for name in sorted(names, key=lambda one: -one.y):
        at = _HEIGHT * (1 - axis.bend(name.y) / axis.bend(axis.high))
        placed = max(at, free)
        found.append((name, placed - at))
        free = placed + _LINE
    return found


def _scale(record: Mapping[str, Any]) -> Scale:
    """Logarithmic from the smallest loss of a forecast on, and down to 0."""
    telling = [upper(one["loss"]["mean"]) for one in _judged(record)]
    others = [mean for points in series(record).values() for _, mean in points]
    ends = [one["loss"][end] for one in _judged(record) for end in ("lo", "hi")]
    return Scale.of([*telling, *others, *ends, *(one["tolerance"] for one in record["checkpoints"])], telling)


def _losses(record: Mapping[str, Any], shown: Scale) -> alt.Y:
    metric = loss_metric(record["metric"], "the watch record")
    unit = " in nats a token" if metric.unit == NATS else ""
    axis = alt.Axis(title=f"mean {metric.title}{unit}", values=shown.ticks, format="~g")
    scale = alt.Scale(type="symlog", constant=shown.constant, domain=[shown.low, shown.high], nice=False)
    return alt.Y("y:Q", axis=axis, scale=scale)


def _forecasts(record: Mapping[str, Any], x: alt.X, y: alt.Y) -> Iterator[Layer]:
    rows = [
        {
            "step": one["step"],
            "y": upper(one["loss"]["mean"]),
            "lo": one["loss"]["lo"],
            "hi": one["loss"]["hi"],
            "decision": one["decision"],
        }
        for one in _judged(record)
    ]
    drawn = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    yield drawn.mark_rule(color=OWN, strokeWidth=2.4, opacity=0.55).encode(y=alt.Y("lo:Q"), y2="hi:Q")
    yield drawn.mark_line(color=OWN, strokeWidth=1.6).encode(y=y)
    shape = alt.Shape("decision:N", scale=alt.Scale(domain=list(_SHAPES), range=list(_SHAPES.values())), legend=None)
    yield drawn.mark_point(color=OWN, filled=True, size=110, opacity=1).encode(y=y, shape=shape)


_CONFIG: dict[str, Any] = {
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "gridColor": GRID,
        "domainColor": MUTED,
        "tickColor": MUTED,
        "labelColor": INK,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": LETTERS - 1,
        "titleFontSize": LETTERS - 1,
    },
}


def table(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The checkpoints as rows for a page: what is planned is a row too."""
    return [
        {
            "step": one["step"],
            "tolerance": one["tolerance"],
            "forecaster": one["forecaster"] or "–",
            "loss": one["loss"],
            "decision": one["decision"] or one["state"],
            "reasons": one["reasons"] or [],
            "attempt": one["attempt"],
        }
        for one in record["checkpoints"]
    ]
