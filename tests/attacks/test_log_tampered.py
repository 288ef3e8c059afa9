"""An entry of the log is removed, moved, doubled; the log is forked; its tail is cut."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from foretell.ledger import Ledger
from foretell.verifier import Outside, verify
from foretell.verifier.layout import LOG
from tests.attacks.forging import copied, drafts, entry_of, failures, write_log
from tests.attempts.playing import Game


def continuation(root: Path, kept: bytes) -> str:
    told = {check.name: check for check in verify(root, Outside(checkpoint=kept))}
    assert told["log"].holds
    return f"{told['continuation'].holds}: {told['continuation'].detail}"


def test_removed(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    (root / LOG / "entries" / "00000003.json").unlink()
    assert "00000003.json" in failures(root)


def test_removed_and_numbered_again(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entries.remove(entry_of(entries, "open"))
    write_log(root, entries, open_game)
    assert "a step out of order: got commit, expected open" in failures(root)


def test_moved(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entries[2], entries[3] = entries[3], entries[2]
    write_log(root, entries, open_game, signers=[])  # as they were, in another order
    assert "checkpoints/00000003.note" in failures(root)
    write_log(root, entries, open_game)
    assert "a step out of order: got commit, expected open" in failures(root)


def test_forked_by_the_evaluator(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "reveal").facts["note"] = "another story"
    write_log(root, entries, open_game, signers=["evaluator"])
    # Everything after the team's commitment is the evaluator's: only who kept a checkpoint sees that it was changed.
    assert "False: the folder: a log that was forked" in continuation(
        root, Ledger(open_game.ledger / LOG).checkpoint(5)
    )


def test_its_tail_cut(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    kept = Ledger(root / LOG).checkpoint(7)
    write_log(root, drafts(root)[:-2], open_game, signers=[])
    assert failures(root) == ""  # a log that ends early looks like a log that ended
    assert "False: the folder: a log whose tail was cut: got 5 entries, expected at least 7" in continuation(root, kept)


def test_a_published_folder_with_its_tail_cut(open_game: Game, tmp_path: Path) -> None:
    published = Path(shutil.copytree(open_game.folder / "published-open", tmp_path / "published"))
    write_log(published, drafts(published)[:-1], open_game, signers=[])
    assert "a folder whose last step is not its publication: got judge, expected publish" in failures(published)


def test_an_honest_continuation(open_game: Game) -> None:
    assert continuation(open_game.ledger, Ledger(open_game.ledger / LOG).checkpoint(3)).startswith("True")


def test_another_log_altogether(open_game: Game, blind_game: Game) -> None:
    assert continuation(open_game.ledger, Ledger(blind_game.ledger / LOG).checkpoint(3)).startswith("False")


@pytest.mark.parametrize("step", ["seal", "open", "commit", "reveal", "judge"])
def test_any_step_left_out(open_game: Game, tmp_path: Path, step: str) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entries.remove(entry_of(entries, step))
    write_log(root, entries, open_game)
    assert ("an attempt that was never sealed" if step == "seal" else "a step out of order") in failures(root)


def test_a_step_twice(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    judge = entries.index(entry_of(entries, "judge"))
    entries.insert(judge, drafts(root)[judge])
    write_log(root, entries, open_game)
    assert "a step out of order: got judge, expected publish" in failures(root)


@pytest.mark.parametrize("number", [0, -1, 2, 10**9])
def test_an_attempt_that_there_is_not(open_game: Game, tmp_path: Path, number: int) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "commit").facts["attempt"] = number
    write_log(root, entries, open_game)
    assert "a step of an attempt that was never sealed" in failures(root)


def test_a_number_that_is_a_truth_value(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "seal").facts["attempt"] = True
    write_log(root, entries, open_game)
    assert "a seal without its facts: got attempt True" in failures(root)
