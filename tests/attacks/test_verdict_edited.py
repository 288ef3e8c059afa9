"""The score or the verdict is edited, and signed again by the evaluator."""

from __future__ import annotations

import json
from pathlib import Path

from foretell.verifier.layout import SCORE
from tests.attacks.forging import copied, drafts, entry_of, failures, part, write_json, write_log
from tests.attempts.playing import Game


def test_the_verdict(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "judge").facts["decision"] = "fail"
    write_log(root, entries, open_game)
    assert "a verdict that does not follow: got ['fail'" in failures(root)


def test_its_reasons(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "judge").facts["reasons"] = ["the model is understood"]
    write_log(root, entries, open_game)
    assert "a verdict that does not follow" in failures(root)


def test_the_score(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    told = json.loads(part(root, SCORE).read_text())
    told["forecasts"][0]["kl_nats"]["mean"] *= 0.999
    entries = drafts(root)
    entry_of(entries, "judge").subjects = {SCORE: write_json(part(root, SCORE), told)}
    write_log(root, entries, open_game)
    assert "a score that does not come out again: got score.forecasts[0].kl_nats.mean" in failures(root)


def test_other_rules_than_the_charters(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    told = json.loads(part(root, SCORE).read_text())
    told["settings"]["tolerance"] = 100.0
    entries = drafts(root)
    entry_of(entries, "judge").subjects = {SCORE: write_json(part(root, SCORE), told)}
    write_log(root, entries, open_game)
    assert "a score that does not come out again: got score.settings.tolerance = 100.0, expected 7.0" in failures(root)


def test_a_score_that_leaves_the_verdict_out(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    told = json.loads(part(root, SCORE).read_text())
    del told["forecasts"][0]["verdict"]
    entries = drafts(root)
    entry_of(entries, "judge").subjects = {SCORE: write_json(part(root, SCORE), told)}
    write_log(root, entries, open_game)
    assert "attempt 1: judge" in failures(root)
