"""The plot of a run: times of peers and limits, collecting beside bare forward passes, memory by positions."""

from __future__ import annotations

from typing import Any

import altair as alt
import vl_convert

from benchmarks.record import Findings, Peak, Work

_MIB = 2**20
_WIDTH = 420
_GOAL_MIB = 2e9 / _MIB
_COLOURS = {"foretell": "#0b6e99", "peer": "#c4682b", "limit": "#8a8f98"}


def plot_svg(findings: Findings) -> str:
    """The plot as SVG."""
    panels = [_speed(work) for work in findings.works]
    if findings.peaks:
        panels.append(_memory(findings.peaks))
    chart = alt.vconcat(*panels, spacing=28).configure_view(stroke=None).configure(background="#ffffff")
    return str(vl_convert.vegalite_to_svg(chart.to_json()))


def _speed(work: Work) -> Any:
    rows = [
        {
            "variant": record.name,
            "role": record.role,
            "median": record.median,
            "least": min(record.seconds),
            "largest": max(record.seconds),
        }
        for record in work.records
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(y=alt.Y("variant:N", sort=None, title=None, axis=_labels()))
    bars = base.mark_bar(height=13).encode(
        x=alt.X("median:Q", title="seconds: median, and least to largest", scale=alt.Scale(zero=True)),
        color=alt.Color(
            "role:N",
            title=None,
            legend=alt.Legend(orient="bottom"),
            scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())),
        ),
    )
    spread = base.mark_rule(color="#222222").encode(x="least:Q", x2="largest:Q")
    return (bars + spread).properties(width=_WIDTH, height=alt.Step(22), title=_title(work.name))


def _memory(peaks: list[Peak]) -> Any:
    rows = [
        {"work": peak.work, "positions": peak.positions, "mib": peak.peak_bytes / _MIB}
        for peak in peaks
        if peak.positions
    ]
    lines = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("positions:Q", title="scored positions", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s")),
            y=alt.Y("mib:Q", title="peak MiB", scale=alt.Scale(zero=True)),
            color=alt.Color(
                "work:N",
                title=None,
                legend=alt.Legend(orient="bottom", columns=1, labelLimit=_WIDTH),
                scale=alt.Scale(range=["#0b6e99", "#c4682b", "#6b4c9a"]),
            ),
        )
    )
    dashed = alt.Chart(alt.InlineData(values=[{"mib": _GOAL_MIB}])).mark_rule(color="#8a8f98", strokeDash=[4, 3])
    goal = dashed.encode(y="mib:Q")
    layers = (lines + goal).properties(width=_WIDTH, height=180, title=_title("memory; dashed: the goal, 2 GB"))
    return layers.resolve_scale(color="independent")


def _labels() -> Any:
    return alt.Axis(labelLimit=260)


def _title(text: str) -> Any:
    return alt.TitleParams(text, anchor="start", fontSize=12)
