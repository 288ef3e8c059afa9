"""The plots of a report: rows of intervals, and rows of histograms, on a logarithmic axis in nats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import altair as alt
from markupsafe import Markup

from foretell.reports.canvas import (
    GRID,
    INK,
    LETTERS,
    MUTED,
    NOISE,
    OWN,
    REFERENCE,
    TOLERANCE,
    Scale,
    Size,
    alone,
    both_widths,
)

#: A Chart or a LayerChart; altair's own `encode` is not typed.
Layer = Any
_BINS = 56
#: Within a row of height 1: where its text or interval, and its histogram's lower edge lie, and the largest bar.
_MIDDLE, _BASE, _HIGHEST, _BELOW_TEXT = 0.5, 0.86, 0.62, 0.36
_POINTS = {"90%": "circle", "99%": "diamond", "worst": "cross"}
#: Labels of lines beyond this share of the axis are written to the left of their line.
_LATE = 0.6


@dataclass(frozen=True)
class Row:
    """One line of a plot in nats: a mean known from mean_lo to mean_hi, its bounds lo and hi, and both as a text."""

    name: str
    mean_lo: float
    mean_hi: float
    lo: float
    hi: float
    text: str
    reference: bool = False


@dataclass(frozen=True)
class Losses:
    """One forecast's losses of all prompts in nats, with the marks median, 90%, 99% and worst."""

    name: str
    values: Sequence[float]
    marks: dict[str, float]
    text: str
    reference: bool = False


@dataclass(frozen=True)
class Rule:
    """A dashed vertical line at x nats with its label."""

    x: float
    label: str


def intervals(
    rows: Sequence[Row], *, title: str, label: str, rules: Sequence[Rule] = (), noise: float | None = None
) -> Markup:
    """Rows of a point with its bounds, in both widths.

    Args:
        title: of the axis.
        label: what a screen reader says; the numbers stand in a table of the page.
        noise: end in nats of the shaded band that starts at zero.
    """
    telling, values = _numbers(rows, rules)
    return both_widths(partial(_draw_intervals, rows, Scale.of(values, telling), title, rules, noise), len(rows), label)


def shares(rows: Sequence[Row], *, title: str, label: str, rules: Sequence[Rule] = ()) -> Markup:
    """Rows of a point with its bounds on a linear axis that shows 0 and 1, in both widths: for shares of a whole."""
    scale = Scale.straight([*_numbers(rows, rules)[1], 1.0])
    return both_widths(partial(_draw_intervals, rows, scale, title, rules, None), len(rows), label)


def intervals_file(rows: Sequence[Row], *, title: str, rules: Sequence[Rule] = (), noise: float | None = None) -> str:
    """What `intervals` draws, as an SVG file of its own."""
    telling, values = _numbers(rows, rules)
    return alone(partial(_draw_intervals, rows, Scale.of(values, telling), title, rules, noise), len(rows))


def _numbers(rows: Sequence[Row], rules: Sequence[Rule]) -> tuple[list[float], list[float]]:
    """The numbers that a reader looks for, and all that have to be on the axis."""
    telling = [x for row in rows for x in (row.mean_lo, row.mean_hi)] + [rule.x for rule in rules]
    return telling, [*telling, *(x for row in rows for x in (row.lo, row.hi))]


def _draw_intervals(
    rows: Sequence[Row], scale: Scale, title: str, rules: Sequence[Rule], noise: float | None, size: Size
) -> list[Layer]:
    band = [] if noise is None else [_band(scale, title, noise, len(rows))]
    lines = [_rule(scale, title, rule, len(rows), size) for rule in rules]
    return [*band, *lines, *_names(rows, size), *_bars(rows, scale, title)]


def histograms(rows: Sequence[Losses], *, title: str, label: str, rules: Sequence[Rule] = ()) -> Markup:
    """Rows of a histogram with its marks, in both widths; each is as high as its own largest bar."""
    telling = [x for row in rows for x in row.marks.values()] + [rule.x for rule in rules]
    scale = Scale.of([*telling, *(x for row in rows for x in row.values)], telling)

    def draw(size: Size) -> list[Layer]:
        lines = [_rule(scale, title, rule, len(rows), size) for rule in rules]
        areas = [_histogram(row, number, scale, title) for number, row in enumerate(rows)]
        return [*lines, *areas, *_names(rows, size), *_marks(rows, scale, title)]

    return both_widths(draw, len(rows), label)


def _y() -> alt.Y:
    return alt.Y("y:Q", axis=None)


def _data(values: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=values))


def _band(scale: Scale, title: str, end: float, rows: int) -> Layer:
    # The stroke keeps a band that is narrower than a pixel in sight.
    chart = _data([{"x": 0, "x2": end, "y": 0, "y2": rows}]).mark_rect(color=NOISE, stroke=NOISE, strokeWidth=2)
    return chart.encode(x=scale.axis(title), x2="x2", y=_y(), y2="y2")


