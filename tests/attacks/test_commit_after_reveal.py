"""A forecast is committed after the truth was revealed, with the clocks turned back."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.forging import copied, drafts, entry_of, failures, write_log
from tests.attempts.playing import Game


def test_both_sides_collude(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    commit = entry_of(entries, "commit")
    entries.remove(commit)
    entries.insert(entries.index(entry_of(entries, "reveal")) + 1, commit)
    write_log(root, entries, open_game)
    assert "a step out of order: got reveal, expected commit in attempt 1" in failures(root)


def test_a_clock_that_is_turned_back_shows(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "commit").time = "2020-01-01T00:00:00+00:00"
    write_log(root, entries, open_game)
    assert "a clock that went back: got 2020-01-01" in failures(root)


def test_a_commitment_after_the_deadline(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    for entry in entries[3:]:
        entry.time = "2199-01-01T00:00:00+00:00"
    write_log(root, entries, open_game)
    assert "a commitment after the deadline: got 2199-01-01" in failures(root)
