"""The plot of a watched run: what is in it, in which order, and what is left out."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from foretell.reports.timeline import series, table, timeline_figure, timeline_svg


def loss(mean: Any) -> dict[str, Any]:
    middle = mean["hi"] if isinstance(mean, dict) else mean
    return {"metric": "kl_nats", "mean": mean, "lo": 0.8 * middle, "hi": 1.3 * middle, "level": 0.95}


def checkpoint(step: int, mean: Any = None, decision: str | None = None, **references: Any) -> dict[str, Any]:
    return {
        "step": step,
        "tolerance": 0.5,
        "state": "judge" if decision else "planned",
        "attempt": 1 if decision else None,
        "forecaster": f"next:last:run@{step}" if decision else None,
        "decision": decision,
        "reasons": ["whole suite: …"] if decision else None,
        "loss": None if mean is None else loss(mean),
        "references": [
            {
                "name": name.replace("_", ":"),
                "reference": True,
                "loss": value if isinstance(value, dict) else loss(value),
            }
            for name, value in references.items()
        ],
    }


def run(*checkpoints: dict[str, Any], metric: str = "kl_nats") -> dict[str, Any]:
    return {"run": "a", "metric": metric, "unit": "nats", "level": 0.95, "checkpoints": list(checkpoints)}


RUN = run(
    checkpoint(10, 0.4, "pass", uniform=3.0, ngram_3_tiny=1.4),
    checkpoint(20, {"lo": 0.3, "hi": 0.45}, "inconclusive", uniform=3.1, ngram_3_tiny={"unscored": "removed"}),
    checkpoint(30),
)


def test_references_are_lines_of_what_was_scored() -> None:
    assert series(RUN) == {"uniform": [(10, 3.0), (20, 3.1)], "ngram:3:tiny": [(10, 1.4)]}


def test_references_made_for_one_step_each_are_one_line() -> None:
    first = checkpoint(10, 0.4, "pass", **{"next_last_run@10": 1.0})
    second = checkpoint(20, 0.4, "pass", **{"next_last_run@20": 2.0})
    assert series(run(first, second)) == {"next:last:run": [(10, 1.0), (20, 2.0)]}


def test_the_drawing_names_what_it_shows() -> None:
    svg = timeline_svg(RUN)
    assert svg is not None
    texts = {element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")}
    assert {"tolerance", "uniform", "ngram:3:tiny", "forecast: inconclusive", "training step", "30"} <= texts
    assert "mean KL divergence in nats a token" in texts
    assert "#a1000" not in svg
    figure = timeline_figure(RUN)
    assert figure is not None
    assert "var(--tolerance)" in figure


@pytest.mark.parametrize("metric", ["tv", "js_nats"])
def test_another_metric_has_its_own_title(metric: str) -> None:
    svg = timeline_svg(run(checkpoint(10, 0.4, "fail"), metric=metric))
    assert svg is not None
    assert {"tv": "mean total variation<", "js_nats": "mean Jensen–Shannon divergence in nats a token<"}[metric] in svg


def test_nothing_is_drawn_before_the_first_verdict() -> None:
    assert timeline_figure(run(checkpoint(10))) is None
    assert timeline_svg(run(checkpoint(10))) is None
    assert [row["decision"] for row in table(run(checkpoint(10)))] == ["planned"]
