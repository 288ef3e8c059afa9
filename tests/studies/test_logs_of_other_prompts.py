"""Study 7: the logs that it records, and sentences that follow made numbers."""

from __future__ import annotations

from typing import Any

import pytest

from foretell.studies.s07_logs_of_other_prompts import answer, findings, log_suite, lowrank_name
from foretell.suites import load_suite
from foretell.suites.split import require_disjoint
from tests.studies.conftest import record

RUNS, PROBES = (10, 100), (0, 16)


def scale(skills: dict[tuple[int, int], tuple[float, float, float]]) -> dict[str, Any]:
    """scale.json with what the study reads of it."""
    rungs = [
        {"name": "pool:a+b", "kind": "pool", "kl_nats": record(2.0, 1.9, 2.1)},
        {"name": "uniform", "kind": "reference", "kl_nats": record(4.0, 3.9, 4.1)},
    ]
    for (runs, probes), skill in skills.items():
        kl = record(2 * (1 - skill[0]), 2 * (1 - skill[2]), 2 * (1 - skill[1]))
        rungs.append({"name": lowrank_name(runs, probes), "kind": "rung", "kl_nats": kl, "skill": record(*skill)})
    return {"rungs": rungs, "truth": {"name": "tiny"}}


LOW, EVEN, HIGH = (-0.5, -0.7, -0.3), (0.0, -0.2, 0.2), (0.6, 0.5, 0.7)
GRID = {(10, 0): LOW, (100, 0): EVEN, (10, 16): LOW, (100, 16): HIGH}


def test_logs_are_of_other_prompts_one_of_each_document_first() -> None:
    suite = log_suite(80)
    assert len(suite) == 10
    assert len({prompt.document for prompt in suite}) == 10
    assert {prompt.scored for prompt in suite} == {(-8, -7, -6, -5, -4, -3, -2, -1)}
    require_disjoint(suite, load_suite("foretell-300"))


@pytest.mark.parametrize(
    ("alone", "said"),
    [(LOW, "farther than the best"), (EVEN, "not told apart from the best"), (HIGH, "closer than the best")],
)
def test_the_first_sentence_is_about_logs_alone(alone: tuple[float, float, float], said: str) -> None:
    found = findings(scale(GRID | {(100, 0): alone}), RUNS, PROBES)
    assert found.answer[0].startswith("From 100 logged runs alone")
    assert said in found.answer[0]


def test_the_last_sentence_is_about_the_fewest_probes_that_beat_the_text() -> None:
    assert "above 0 with its bounds: 16, from 100 logged runs on." in findings(scale(GRID), RUNS, PROBES).answer[-1]
    none = findings(scale(GRID | {(100, 16): EVEN}), RUNS, PROBES).answer[-1]
    assert none == "No number of runs and probes tried here has skill above 0 with its bounds."


def test_the_page_has_none_and_all_numbers_of_runs() -> None:
    found = findings(scale(GRID), RUNS, PROBES)
    assert [row[:2] for row in found.tables[0].rows] == [
        ("0 (uniform)", "0"),
        ("10", "0"),
        ("100", "0"),
        ("10", "16"),
        ("100", "16"),
        ("best text-only pool", "0"),
    ]
    drawn = str(found.figure.to_dict())
    assert "logs alone" in drawn
    assert "16 probes a position" in drawn
    assert answer({(10, 0): scale(GRID)["rungs"][2]}, *scale(GRID)["rungs"][:2])[0].startswith("From 10 logged runs")
