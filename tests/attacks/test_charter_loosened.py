"""The charter is loosened after the team has committed."""

from __future__ import annotations

from pathlib import Path

from foretell.verdicts.charter import Charter
from tests.attacks.forging import Draft, copied, drafts, failures, write_log
from tests.attempts.playing import Game


def loosened(entries: list[Draft]) -> str:
    text = str(entries[0].facts["text"]).replace("tolerance = 7.0", "tolerance = 7.5")
    digest = Charter.parse(text.encode()).digest
    assert digest != entries[0].subjects["charter.toml"]
    entries[0].facts["text"], entries[0].subjects = text, {"charter.toml": digest}
    return digest


def test_only_its_text(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    digest = entries[0].subjects["charter.toml"]
    loosened(entries)
    entries[0].subjects = {"charter.toml": digest}
    write_log(root, entries, open_game)
    assert "a charter that is not what its digest says" in failures(root)


def test_by_the_evaluator_who_signs_everything_again(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    digest = loosened(entries)
    for entry in entries[1:]:
        entry.facts["charter"] = digest
    write_log(root, entries, open_game, signers=["evaluator"])
    # The team's checkpoint stands on the log with the charter that it knew.
    assert "log" in failures(root)
    assert "attempt 1" not in failures(root)


def test_in_a_second_charter_that_later_steps_name(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    fresh = drafts(root)[0]
    digest = loosened([fresh])
    entries.insert(4, fresh)
    fresh.time = entries[3].time
    for entry in entries[5:]:
        entry.facts["charter"] = digest
    write_log(root, entries, open_game)
    assert "a charter that was changed on the way" in failures(root)
