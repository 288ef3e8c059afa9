"""A prospective target was in the log before the forecast was."""

from __future__ import annotations

from pathlib import Path

import pytest

from foretell import attempts
from foretell.base.errors import ForgeryError
from tests.attacks.forging import copied, drafts, entry_of, failures, write_log
from tests.attempts.playing import TINY, Game, new_game


def test_in_an_earlier_charter(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    attempts.fix_charter(game.ledger, game.charter("open"), game.evaluator)
    game.begin("prospective")
    game.answer("prospective")
    attempts.reveal(game.ledger, TINY, game.evaluator)
    with pytest.raises(ForgeryError, match="a target that was known before the forecast: got entry 0"):
        attempts.judge(game.ledger, game.evaluator)


def test_in_an_earlier_step(prospective_game: Game, tmp_path: Path) -> None:
    root = copied(prospective_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "open").facts["note"] = {"by the way": TINY.identity.weights}
    write_log(root, entries, prospective_game)
    assert "a target that was known before the forecast: got entry 2" in failures(root)
