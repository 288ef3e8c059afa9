"""Run folders of every variant, made once a session, and their pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from foretell.reports import write_report

from .run_folder import build_run, sentences, weird_prompts
from .run_score import Plan

HOSTILE = '<img src=x onerror="window.hacked=2">'
PLANS = {
    "full": Plan(sentences(40), opened=12),
    "no tolerance": Plan(sentences(10), tolerance=None),
    "fail": Plan(sentences(10), forecasts={"team-a": 0.5, "uniform": 0.0}, tolerance=0.01),
    "top-k truth": Plan(sentences(10), topk=True, tolerance=2.0),
    "one forecast": Plan(sentences(10), forecasts={"team-a": 0.85}),
    "references only": Plan(sentences(10), forecasts={"ngram:5:stdlib": 0.55, "uniform": 0.0}),
    "one prompt": Plan(sentences(1)),
    "last position": Plan(sentences(10), positions=1),
    "perfect": Plan(sentences(10), forecasts={"copy": 1.0, "team-a": 0.9}),
    "weird": Plan(weird_prompts(), forecasts={HOSTILE: 0.8, "uniform": 0.0}, positions=40, broken_pieces=True),
}


@pytest.fixture(scope="session")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run folder of a variant."""
    made: dict[str, Path] = {}

    def get(variant: str) -> Path:
        if variant not in made:
            made[variant] = build_run(tmp_path_factory.mktemp("run") / "run", PLANS[variant])
        return made[variant]

    return get


@pytest.fixture(scope="session")
def page_of(run_of: Callable[[str], Path]) -> Callable[[str], Path]:
    """The report of a variant."""
    made: dict[str, Path] = {}

    def get(variant: str) -> Path:
        if variant not in made:
            made[variant] = run_of(variant).with_name("report.html")
            write_report(run_of(variant), made[variant])
        return made[variant]

    return get
