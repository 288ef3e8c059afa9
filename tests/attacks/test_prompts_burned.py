"""Earlier attempts use up the prompts that the evaluator does not like, so that the others are drawn."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from foretell import attempts
from foretell.verifier import verify
from foretell.verifier.prompts import draw_indices
from tests.attacks.forging import failures
from tests.attempts.playing import new_game


def test_by_an_attempt_that_is_never_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second attempt follows the rule; of the first, a published folder shows the seal only."""
    game = new_game(tmp_path)

    def chosen(*rule: Any) -> tuple[int, ...]:
        return (0, 1, 6, 7) if draw_indices(*rule) != (0, 1, 6, 7) else (0, 2, 6, 8)

    with monkeypatch.context() as patched:
        patched.setattr("foretell.attempts.asking.draw_indices", chosen)
        game.begin("open")
    attempts.open_prompts(game.ledger, game.evaluator)
    attempts.seal(game.ledger, game.pool, game.evaluator)
    attempts.open_prompts(game.ledger, game.evaluator)
    attempts.commit_forecast(game.ledger, game.forecast(), game.team)
    monkeypatch.setattr("foretell.verifier.evidence.Evidence._check_draw", lambda *_: None)
    published = game.end()
    monkeypatch.undo()
    assert "attempt 2: seal: attempt 2: prompts that were chosen, not drawn in attempt 1" in failures(published)


def test_drawing_again_until_it_pleases_shows(tmp_path: Path) -> None:
    """Each draw follows the rule; that two were thrown away is said."""
    game = new_game(tmp_path)
    game.begin("open")
    for _ in range(2):
        attempts.open_prompts(game.ledger, game.evaluator)
        attempts.seal(game.ledger, game.pool, game.evaluator)
    game.answer("open")
    published = game.end()
    told = {check.name: check.detail for check in verify(published)}
    assert failures(published) == ""
    assert told["attempt 3: seal"].endswith(
        "none of the 8 used before; 2 earlier attempts were sealed and never judged"
    )


def test_a_pool_that_is_not_what_the_charter_says(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("open", pool={"slices": {"code": 7, "facts": 5}})
    assert "a pool of other slices than the charter says" in failures(game.ledger)
    shutil.rmtree(game.ledger / "pools")
    assert "a missing file" in failures(game.ledger)
