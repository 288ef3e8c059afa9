"""The picture of release rules: every rule with known bits has a point and a name, whether it moves scores or not."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from foretell.reports.release_plot import release_file


def made_rule(spec: str, bits: dict[str, Any], error: float, bias: float | dict[str, float]) -> dict[str, Any]:
    forecasts = [{"forecast": "mine", "bias_nats": bias}]
    return {
        "rule": spec,
        "state_bits": bits,
        "error_nats": error,
        "worst_forecast": "mine",
        "forecasts": forecasts,
    }


def drawn(*rules: dict[str, Any]) -> str:
    svg = release_file({"truth": "made", "rules": list(rules)})
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    return svg


def test_every_rule_has_its_name() -> None:
    bounded = {"at_most": 100.0, "lo": 90.0, "hi": 110.0}
    svg = drawn(
        made_rule("exact", bounded, 0.0, 0.0),
        made_rule("round:2", {"at_most": 50.0, "bounds": {"unscored": "fewer than two documents"}}, 1e-3, 5e-4),
        made_rule("topk:5", bounded, 2.0, {"lo": -1e-9, "hi": 1.5}),
        made_rule("temperature:2", bounded, 2.5, 2.4),
        made_rule("noise:1", {"unscored": "too few positions"}, 0.5, 0.4),
    )
    for name in ("exact (moves none)", "round:2", "topk:5", "temperature:2", "at the left edge: no score moves"):
        assert name in svg
    assert "noise:1" not in svg


def test_nothing_to_draw_is_an_empty_picture() -> None:
    assert "what each release rule leaks" in drawn(made_rule("noise:1", {"unscored": "too few"}, 0.5, 0.4))
