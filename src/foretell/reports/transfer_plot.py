"""The picture of a transfer table: rank correlations between units as a heat map, and every forecast's mean losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from foretell.reports.figures import bounds, figure, plain, upper
from foretell.reports.paper import INK, PAPER, paper_svg
from foretell.scoring.losses import NATS, loss_metric

#: From a reversed order over no relation to the same order; and from no loss to the largest one.
_REVERSED, _NONE, _SAME = "#a3246b", "#f2efe8", "#1f5fbf"
_LEAST, _MOST = "#fbf3df", "#8c4a12"
#: Share of a colour's way from its light end above which letters on it are light.
_DARK = 0.55
_CELL_WIDTH, _CELL_HEIGHT, _LETTERS, _LABEL = 132, 40, 12, 300


@dataclass(frozen=True)
class Square:
    """One cell: its place, its colour's value, and two lines of text."""

    row: str
    column: str
    value: float | None
    text: str
    small: str = ""


def transfer_file(record: dict[str, Any]) -> str:
    """The figure of transfer.json as an SVG file."""
    names = [unit["name"] for unit in record["units"]]
    charts = [_correlations(record, names), _losses(record, names)]
    if record["passes"] is not None:
        charts.append(_passes(record, names))
    chart = alt.vconcat(*charts, spacing=30).resolve_scale(color="independent")
    labels = {"labelColor": INK, "labelFontSize": _LETTERS, "labelLimit": _LABEL}
    return paper_svg(chart, _LETTERS, axis=labels | {"domain": False, "ticks": False})


def _correlations(record: dict[str, Any], names: Sequence[str]) -> Any:
    squares = [Square(name, name, None, "") for name in names]
    for one in record["correlations"]:
        rho = one.get("spearman")
        value = None if rho is None else float(rho["value"])
        texts = ("–", "") if rho is None else (plain(rho["value"]), bounds(rho))
        squares += [Square(one["a"], one["b"], value, *texts), Square(one["b"], one["a"], value, *texts)]
    title = f"Rank correlation of forecasts (Spearman; bounds hold together, about {record['settings']['level']:.0%})"
    scale = alt.Scale(domain=[-1, 0, 1], range=[_REVERSED, _NONE, _SAME])
    return _heat(squares, names, names, title, scale, dark=lambda value: abs(value) > _DARK)


def _losses(record: dict[str, Any], names: Sequence[str]) -> Any:
    found = record["losses"]
    most = max(upper(one["mean"]) for one in found) or 1.0
    squares = [
        Square(one["forecast"], one["unit"], upper(one["mean"]), figure(one["mean"]), bounds(one)) for one in found
    ]
    metric = loss_metric(record["settings"]["metric"], "transfer.json")
    unit = " in nats" if metric.unit == NATS else ""
    title = f"Mean {metric.title}{unit} (bounds of each by itself, {record['settings']['level']:.0%})"
    scale = alt.Scale(domain=[0, most], range=[_LEAST, _MOST])
    return _heat(squares, record["forecasts"], names, title, scale, dark=lambda value: value > _DARK * most)


def _passes(record: dict[str, Any], names: Sequence[str]) -> Any:
    squares = [Square(name, name, None, "") for name in names]
    known = [one for one in record["passes"] if "worst" in one]
    most = max([record["settings"]["tolerance"], *(one["mean"] for one in known)]) or 1.0
    for one in record["passes"]:
        if "worst" in one:
            squares.append(Square(one["on"], one["then"], one["mean"], plain(one["mean"]), bounds(one)))
        else:
            squares.append(Square(one["on"], one["then"], None, "–"))
    title = (
        f"Largest mean on the column’s unit among forecasts that meet {record['settings']['tolerance']:g} on the "
        f"row’s (bounds hold together, {record['settings']['level']:.0%})"
    )
    scale = alt.Scale(domain=[0, most], range=[_LEAST, _MOST])
    return _heat(squares, names, names, title, scale, dark=lambda value: value > _DARK * most)


def _heat(
    squares: Sequence[Square], rows: Sequence[str], columns: Sequence[str], title: str, scale: Any, *, dark: Any
) -> Any:
    values = [
        {
            "row": square.row,
            "column": square.column,
            "value": square.value,
            "text": square.text,
            "small": square.small,
            "ink": PAPER if square.value is not None and dark(square.value) else INK,
        }
        for square in squares
    ]
    x = alt.X("column:N", sort=list(columns), title=None, axis=alt.Axis(orient="top", labelAngle=0))
    y = alt.Y("row:N", sort=list(rows), title=None)
    base = alt.Chart(alt.InlineData(values=values)).encode(x=x, y=y)
    letters = alt.Color("ink:N", scale=None)
    layers = [
        base.transform_filter("datum.value !== null")
        .mark_rect(stroke=PAPER, strokeWidth=2)
        .encode(color=alt.Color("value:Q", scale=scale, legend=None)),
        base.mark_text(dy=-6, fontSize=_LETTERS + 1, fontWeight="bold").encode(text="text:N", color=letters),
        base.mark_text(dy=9, fontSize=_LETTERS - 1).encode(text="small:N", color=letters),
    ]
    size = {"width": _CELL_WIDTH * len(columns), "height": _CELL_HEIGHT * len(rows)}
    return alt.layer(*layers).resolve_scale(color="independent").properties(title=title, **size)
