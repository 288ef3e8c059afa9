"""A program that ran without a sandbox: the attempt says so for ever."""

from __future__ import annotations

import pytest

from foretell import attempts
from foretell.forecasters.sandbox import UNSAFE
from foretell.verifier import verify
from tests.attacks.forging import drafts, entry_of, failures, write_log
from tests.attempts.playing import TINY, Game, new_game


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    game = new_game(tmp_path_factory.mktemp("unsafe"))
    game.begin("blind")
    attempts.commit_program(game.ledger, game.program(), game.team)
    attempts.run_program(game.ledger, TINY.vocabulary, game.evaluator, unsafe_unsandboxed=True)
    game.end()
    return game


def test_it_is_said(game: Game) -> None:
    told = {check.name: check.detail for check in verify(game.ledger)}
    assert "WITHOUT A SANDBOX" in told["attempt 1: run"]
    assert "WITHOUT A SANDBOX" in told["attempt 1: judge"]


def test_and_cannot_be_unsaid(game: Game) -> None:
    entries = drafts(game.ledger)
    program = entry_of(entries, "run").facts["program"]
    assert program["sandbox"] == UNSAFE
    program["sandbox"] = "bubblewrap 0.11.0"
    write_log(game.ledger, entries, game)
    assert "a run that is not what the forecast says" in failures(game.ledger)
