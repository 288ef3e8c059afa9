"""The picture of release rules: bits that leak against how far scores move, one point a rule, with bounds."""

from __future__ import annotations

from typing import Any

import altair as alt

from foretell.reports.paper import GRID, INK, MUTED, paper_svg

_POINT = "#1f5fbf"
_WIDTH, _HEIGHT, _LETTERS = 760, 420, 13
#: What moves no score has no place on a logarithmic axis: it stands so far left of the smallest that does.
_LEFT = 10.0
#: Room on the axes beyond the outermost points.
_ROOM = 1.6
#: A point so near to one on its right, as factors of nats and of bits, has its name on the left.
_NEAR_NATS, _NEAR_BITS = 5.0, 1.1


def release_file(record: dict[str, Any]) -> str:
    """The figure of release.json as an SVG file; rules of which bits are not determined are left out."""
    rules = [one for one in record["rules"] if "at_most" in one["state_bits"]]
    moved = [one["error_nats"] for one in rules if one["error_nats"] > 0]
    edge = min(moved, default=1.0) / _LEFT
    values = [_value(one, edge) for one in rules]
    _place_names(values)
    high = max([value["right"] for value in values], default=1.0)
    across: Any = alt.Scale(type="log", domain=[edge / _ROOM, high * _ROOM**2], nice=False)
    up: Any = alt.Scale(type="log")
    sides: Any = ((8, "left"), (-8, "right"))
    x = alt.X("x:Q", scale=across, axis=alt.Axis(title=_title_x(values), format="~g", tickCount=8))
    y = alt.Y("bits:Q", scale=up, axis=alt.Axis(title="bits a position, at most", format=",~g"))
    base = alt.Chart(alt.InlineData(values=values))
    layers = [
        base.mark_rule(color=_POINT, opacity=0.45, strokeWidth=2.5).encode(x=x, x2="right:Q", y=y),
        base.mark_rule(color=_POINT, opacity=0.45, strokeWidth=2.5).encode(
            x=alt.X("right:Q", scale=across), y=alt.Y("lo:Q", scale=up), y2="hi:Q"
        ),
        base.mark_point(color=_POINT, filled=True, size=70, opacity=1).encode(x=alt.X("right:Q", scale=across), y=y),
        *(
            base.mark_text(color=INK, align=align, dx=dx, dy=-8, fontSize=_LETTERS)
            .encode(x=alt.X("right:Q", scale=across), y=y, text="rule:N")
            .transform_filter(f"datum.align === '{align}'")
            for dx, align in sides
        ),
    ]
    title = f"{record['truth']}: what each release rule leaks, and how far it moves scores"
    chart = alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT, title=title)
    axis = {"gridColor": GRID, "domainColor": MUTED, "tickColor": MUTED, "labelColor": MUTED}
    return paper_svg(chart, _LETTERS, axis=axis | {"labelFontSize": _LETTERS - 1})


def _value(rule: dict[str, Any], edge: float) -> dict[str, Any]:
    """A point at the upper bound of the error of the forecast that moves most, with a bar down to its mean error."""
    bits, right = rule["state_bits"], max(rule["error_nats"], edge)
    worst = next(one for one in rule["forecasts"] if one["forecast"] == rule["worst_forecast"])
    bias = worst["bias_nats"]
    mean = max(abs(bias["lo"]), abs(bias["hi"])) if isinstance(bias, dict) else abs(bias)
    ends = (bits["lo"], bits["hi"]) if "lo" in bits else (bits["at_most"], bits["at_most"])
    label = rule["rule"] if rule["error_nats"] > 0 else f"{rule['rule']} (moves none)"
    return {
        "rule": label,
        "x": min(max(mean, edge), right),
        "right": right,
        "bits": bits["at_most"],
        "lo": ends[0],
        "hi": ends[1],
    }


def _place_names(values: list[dict[str, Any]]) -> None:
    """Put a name on the left of its point where it would run into a point on the right."""
    for value in values:
        crowded = any(
            1 < other["right"] / value["right"] < _NEAR_NATS
            and 1 / _NEAR_BITS < other["bits"] / value["bits"] < _NEAR_BITS
            for other in values
        )
        value["align"] = "right" if crowded else "left"


def _title_x(values: list[dict[str, Any]]) -> str:
    left = "; at the left edge: no score moves" if any("moves none" in value["rule"] for value in values) else ""
    return f"nats that the mean score of some forecast is off (upper bound, and bar from the mean{left})"
