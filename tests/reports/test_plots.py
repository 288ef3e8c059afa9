"""The plots: an axis that bends back, SVG that holds no colours of its own and no code."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.reports.canvas import WIDE, Scale
from foretell.reports.plots import Losses, Row, Rule, histograms, intervals

ROWS = [
    Row("team <a> & co", 0.1, 0.1, 0.05, 0.2, "0.1 (0.05 to 0.2)"),
    Row("uniform", 3.0, 3.5, 2.0, 4.0, "3 to 3.5 (2 to 4)", reference=True),
]


@given(st.floats(0, 50), st.sampled_from([1e-4, 0.01, 1.0]))
def test_bending_there_and_back(x: float, constant: float) -> None:
    scale = Scale(0, 60, constant)
    assert scale.unbend(scale.bend(x)) == pytest.approx(x, rel=1e-9, abs=1e-12)


@given(st.lists(st.floats(-30, 30).filter(lambda x: x == 0 or abs(x) > 1e-9), min_size=1, max_size=20))
def test_a_scale_shows_all_values_and_zero(values: list[float]) -> None:
    scale = Scale.of(values, values)
    assert scale.low <= min(0.0, *values)
    assert max(0.0, *values) < scale.high
    assert 0.0 in scale.ticks
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks)


def test_an_interval_lies_where_the_axis_says() -> None:
    svg = str(intervals(ROWS, title="nats", label="x", rules=[Rule(0.15, "tolerance 0.15")], noise=0.01))
    wide = re.search(r'<div class="plot wide".*?</svg>', svg, re.DOTALL)
    assert wide
    values = [0.1, 0.05, 0.2, 3.0, 3.5, 2.0, 4.0, 0.15]
    scale = Scale.of(values, [0.1, 3.0, 3.5, 0.15])
    expected = WIDE.inner * scale.bend(0.15) / scale.bend(scale.high)
    dashed = re.search(r'translate\(([\d.]+),0\)"[^>]*stroke-dasharray', wide[0])
    assert dashed
    assert float(dashed[1]) == pytest.approx(expected, abs=0.01)


def test_plots_are_escaped_and_take_the_pages_colours() -> None:
    marks = {"median": 0.1, "90%": 0.3, "99%": 0.6, "worst": 0.9}
    for svg in (
        str(intervals(ROWS, title="nats", label='a "label"')),
        str(histograms([Losses("<i>", [0.0, 0.1, 0.1, 0.9], marks, "worst 0.9")], title="nats", label="x")),
    ):
        tree = ElementTree.fromstring(f"<p>{svg}</p>")
        colours = {value for node in tree.iter() for name in ("fill", "stroke") if (value := node.get(name))}
        assert colours - {"none", "transparent"} <= {
            f"var(--{name})" for name in ("ink", "muted", "line", "own", "reference", "tolerance", "noise")
        }
        assert {node.tag for node in tree.iter()} <= {"p", "div", "svg", "g", "path", "line", "text", "rect"}
    assert "team &lt;a&gt; &amp; co" in str(intervals(ROWS, title="nats", label="x"))
