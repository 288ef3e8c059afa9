"""What plots are drawn on: two widths, a bent logarithmic axis, and SVG that takes its colours from the page's CSS."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

#: Colours that stand for CSS variables until the SVG is written.
INK, MUTED, GRID, OWN, REFERENCE, TOLERANCE, NOISE, CARD = (f"#a1000{i}" for i in range(1, 9))
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    OWN: "--own",
    REFERENCE: "--reference",
    TOLERANCE: "--tolerance",
    NOISE: "--noise",
    CARD: "--card",
}
#: The same colours for a file that stands alone: those of the page's light style, on its paper.
_LIGHT = {
    INK: "#1c1d20",
    MUTED: "#5d5f66",
    GRID: "#e3e0d8",
    OWN: "#1f5fbf",
    REFERENCE: "#77736a",
    TOLERANCE: "#a3246b",
    NOISE: "#e6dcc0",
    CARD: "#ffffff",
}
PAPER = "#fbfaf7"
#: Height of letters, room above the plot for labels of lines, room below it for the axis (pixels).
LETTERS, _TOP, _BOTTOM = 13, 26, 44
_DECADE, _MAX_TICKS, _LAST_DECADE = 10.0, 7, 3
#: Decades that an axis shows apart from each other at most; smaller numbers lie together at zero.
_MOST_DECADES = 4
#: Share of the axis left empty beyond the outermost numbers.
_MARGIN = 0.03


@dataclass(frozen=True)
class Size:
    """A layout in pixels: total width, room left and right of the plot, height of a row, names above or beside it."""

    width: int
    left: int
    right: int
    row: int
    beside: bool

    @property
    def inner(self) -> int:
        """Width of the plot itself."""
        return self.width - self.left - self.right


WIDE = Size(width=960, left=200, right=220, row=36, beside=True)
NARROW = Size(width=360, left=10, right=14, row=52, beside=False)
#: A file that stands alone, with room for longer names and for two figures a row.
ALONE = Size(width=1280, left=330, right=370, row=32, beside=True)
#: Below this constant's hundredth an axis that is bent at it cannot be told from a straight one.
_STRAIGHT = 1e3
#: What is smaller has no decade to draw: it is rounding, and shown as 0.
_NOTHING = 1e-30


@dataclass(frozen=True)
class Scale:
    """A symmetric logarithmic axis in nats: x ↦ sign(x)·log(1 + |x|/constant), which shows 0 and decades alike."""

    low: float
    high: float
    constant: float
    marks: tuple[float, ...] = ()

    @classmethod
    def straight(cls, values: Sequence[float]) -> Scale:
        """A linear scale that shows all values and zero, for figures that are no nats.

        >>> Scale.straight([-0.2, 1.0]).ticks
        [-0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        """
        low, high = min(0.0, *values), max(0.0, *values)
        width = high - low if high - low > _NOTHING else 1.0
        rough = _decade(width / _MAX_TICKS)
        step = next(rough * factor for factor in (1, 2, 5, 10) if width / (rough * factor) <= _MAX_TICKS)
        first, last = math.ceil(low / step - _MARGIN), math.floor(high / step + _MARGIN)
        marks = tuple(float(f"{index * step:.6g}") for index in range(first, last + 1))
        # The margin leaves no number on the edge.
        left = low - _MARGIN * width if low < 0 else 0.0
        return cls(left, high + _MARGIN * width, _STRAIGHT * max(high, -low, 1.0), marks)

    @classmethod
    def of(cls, values: Sequence[float], telling: Sequence[float]) -> Scale:
        """A scale that shows all values and zero, bent at the decade of the smallest of the telling ones.

        >>> Scale.of([0.05, 2.0], telling=[0.05, 2.0]).ticks
        [0.0, 0.01, 0.03, 0.1, 0.3, 1.0]
        """
        sizes = sorted(abs(value) for value in telling if abs(value) > _NOTHING) or [1.0]
        bend_at = _decade(max(sizes[0], sizes[-1] * _DECADE**-_MOST_DECADES))
        bare = cls(min(0.0, *values), max(0.0, *values), bend_at)
        left, right = bare.bend(-bare.low), bare.bend(bare.high)
        margin = _MARGIN * (left + right or 1.0)
        low = -bare.unbend(left + margin) if bare.low < 0 else 0.0
        return cls(low, bare.unbend(right + margin), bend_at)

    @property
    def ticks(self) -> list[float]:
        """Zero and round numbers inside the axis, about seven at most where decades allow it."""
        if self.marks:
            return list(self.marks)
        found: list[float] = []
        for steps in ((1, 2, 5), (1, 3), (1,)):
            decades = range(round(math.log10(self.constant)), _LAST_DECADE + 1)
            sizes = [float(f"{step}e{decade}") for decade in decades for step in steps]
            found = [0.0, *(x for x in sizes if x <= self.high), *(-x for x in sizes if -x >= self.low)]
            if len(found) <= _MAX_TICKS:
                break
        return sorted(found)

    def bend(self, x: float) -> float:
        """Place of x ≥ 0 on the axis, in units of its own."""
        return math.log1p(x / self.constant)

    def unbend(self, place: float) -> float:
        """The x ≥ 0 at a place."""
        return self.constant * math.expm1(place)

    def axis(self, title: str) -> alt.X:
        """The encoding of a column `x`."""
        axis = alt.Axis(values=self.ticks, title=title, format="~g", titleFontWeight="normal", labelOverlap="greedy")
        scale = alt.Scale(type="symlog", constant=self.constant, domain=[self.low, self.high], nice=False)
        return alt.X("x:Q", axis=axis, scale=scale)


def _decade(value: float) -> float:
    """The power of ten at or below a value.

    >>> _decade(0.04)
    0.01
    """
    return float(f"1e{math.floor(math.log10(value))}")


def both_widths(draw: Callable[[Size], list[Any]], rows: int, label: str) -> Markup:
    """The wide and the narrow drawing; CSS shows one of them.

    Args:
        draw: the layers in a layout, with a column `x` in nats and `y` in rows from the top.
        label: what a screen reader says.
    """
    figure = Markup('<div class="plot {}" role="img" aria-label="{}">{}</div>')
    drawn = (("wide", WIDE), ("narrow", NARROW))
    return Markup("").join(figure.format(name, label, _svg(draw(size), size, rows)) for name, size in drawn)


def alone(draw: Callable[[Size], list[Any]], rows: int) -> str:
    """A drawing as an SVG file of its own, in the page's light colours."""
    return on_paper(_drawn(draw(ALONE), ALONE, rows, _CONFIG | {"background": PAPER, "font": "sans-serif"}))


def on_paper(svg: str) -> str:
    """A drawing in the page's light colours, for a file that stands alone."""
    for colour, light in _LIGHT.items():
        svg = svg.replace(f'"{colour}"', f'"{light}"')
    return svg


def _svg(layers: list[Any], size: Size, rows: int) -> Markup:
    return Markup(themed(_drawn(layers, size, rows, _CONFIG)))


def _drawn(layers: list[Any], size: Size, rows: int, config: dict[str, Any]) -> str:
    chart = alt.layer(*layers).properties(
        width=size.inner,
        height=size.row * rows,
        autosize=alt.AutoSizeParams(type="none"),
        padding={"left": size.left, "right": size.right, "top": _TOP, "bottom": _BOTTOM},
    )
    spec = chart.to_dict()
    spec["config"] = config
    for layer in spec["layer"]:
        _downwards(layer, rows)
    return str(vl_convert.vegalite_to_svg(spec))


_CONFIG: dict[str, Any] = {
    "aria": False,
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "gridColor": GRID,
        "domainColor": MUTED,
        "tickColor": MUTED,
        "labelColor": MUTED,
        "titleColor": MUTED,
        "labelFontSize": LETTERS - 1,
        "titleFontSize": LETTERS - 1,
    },
}


def _downwards(layer: dict[str, Any], rows: int) -> None:
    """Let y count rows from the top; a quantitative axis counts upwards by itself."""
    for inner in layer.get("layer", []):
        _downwards(inner, rows)
    if "y" in layer.get("encoding", {}):
        layer["encoding"]["y"]["scale"] = {"domain": [0, rows], "reverse": True, "nice": False, "zero": False}


def themed(svg: str) -> str:
    """Replace the stand-in colours by CSS variables, and leave fonts and size to the page."""
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(f'"{colour}"', f'"var({variable})"')
    svg = re.sub(r' font-family="[^"]*"', "", svg)
    return re.sub(r'^<svg[^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true" focusable="false">', svg)