def _rule(scale: Scale, title: str, rule: Rule, rows: int, size: Size) -> Layer:
    # Where numbers stand above the intervals, the line leaves them out.
    parts = [(0.0, rows)] if size.beside else [(i + _BELOW_TEXT, i + 1) for i in range(rows)]
    line = _data([{"x": rule.x, "y": top, "y2": bottom} for top, bottom in parts]).mark_rule(
        color=TOLERANCE, strokeDash=[5, 4], strokeWidth=1.5
    )
    # The label stands on the side of its line that has more room.
    late = scale.low < 0 if rule.x <= 0 else scale.bend(rule.x) > scale.bend(scale.high) * _LATE
    style: dict[str, Any] = {"align": "right", "dx": -3} if late else {"align": "left", "dx": 3}
    style |= {"y": -9, "color": TOLERANCE, "fontSize": LETTERS, "fontWeight": "bold"}
    words = _data([{"x": rule.x, "t": rule.label}]).mark_text(**style)
    return alt.layer(line.encode(x=scale.axis(title), y=_y(), y2="y2"), words.encode(x=scale.axis(title), text="t:N"))


def _names(rows: Sequence[Row | Losses], size: Size) -> list[Layer]:
    """Names at the left and numbers at the right of each row, or both above it where there is no room."""
    values = [{"y": i + _MIDDLE, "name": row.name, "text": row.text} for i, row in enumerate(rows)]
    left: dict[str, Any] = {"baseline": "middle", "fontSize": LETTERS, "color": INK}
    right: dict[str, Any] = left | {"color": MUTED}
    if size.beside:
        left |= {"x": -12, "align": "right", "limit": size.left - 32}
        right |= {"x": size.inner + 12, "align": "left", "limit": size.right - 12}
    else:
        left |= {"x": 0, "align": "left", "dy": -15, "limit": size.inner * 0.52}
        right |= {"x": size.inner, "align": "right", "dy": -15, "limit": size.inner * 0.48}
    return [
        _data(values).mark_text(**left).encode(y=_y(), text="name:N"),
        _data(values).mark_text(**right).encode(y=_y(), text="text:N"),
    ]


def _bars(rows: Sequence[Row], scale: Scale, title: str) -> list[Layer]:
    layers: list[Layer] = []
    for reference, colour, shape in ((True, REFERENCE, "square"), (False, OWN, "circle")):
        own = [(i + _MIDDLE, row) for i, row in enumerate(rows) if row.reference is reference]
        spans = _data([{"x": row.lo, "x2": row.hi, "y": y} for y, row in own])
        means = _data([{"x": row.mean_lo, "x2": row.mean_hi, "y": y} for y, row in own])
        where = {"x": scale.axis(title), "y": _y()}
        layers += [
            spans.mark_rule(color=colour, strokeWidth=3, opacity=0.55).encode(x2="x2", **where),
            means.mark_rule(color=colour, strokeWidth=8).encode(x2="x2", **where),
            means.mark_point(color=colour, shape=shape, size=80, filled=True, opacity=1).encode(**where),
        ]
    return layers


def _histogram(row: Losses, number: int, scale: Scale, title: str) -> Layer:
    """Equal bins on the bent axis, resting on the lower edge of the row."""
    end = scale.bend(scale.high)
    counts = [0] * _BINS
    for value in row.values:
        counts[int(_BINS * scale.bend(value) / end)] += 1
    base, highest = number + _BASE, max(counts)
    tops = [base - _HIGHEST * count / highest for count in counts]
    edges = [scale.unbend(end * i / _BINS) for i in range(_BINS + 1)]
    outline = [{"x": x, "y": y, "y2": base} for x, y in zip(edges, [*tops, base], strict=True)]
    area = _data(outline).mark_area(interpolate="step-after", color=REFERENCE if row.reference else OWN, opacity=0.45)
    return area.encode(x=scale.axis(title), y=_y(), y2="y2")


def _marks(rows: Sequence[Losses], scale: Scale, title: str) -> list[Layer]:
    where = {"x": scale.axis(title), "y": _y()}
    ground = [{"x": 0, "x2": scale.high, "y": i + _BASE} for i in range(len(rows))]
    medians = [{"x": r.marks["median"], "y": i + _BASE, "y2": i + _BASE - _HIGHEST} for i, r in enumerate(rows)]
    layers: list[Layer] = [
        _data(ground).mark_rule(color=GRID).encode(x2="x2", **where),
        _data(medians).mark_rule(color=INK, strokeWidth=1.5).encode(y2="y2", **where),
    ]
    for name, shape in _POINTS.items():
        points = _data([{"x": row.marks[name], "y": i + _BASE} for i, row in enumerate(rows)])
        layers.append(points.mark_point(shape=shape, color=INK, filled=True, size=60, opacity=1).encode(**where))
    return layers
