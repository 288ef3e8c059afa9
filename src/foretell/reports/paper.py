"""Figures that stand alone: an altair chart as an SVG file on paper, in the light colours of the report's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import vl_convert

PAPER, INK, MUTED, GRID = "#fbfaf7", "#1c1d20", "#5d5f66", "#e3e0d8"
_PADDING = 16


def paper_svg(chart: Any, letters: int, *, axis: Mapping[str, Any], legend: Mapping[str, Any] | None = None) -> str:
    """A chart as an SVG file.

    Args:
        letters: size of the letters in pixels; of a title one more.
        axis, legend: what is theirs beside the size and weight of their titles.
    """
    spec = chart.to_dict() | {"background": PAPER, "padding": _PADDING}
    titles = {"titleFontSize": letters, "titleFontWeight": "normal"}
    spec["config"] = spec.get("config", {}) | {
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": {"titleColor": MUTED, **titles, **axis},
        **({} if legend is None else {"legend": {**titles, **legend}}),
        "title": {"color": INK, "fontSize": letters + 1, "fontWeight": "normal", "anchor": "start"},
    }
    return str(vl_convert.vegalite_to_svg(spec))
