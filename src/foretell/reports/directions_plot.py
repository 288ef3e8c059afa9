"""The picture of local identifiability: directions pinned against the number of prompts, a line a tolerance."""

from __future__ import annotations

import math
from typing import Any

import altair as alt

from foretell.reports.figures import plain
from foretell.reports.paper import GRID, INK, paper_svg

#: From the tightest tolerance to the loosest.
_LINES = ("#0b2e6f", "#1f5fbf", "#4d9a8f", "#c28a1e", "#a3246b")
_WIDTH, _HEIGHT, _LETTERS = 420, 300, 12


def directions_file(record: dict[str, Any]) -> str:
    """The figure of a record of `foretell information directions` as an SVG file.

    Points are filled where the figure is determined, and open where it is what the curvature at the target says, but
    cannot be relied on.
    """
    charts = [_chart(record, index, size) for index, size in enumerate(record["settings"]["sizes"])]
    chart = alt.hconcat(*charts, spacing=40).resolve_scale(color="independent")
    axis = {"labelColor": INK, "labelFontSize": _LETTERS, "gridColor": GRID}
    return paper_svg(chart, _LETTERS, axis=axis, legend={"labelFontSize": _LETTERS})


def _chart(record: dict[str, Any], index: int, size: float) -> Any:
    values = []
    for row in record["rows"]:
        pinned = row["pinned"][index]
        ends = pinned["by_curvature"]["effective"]
        told = "unscored" not in pinned["pinned"]
        values.append(
            {
                "prompts": row["prompts"],
                "tolerance": f"{row['tolerance']:g} nats",
                # A logarithmic axis has no 0.
                "lo": max(ends["lo"], 1.0),
                "hi": max(ends["hi"], 1.0),
                "middle": max((ends["lo"] * ends["hi"]) ** 0.5, 1.0),
                "told": told,
            }
        )
    names = [f"{one:g} nats" for one in sorted(record["settings"]["tolerances"])]
    colour = alt.Color(
        "tolerance:N",
        sort=names,
        scale=alt.Scale(
            domain=names, range=[_LINES[i * (len(_LINES) - 1) // max(len(names) - 1, 1)] for i in range(len(names))]
        ),
        legend=alt.Legend(title="mean KL of") if index == len(record["settings"]["sizes"]) - 1 else None,
    )
    x = alt.X("prompts:Q", scale=alt.Scale(type="log", nice=False, padding=12), title="prompts", axis=_axis(record))
    decades = [10.0**power for power in range(math.ceil(math.log10(max(record["weights"], 1))))]
    log = alt.Scale(type="log", domain=[1, max(record["weights"], 1)], nice=False)
    y = alt.Y("lo:Q", scale=log, title="directions (effective number)", axis=alt.Axis(format="~s", values=decades))
    base = alt.Chart(alt.InlineData(values=values)).encode(x=x, color=colour)
    middle = alt.Y("middle:Q", scale=log)
    layers = [
        base.mark_line(opacity=0.4).encode(y=middle),
        base.mark_rule(strokeWidth=2).encode(y=y, y2="hi:Q"),
        base.transform_filter("datum.told").mark_point(filled=True, size=60, opacity=1).encode(y=middle),
        base.transform_filter("!datum.told").mark_point(filled=False, size=60).encode(y=middle),
    ]
    title = f"{record['target']}: pinned to {plain(100 * size)}% of the weights’ norm, of {record['weights']:,}"
    return alt.layer(*layers).properties(title=title, width=_WIDTH, height=_HEIGHT)


def _axis(record: dict[str, Any]) -> Any:
    return alt.Axis(values=sorted({row["prompts"] for row in record["rows"]}), format="d", grid=False)
