"""Study 2 by made numbers: what is said of text-only forecasters follows their bounds."""

from __future__ import annotations

from typing import Any

from foretell.studies.s02_webtext_reader import answer, findings
from tests.studies.conftest import record

POOL: dict[str, Any] = {"name": "pool:a+b", "kind": "pool", "kl_nats": record(2.0, 1.9, 2.1)}
WHOLE: dict[str, Any] = {
    "rungs": [POOL, {"name": "uniform", "kind": "reference", "kl_nats": record(4.0, 3.9, 4.1)}],
    "pool": {"members": [{"name": "uniform", "weight": 0.25}]},
}


def entry(name: str, text_only: bool, skill: tuple[float, float, float], gain: tuple[float, float, float]) -> Any:
    kl = record(2 * (1 - skill[0]), 0.1, 5.0)
    return {
        "name": name,
        "text_only": text_only,
        "kl_nats": kl,
        "skill": record(*skill),
        "gain": record(*gain),
        "weight": 0.1,
    }


ZERO = entry("ngram:5:numpy", True, (-0.1, -0.3, 0.05), (0.01, -0.01, 0.04))
LOW = entry("unigram:numpy", True, (-0.9, -1.2, -0.5), (0.0, 0.0, 0.0))
GAINS = entry("infinigram:numpy", True, (-0.2, -0.4, 0.02), (0.03, 0.01, 0.05))
CREDITED = entry("ngram:5:better", True, (0.2, 0.1, 0.3), (0.3, 0.2, 0.4))
MODEL = entry("model:tiny@1536", False, (0.7, 0.6, 0.8), (1.3, 1.0, 1.6))


def test_shown_where_nothing_is_above_zero() -> None:
    found = answer([ZERO, LOW, MODEL], POOL)
    assert found[0].startswith("Shown on these prompts: none of 2 text-only forecasters has skill above 0, and none")
    assert "1 hold 0 within their bounds, 1 lie below" in found[1]
    assert "The highest upper bound is 0.05, of ngram:5:numpy." in found[1]
    assert found[-1].startswith("model:tiny@1536: skill 0.7 (0.6 to 0.8), gain 1.3 nats (1 to 1.6), more than")


def test_in_part_where_text_adds_to_the_pool() -> None:
    found = answer([ZERO, GAINS, MODEL], POOL)
    assert found[0].startswith("In part: none of 2 text-only forecasters has skill above 0, but 1 of them")
    assert "Largest gain of a text-only forecaster: 0.03 nats (0.01 to 0.05), by infinigram:numpy." in found


def test_not_shown_where_text_has_skill() -> None:
    assert answer([ZERO, CREDITED], POOL)[0] == "Not shown: ngram:5:better know text only and have skill above 0."
    weak = entry("model:weak", False, (0.1, -0.1, 0.3), (0.1, 0.0, 0.3))
    assert "not shown to be more than" in answer([CREDITED, weak], POOL)[-1]


def test_the_page_has_every_forecaster_and_the_pool() -> None:
    found = findings([LOW, MODEL, ZERO], WHOLE)
    assert [row[0] for row in found.tables[0].rows] == ["model:tiny@1536", "ngram:5:numpy", "unigram:numpy"]
    assert found.tables[1].rows == (
        ("uniform", "4 (3.9 to 4.1)", "0.250"),
        ("best text-only pool", "2 (1.9 to 2.1)", "–"),
    )
    assert found.facts["pool_kl_nats"]["mean"] == 2.0


def test_a_wider_panel_is_told_beside_the_first() -> None:
    near = {
        "name": "model:tiny@1536",
        "kind": "rung",
        "kl_nats": record(0.5, 0.4, 0.6),
        "skill": record(0.75, 0.7, 0.8),
    }
    wide = {
        "rungs": [POOL | {"kl_nats": record(1.7, 1.6, 1.8)}, near | {"skill": record(0.7, 0.65, 0.75)}],
        "pool": {"members": []},
        "asked": {"corpus": ["tiny", "numpy", "english"]},
    }
    found = findings([ZERO, MODEL], WHOLE | {"rungs": [*WHOLE["rungs"], near]}, wide)
    assert found.answer[-1].startswith(
        "With numpy and english in the panel too, the best pool is at 1.7 nats (1.6 to 1.8) instead of 2 nats (1.9 to "
        "2.1), and skill of model:tiny@1536 is 0.7 (0.65 to 0.75) instead of 0.75 (0.7 to 0.8)"
    )
    assert len(found.tables) == 3
