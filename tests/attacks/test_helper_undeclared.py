"""A helper is in the forecast or the program, and not in the statement."""

from __future__ import annotations

from pathlib import Path

import pytest

from foretell import attempts
from tests.attacks.forging import copied, drafts, entry_of, failures, write_log
from tests.attempts.playing import TINY, Game, new_game


def test_a_model_in_the_forecast(prospective_game: Game, tmp_path: Path) -> None:
    root = copied(prospective_game, tmp_path / "ledger")
    entries = drafts(root)
    assert entry_of(entries, "commit").facts["helpers"][0].startswith("tiny@1536 sha256:")
    entry_of(entries, "commit").facts["helpers"] = []
    write_log(root, entries, prospective_game)
    told = failures(root)
    assert "a verdict that does not follow" in told
    assert "undeclared helper: tiny@1536 sha256:" in told


def test_a_helper_in_the_program(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("blind")
    attempts.commit_program(game.ledger, game.program(helpers='["oracle"]'), game.team)
    attempts.run_program(game.ledger, TINY.vocabulary, game.evaluator)
    game.end()
    entries = drafts(game.ledger)
    assert entry_of(entries, "commit").facts["helpers"] == ["oracle"]
    entry_of(entries, "commit").facts["helpers"] = []
    write_log(game.ledger, entries, game)
    assert "undeclared helper: oracle" in failures(game.ledger)


@pytest.mark.parametrize("track", ["open", "prospective"])
def test_none_allowed(tmp_path: Path, track: str) -> None:
    game = new_game(tmp_path)
    game.begin(track, helpers={"rule": "none"})
    attempts.open_prompts(game.ledger, game.evaluator)
    attempts.commit_forecast(game.ledger, game.forecast(with_="model:tiny@1536"), game.team)
    attempts.reveal(game.ledger, TINY, game.evaluator)
    judged = attempts.judge(game.ledger, game.evaluator)
    assert judged.outcome.decision == "inadmissible"
    assert judged.outcome.reasons[0].startswith("the charter allows no helper: tiny@1536 sha256:")
    assert failures(game.ledger) == ""


def test_the_target_itself(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("open")
    attempts.open_prompts(game.ledger, game.evaluator)
    attempts.commit_forecast(game.ledger, game.forecast(with_="model:tiny"), game.team)
    attempts.reveal(game.ledger, TINY, game.evaluator)
    judged = attempts.judge(game.ledger, game.evaluator)
    assert judged.outcome.decision == "inadmissible"
    assert judged.outcome.reasons[0].startswith("the target helped to forecast itself")
