"""A prompt of an earlier attempt is used again, from the same pool or from another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from foretell import attempts
from foretell.base.errors import OrderError
from foretell.suites import Suite, load_suite
from tests.attacks.forging import drafts, entry_of, failures, write_log
from tests.attempts.playing import POOL, TINY, new_game, with_pool

AGAIN = Suite("other", tuple(replace(prompt, id=f"again-{prompt.id}") for prompt in POOL))


def test_the_same_place_of_the_pool(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.play("open")
    attempts.seal(game.ledger, game.pool, game.evaluator)
    entries = drafts(game.ledger)
    first, second = entry_of(entries, "seal", 1), entry_of(entries, "seal", 2)
    second.facts["indices"] = [*first.facts["indices"][:1], *second.facts["indices"][1:]]
    write_log(game.ledger, entries, game)
    assert "attempt 2: seal: attempt 2: a prompt that an earlier attempt used" in failures(game.ledger)


def test_the_command_refuses_the_same_text_from_another_pool(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("open")
    again = with_pool(game, AGAIN)
    attempts.fix_charter(again.ledger, again.charter("open", draw={"prompts": 12}), again.evaluator)
    with pytest.raises(OrderError, match=r"a prompt that was used before: got prompt 'again-.*' of attempt 1"):
        attempts.seal(again.ledger, AGAIN, again.evaluator)


def test_a_stranger_sees_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    game = new_game(tmp_path)
    game.play("open")
    again = with_pool(game, AGAIN)
    monkeypatch.setattr("foretell.attempts.asking._require_fresh", lambda *_: None)
    attempts.fix_charter(again.ledger, again.charter("open", draw={"prompts": 12}), again.evaluator)
    attempts.seal(again.ledger, AGAIN, again.evaluator)
    attempts.open_prompts(again.ledger, again.evaluator)
    attempts.commit_forecast(again.ledger, again.forecast("second"), again.team)
    attempts.reveal(again.ledger, TINY, again.evaluator)
    assert "attempt 2: reveal: attempt 2: a text that an earlier attempt used" in failures(again.ledger)


def test_a_used_up_pool_is_refused(tmp_path: Path) -> None:
    game = with_pool(new_game(tmp_path), Suite("six", load_suite("foretell-300").prompts[:6]))
    game.begin("open")
    attempts.open_prompts(game.ledger, game.evaluator)
    with pytest.raises(OrderError, match="the pool is used up: got 2 prompts that no attempt used, expected 4"):
        attempts.seal(game.ledger, game.pool, game.evaluator)
