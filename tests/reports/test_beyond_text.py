"""Skill on the page: sentences, plot, table and the ladder's file from a scale, and the colours of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.reports import beyond_text
from foretell.reports.canvas import _LIGHT, _VARIABLES, PAPER, Scale

UNSCORED = {"unscored": "it has no forecast of the practice prompts"}


def bounded(mean: Any, lo: float, hi: float) -> dict[str, Any]:
    return {"mean": mean, "lo": lo, "hi": hi, "level": 0.95, "method": "betting"}


def scale(skill: dict[str, Any], gain: dict[str, Any], tolerance: float | None = 0.5) -> dict[str, Any]:
    test = {"statistic": 3.25, "p_value": 0.001, "method": "approximate"}
    pool = {"name": "pool:uniform+ngram:5:t", "kind": "pool", "text_only": True, "kl_nats": bounded(2.0, 1.9, 2.1)}
    own = {
        "name": "team <a>",
        "kind": "forecast",
        "text_only": False,
        "kl_nats": bounded(1.0, 0.9, 1.2),
        "skill": skill,
        "encompassing": gain if "unscored" in gain else {"gain_nats": gain, "weight": 0.5, "diebold_mariano": test},
    }
    asked = {"target": "tiny", "suite": "my suite.jsonl", "corpus": ["a", "b"], "no-own": True, "practice": None}
    practice = {"suite": "practice", "prompts": 40, "documents": 38}
    members = [{"name": "uniform", "weight": 0.25}, {"name": "ngram:5:t", "weight": 0.75}]
    return {
        "rungs": [pool, own],
        "pool": {"practice": practice, "members": members},
        "settings": {"tolerance": tolerance},
        "tolerance": None,
        "noise_floor": {"kl_nats": 0.001, "method": "batches of one"},
        "notes": [],
        "asked": asked,
    }


def test_skill_and_gain_in_words() -> None:
    told = beyond_text.in_words(scale(bounded(0.5, 0.4, 0.6), bounded(0.7, 0.5, 0.9)), "team <a>")
    assert told is not None
    assert told.startswith("Skill: 0.5 (0.4 to 0.6 with 95% confidence), where 0 is what the best pool of text-only")
    assert "fitted on 40 other prompts" in told
    assert told.endswith("Added to that pool it is worth 0.7 nats a token (0.5 to 0.9).")
    assert beyond_text.NOTHING_ABOVE_TEXT not in told


def test_skill_that_may_be_none_is_called_so() -> None:
    told = beyond_text.in_words(scale(bounded(0.05, -0.1, 0.2), UNSCORED), "team <a>")
    assert told is not None
    assert beyond_text.NOTHING_ABOVE_TEXT in told
    assert "Added to that pool" not in told
    below = beyond_text.in_words(scale(bounded(-0.5, -0.7, -0.3), UNSCORED), "team <a>")
    assert below is not None
    assert "Skill: −0.5 (−0.7 to −0.3" in below
    assert beyond_text.NOTHING_ABOVE_TEXT not in below


def test_without_a_number_there_is_a_reason() -> None:
    record = scale({"unscored": "the reference may lose nothing"}, UNSCORED)
    told = beyond_text.in_words(record, "team <a>")
    assert told is not None
    assert told.endswith("cannot be given: the reference may lose nothing.")
    assert beyond_text.skill_plot(record) is None
    assert beyond_text.table(record) == [["team <a>", "–", "–", "–", "–"]]
    assert beyond_text.reasons(record) == [
        "team <a>: the reference may lose nothing",
        "team <a>: it has no forecast of the practice prompts",
    ]
    assert beyond_text.in_words(record, "pool:uniform+ngram:5:t") is None


def test_the_table_of_skill() -> None:
    record = scale(bounded({"lo": 0.4, "hi": 0.6}, 0.3, 0.7), bounded(0.7, 0.5, 0.9))
    assert beyond_text.table(record) == [["team <a>", "0.4 to 0.6 (0.3 to 0.7)", "0.7 (0.5 to 0.9)", "0.5", "3.25"]]
    assert beyond_text.reasons(record) == []


def test_the_plot_of_skill_shows_zero_and_one() -> None:
    drawn = str(beyond_text.skill_plot(scale(bounded(0.5, 0.4, 0.6), UNSCORED)))
    assert "knows the text only" in drawn
    assert "team &lt;a&gt;" in drawn
    ticks = re.findall(r">(-?[\d.]+)</text>", drawn)
    assert {"0", "1"} <= {f"{float(tick):g}" for tick in ticks}


def test_the_pool_has_a_short_name_in_the_plot_that_heads_the_report() -> None:
    told = beyond_text.labels(scale(bounded(0.5, 0.4, 0.6), UNSCORED))
    assert told["pool:uniform+ngram:5:t"] == "best text-only pool"
    assert told["team <a>"] == "team <a>"
    assert beyond_text.labels(None) == {}


@pytest.mark.parametrize("tolerance", [None, 0.5])
def test_the_ladder_as_a_file_stands_alone(tolerance: float | None) -> None:
    file = beyond_text.ladder_file(scale(bounded(0.5, 0.4, 0.6), UNSCORED, tolerance))
    texts = ["".join(node.itertext()) for node in ElementTree.fromstring(file).iter() if node.tag.endswith("text")]
    assert {"noise floor", "team <a>", "best text-only pool", "1 (0.9 to 1.2) · skill 0.5 (0.4 to 0.6)"} <= set(texts)
    assert ("tolerance 0.5" in texts) is (tolerance is not None)
    assert "var(" not in file
    assert not set(_VARIABLES) & set(re.findall(r"#[0-9a-f]{6}", file))


def test_files_have_the_light_colours_of_the_page() -> None:
    style = (Path(beyond_text.__file__).parent / "page.css").read_text(encoding="utf-8")
    light = dict(re.findall(r"(--\w+): light-dark\((#\w+),", style))
    assert {_VARIABLES[name]: colour for name, colour in _LIGHT.items()} == {
        name: light[name] for name in _VARIABLES.values()
    }
    assert light["--paper"] == PAPER


def test_the_command_that_makes_it_again() -> None:
    first, second = beyond_text.commands(scale(bounded(0.5, 0.4, 0.6), UNSCORED))
    assert first == "foretell scale --target tiny --suite 'my suite.jsonl' --corpus a --corpus b --no-own --out scale"
    assert second == "foretell report scale/run -o report.html"


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=9))
def test_a_straight_scale_shows_everything_and_zero(values: list[float]) -> None:
    straight = Scale.straight(values)
    assert straight.low <= min(0.0, *values)
    assert straight.high >= max(0.0, *values)
    assert 0.0 in straight.ticks
    assert 1 <= len(straight.ticks) <= 9
    assert all(straight.low <= tick <= straight.high for tick in straight.ticks)
