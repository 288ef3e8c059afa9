"""Tests of the picture of local identifiability."""

from __future__ import annotations

from typing import Any

from foretell.reports.directions_plot import directions_file


def pinned(size: float, lo: float, hi: float, told: bool) -> dict[str, Any]:
    ends = {"lo": lo, "hi": hi}
    return {
        "size": size,
        "pinned": ends if told else {"unscored": "the curvature does not hold so far out"},
        "by_curvature": {"effective": ends},
    }


def test_a_panel_a_size_and_a_line_a_tolerance() -> None:
    rows = [
        {"prompts": n, "tolerance": tolerance, "pinned": [pinned(0.001, n, 2 * n, True), pinned(0.01, 0, 9 * n, n > 1)]}
        for n in (1, 5, 20)
        for tolerance in (0.1, 0.01)
    ]
    settings = {"sizes": [0.001, 0.01], "tolerances": [0.1, 0.01]}
    svg = directions_file({"target": "tiny", "weights": 1_066_112, "settings": settings, "rows": rows})
    assert svg.startswith("<svg")
    for text in ("tiny: pinned to 0.1% of the weights’ norm, of 1,066,112", "pinned to 1%", "0.01 nats", "0.1 nats"):
        assert text in svg
    assert svg.count(">mean KL of<") == 1
