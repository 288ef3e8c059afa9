"""Figures of studies: curves with bounds, in the colours of the report's page, as SVG files that stand alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from foretell.reports.paper import GRID, INK, MUTED, PAPER

#: A chart of altair, whose own types differ from call to call.
Chart = Any
#: Colours of series in the order of their first points, from the report's own; told apart in grey by their shapes too.
COLOURS = ("#1f5fbf", "#a3246b", "#77736a", "#1d7a5f", "#b3641b", "#6a4fa3", "#2b2d33", "#8a9a1f", "#4aa0c0", "#c05050")
SHAPES = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "triangle-down",
    "cross",
    "circle",
    "square",
    "diamond",
    "cross",
)
WIDE, HALF, _HEIGHT, _LETTERS = 860, 440, 400, 13
_COLUMNS = 3
_PANEL, _ROW = 250, 24


@dataclass(frozen=True)
class Point:
    """One number of a series: at x, a mean with its bounds lo and hi (the same as the mean where it has none)."""

    series: str
    x: float
    mean: float
    lo: float
    hi: float


@dataclass(frozen=True)
class Axis:
    """An axis: its title with the unit, its ticks where they are chosen, and logarithmic or not.

    Attributes:
        from_zero: with log, logarithmic from this size on and linear below, so that 0 has a place.
        names: what the ticks are called, where not by their numbers.
    """

    title: str
    log: bool = False
    from_zero: float = 0.0
    ticks: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    domain: tuple[float, float] | None = None

    def scale(self) -> alt.Scale:
        """The scale of altair."""
        extra: dict[str, Any] = {} if self.domain is None else {"domain": list(self.domain)}
        if self.log and self.from_zero:
            return alt.Scale(type="symlog", constant=self.from_zero, nice=False, zero=False, **extra)
        return alt.Scale(type="log" if self.log else "linear", nice=False, zero=False, **extra)

    def axis(self) -> alt.Axis:
        """The axis of altair."""
        extra: dict[str, Any] = {"values": list(self.ticks)} if self.ticks else {}
        if self.names:
            # By their order: ticks that were computed need not compare equal to what was given.
            extra["labelExpr"] = f"{json.dumps(self.names)}[round(datum.index * {len(self.names) - 1})]"
        return alt.Axis(title=self.title, format=",.6~g", **extra)


def curves(
    points: Sequence[Point], x: Axis, y: Axis, *, rules: Sequence[tuple[float, str]] = (), width: int = WIDE
) -> Chart:
    """Series as lines with their points and bounds; a legend above, in the order in which they are given.

    Args:
        rules: heights of dashed horizontal lines, each with a label.
        width: of the plot itself in pixels, WIDE or, for two beside each other, HALF.
    """
    names = list(dict.fromkeys(point.series for point in points))
    rows = [vars(point) for point in points]
    base = alt.Chart(alt.InlineData(values=rows))
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=names, range=_cycled(COLOURS, len(names))),
        legend=alt.Legend(title=None, orient="top", columns=_COLUMNS, labelLimit=300, symbolSize=90),
        sort=names,
    )
    shape = alt.Shape(
        "series:N",
        scale=alt.Scale(domain=names, range=_cycled(SHAPES, len(names))),
        legend=alt.Legend(title=None, orient="top", columns=_COLUMNS, labelLimit=300),
    )
    at = {"x": alt.X("x:Q", scale=x.scale(), axis=x.axis()), "color": colour}
    mean = alt.Y("mean:Q", scale=y.scale(), axis=y.axis())
    layers: list[Any] = [
        base.mark_line(strokeWidth=1.6, opacity=0.8).encode(y=mean, **at),
        base.mark_rule(strokeWidth=2.5, opacity=0.45).encode(y=alt.Y("lo:Q", scale=y.scale()), y2="hi:Q", **at),
        base.mark_point(size=70, filled=True, opacity=1).encode(y=mean, shape=shape, **at),
    ]
    for height, label in rules:
        line = alt.Chart(alt.InlineData(values=[{"y": height, "t": label}]))
        level = alt.Y("y:Q", scale=y.scale())
        layers.append(line.mark_rule(color=MUTED, strokeDash=[5, 4]).encode(y=level))
        layers.append(
            line.mark_text(align="left", dy=-7, color=MUTED, fontSize=_LETTERS - 1).encode(
                x=alt.value(6), y=level, text="t:N"
            )
        )
    return alt.layer(*layers).properties(width=width, height=_HEIGHT)


@dataclass(frozen=True)
class Panel:
    """One column of a forest plot: its title, and of each row mean, lo and hi; rows may be missing."""

    title: str
    numbers: dict[str, tuple[float, float, float]]
    log: bool = False
    rule: float | None = None


def forest(rows: dict[str, str], panels: Sequence[Panel]) -> Chart:
    """Rows of names with a mean and its bounds in each of several panels side by side.

    Args:
        rows: names from the top down, each with its series, which has a colour of its own.
    """
    series = list(dict.fromkeys(rows.values()))
    charts = [_panel(rows, series, panel, first=index == 0) for index, panel in enumerate(panels)]
    return alt.hconcat(*charts, spacing=24)


def _panel(rows: dict[str, str], series: list[str], panel: Panel, *, first: bool) -> Chart:
    values = [
        {"name": name, "series": kind, "mean": found[0], "lo": found[1], "hi": found[2]}
        for name, kind in rows.items()
        if (found := panel.numbers.get(name)) is not None
    ]
    names = alt.Axis(title=None, labelLimit=330, grid=True) if first else None
    y = alt.Y("name:N", scale=alt.Scale(domain=list(rows)), sort=None, axis=names)
    scale = alt.Scale(type="log" if panel.log else "linear", nice=False, zero=False)
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=series, range=_cycled(COLOURS, len(series))),
        legend=alt.Legend(title=None, orient="top", labelLimit=400),
    )
    axis = alt.Axis(title=panel.title, format=",.6~g", tickCount=5)
    base = alt.Chart(alt.InlineData(values=values)).encode(y=y, color=colour)
    layers: list[Any] = [
        base.mark_rule(strokeWidth=3, opacity=0.5).encode(x=alt.X("lo:Q", scale=scale, axis=axis), x2="hi:Q"),
        base.mark_point(size=60, filled=True, opacity=1).encode(x=alt.X("mean:Q", scale=scale, axis=axis)),
    ]
    if panel.rule is not None:
        line = alt.Chart(alt.InlineData(values=[{"at": panel.rule}])).mark_rule(color=MUTED, strokeDash=[5, 4])
        layers.insert(0, line.encode(x=alt.X("at:Q", scale=scale, axis=axis)))
    return alt.layer(*layers).properties(width=_PANEL, height=_ROW * len(rows))


def beside(*charts: Chart) -> Chart:
    """Charts in a row, each with colours of its own."""
    return alt.hconcat(*charts, spacing=36).resolve_scale(color="independent", shape="independent")


def _cycled(values: Sequence[str], count: int) -> list[str]:
    return [values[index % len(values)] for index in range(count)]


def svg(figure: Any) -> str:
    """A figure as an SVG file: an altair chart in the page's light colours; a text is SVG already."""
    if isinstance(figure, str):
        return figure
    spec = figure.to_dict()
    spec["config"] = _CONFIG | spec.get("config", {})
    spec["background"] = PAPER
    spec.setdefault("padding", 14)
    return str(vl_convert.vegalite_to_svg(spec))


_CONFIG: dict[str, Any] = {
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "gridColor": GRID,
        "domainColor": MUTED,
        "tickColor": MUTED,
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": _LETTERS - 1,
        "titleFontSize": _LETTERS,
    },
    "legend": {"labelColor": INK, "labelFontSize": _LETTERS, "titleColor": MUTED},
    "header": {"labelColor": INK, "labelFontSize": _LETTERS, "title": None},
    "title": {"color": INK, "fontSize": _LETTERS + 1, "fontWeight": "normal", "anchor": "start"},
}
