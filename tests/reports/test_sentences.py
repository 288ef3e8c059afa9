"""Sentences: who is judged, which way a difference points, what knowing nothing costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell.reports import sentences
from foretell.reports.judged import completed
from foretell.reports.sentences import headline, pair, uniform_nats

from .run_folder import build_run
from .run_folder import sentences as prompts
from .run_score import Plan


def score_of(run: Path) -> dict[str, Any]:
    return completed(json.loads((run / "score.json").read_text(encoding="utf-8")))


def test_the_headline_is_the_best_that_is_no_reference(tmp_path: Path) -> None:
    weak = {"team-a": 0.2, "ngram:5:stdlib": 0.8, "uniform": 0.0}
    score = score_of(build_run(tmp_path / "run", Plan(prompts(10), forecasts=weak)))
    assert score["forecasts"][0]["name"] == "ngram:5:stdlib"
    assert headline(score)["name"] == "team-a"
    assert "and did better: " in sentences.beside_references(score)


def test_knowing_nothing_costs_what_the_uniform_forecast_loses(tmp_path: Path) -> None:
    with_uniform = score_of(build_run(tmp_path / "a", Plan(prompts(10))))
    without = score_of(build_run(tmp_path / "b", Plan(prompts(10), forecasts={"team-a": 0.9})))
    uniform = next(f for f in with_uniform["forecasts"] if f["name"] == "uniform")
    assert uniform_nats(with_uniform) is None
    assert uniform_nats(without) == pytest.approx(uniform["kl_nats"]["mean"], rel=1e-6)


@pytest.mark.parametrize("mean", [0.5, {"lo": 0.4, "hi": 0.6}])
def test_a_pair_turned_twice_is_itself(mean: Any) -> None:
    record = {"a": "x", "b": "y", "mean": mean, "lo": 0.1, "hi": 0.9, "level": 0.95, "method": "m"}
    turned = pair(record, "y")
    assert (turned["a"], turned["b"], turned["lo"], turned["hi"]) == ("y", "x", -0.9, -0.1)
    assert turned["says"] == pair(record, "x")["says"] == "y is closer"
    again = pair({key: turned[key] for key in record}, "x")
    assert {key: again[key] for key in record} == record


def test_commands_name_what_was_scored(run_of: Callable[[str], Path]) -> None:
    lines = sentences.commands(score_of(run_of("weird")))
    assert lines[0] == "foretell collect --target tiny --suite foretell-300 --out truth"
    assert "--with '<img src=x onerror=\"window.hacked=2\">'" in lines[1]
    assert lines[-2].endswith("--forecast forecasts/1 --forecast forecasts/2 --tolerance 0.5 --out run")
