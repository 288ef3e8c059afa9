"""Figures: what is given is drawn, with its bounds, in one order and in one colour a series."""

from __future__ import annotations

from xml.etree import ElementTree

from foretell.studies.drawing import HALF, Axis, Panel, Point, beside, curves, forest, svg

POINTS = [Point("one", 10.0, 0.5, 0.4, 0.7), Point("one", 100.0, 0.3, 0.2, 0.4), Point("two", 10.0, 0.9, 0.8, 1.0)]


def texts(drawing: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(drawing).iter() if element.text]


def test_curves_have_every_point_with_its_bounds() -> None:
    runs = Axis("runs", log=True, from_zero=10, ticks=(0, 10, 100), domain=(0, 100))
    chart = curves(POINTS, runs, Axis("nats", domain=(0, 1), ticks=(0.5, 1)))
    spec = chart.to_dict()
    layers = spec["layer"]
    assert [row["mean"] for rows in spec["datasets"].values() for row in rows] == [0.5, 0.3, 0.9]
    bounds = layers[1]["encoding"]
    assert (bounds["y"]["field"], bounds["y2"]["field"]) == ("lo", "hi")
    assert bounds["x"]["scale"]["type"] == "symlog"
    shown = texts(svg(chart))
    assert {"one", "two", "runs", "nats", "0", "10", "100"} <= set(shown)
    assert shown.index("one") < shown.index("two")


def test_two_charts_beside_each_other_keep_their_own_series() -> None:
    left = curves(POINTS[:2], Axis("runs"), Axis("nats"), width=HALF)
    right = curves(POINTS[2:], Axis("steps"), Axis("nats"), rules=[(0.5, "threshold")], width=HALF)
    shown = texts(svg(beside(left, right)))
    assert {"one", "two", "runs", "steps", "threshold"} <= set(shown)


def test_a_forest_has_every_row_once_and_every_panel() -> None:
    panels = (
        Panel("nats", {"a": (1.0, 0.9, 1.2), "b": (2.0, 1.9, 2.1)}),
        Panel("skill", {"a": (0.5, 0.4, 0.6)}, rule=0.0),
    )
    shown = texts(svg(forest({"a": "text only", "b": "a model"}, panels)))
    assert [shown.count(name) for name in ("a", "b", "nats", "skill", "text only", "a model")] == [1] * 6
    assert shown.index("a") < shown.index("b")


def test_a_finished_svg_stays_what_it_is() -> None:
    assert svg("<svg/>") == "<svg/>"
