"""Another program was run than the one that was committed, or the program was changed."""

from __future__ import annotations

from pathlib import Path

from foretell.verifier.layout import PROGRAM
from tests.attacks.forging import copied, drafts, entry_of, failures, part, write_log
from tests.attempts.playing import Game


def test_changed_after_the_commitment(blind_game: Game, tmp_path: Path) -> None:
    root = copied(blind_game, tmp_path / "ledger")
    with (part(root, PROGRAM) / "predict.py").open("a") as file:
        file.write("# better\n")
    assert "another program than was committed" in failures(root)


def test_a_file_more(blind_game: Game, tmp_path: Path) -> None:
    root = copied(blind_game, tmp_path / "ledger")
    (part(root, PROGRAM) / "table.npy").write_bytes(b"more")
    assert "another program than was committed" in failures(root)


def test_another_was_run(blind_game: Game, tmp_path: Path) -> None:
    root = copied(blind_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "run").facts["program"]["program"] = "sha256:" + "0" * 64
    write_log(root, entries, blind_game)
    assert "another program was run" in failures(root)


def test_a_failure_that_was_none(blind_game: Game, tmp_path: Path) -> None:
    root = copied(blind_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "run").facts["outcome"] = "out of time"
    write_log(root, entries, blind_game)
    assert "a step out of order: got reveal, expected judge" in failures(root)
