"""A score whose numbers are right and whose claims say more, or leave out what is not claimed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell.verdicts.claims import with_claims
from foretell.verdicts.claims_context import Context
from foretell.verifier.layout import SCORE
from tests.attacks.forging import copied, drafts, entry_of, failures, part, write_json, write_log
from tests.attempts.playing import Game

Change = Callable[[dict[str, Any]], None]


def score_of(root: Path) -> dict[str, Any]:
    return dict(json.loads(part(root, SCORE).read_text()))


def signed_again(game: Game, to: Path, change: Change) -> str:
    """What the verifier says of a score that was changed and signed again by the evaluator."""
    root = copied(game, to)
    told = score_of(root)
    change(told)
    entries = drafts(root)
    entry_of(entries, "judge").subjects[SCORE] = write_json(part(root, SCORE), told)
    write_log(root, entries, game)
    return failures(root)


def louder(told: dict[str, Any]) -> None:
    told["forecasts"][0]["claims"]["claimed"][0]["sentence"] = "The model was predicted everywhere."


def one_less(told: dict[str, Any]) -> None:
    del told["forecasts"][0]["claims"]["not_claimed"][0]


def none_at_all(told: dict[str, Any]) -> None:
    told["forecasts"][0]["claims"] = {}


def of_another_track(told: dict[str, Any]) -> None:
    """Claims that fit together, but of a blind attempt."""
    told["forecasts"] = with_claims(told, Context("blind", "pool", 40, program_bits=8))["forecasts"]


def other_numbers(told: dict[str, Any]) -> None:
    told["made_by"] = "foretell 0.0.1"
    told["forecasts"][0]["claims"]["claimed"][1]["numbers"]["hi"] = 0.001


def a_new_promise(told: dict[str, Any]) -> None:
    told["made_by"] = "foretell 9.9.9"
    told["forecasts"][0]["claims"]["claimed"].append({"id": "more", "sentence": "All is well.", "numbers": {}})


@pytest.mark.parametrize("change", [louder, one_less, none_at_all, of_another_track, other_numbers, a_new_promise])
def test_claims_that_do_not_follow(open_game: Game, tmp_path: Path, change: Change) -> None:
    assert "claims that do not follow from the score" in signed_again(open_game, tmp_path / "ledger", change)


def test_another_version_may_use_other_words(open_game: Game, tmp_path: Path) -> None:
    def reworded(told: dict[str, Any]) -> None:
        told["made_by"] = "foretell 0.0.1"
        told["forecasts"][0]["claims"]["claimed"][0]["sentence"] = "Prompts were asked."

    assert signed_again(open_game, tmp_path / "ledger", reworded) == ""


def test_the_attempt_is_what_the_claims_speak_of(open_game: Game, blind_game: Game) -> None:
    """The track, the pool and the program stand in the claims, since the charter and the log say so."""
    for game, track in ((open_game, "open"), (blind_game, "blind")):
        claims = score_of(game.ledger)["forecasts"][0]["claims"]
        assert claims["context"]["track"] == track
        assert claims["context"]["pool"]
        by_id = {one["id"]: one["sentence"] for one in claims["claimed"] + claims["not_claimed"]}
        assert ("cannot be excluded on the open track" in by_id["not-run"]) is (track == "open")
        assert ("by a program of" in by_id["order"]) is (track == "blind")
