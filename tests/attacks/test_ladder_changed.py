"""The ladder that was signed is exchanged, is none, or is signed by whoever it binds."""

from __future__ import annotations

from pathlib import Path

import pytest

from foretell import attempts
from foretell.base.canonical import digest_bytes
from foretell.base.errors import OrderError
from foretell.verifier import verify
from foretell.verifier.layout import LOG
from tests.attacks.forging import Draft, copied, drafts, failures, write_log
from tests.attempts.playing import Game
from tests.verdicts.made_ladders import CONTENT, content, toml

TEXT, LOOSER = toml(CONTENT), toml(content(rungs=[{"name": "all", "up_to_flop": 1e30}]))


def with_ladder(game: Game, to: Path) -> Path:
    """A ledger in which a ladder is signed."""
    root = copied(game, to)
    attempts.fix_ladder(root, TEXT, game.evaluator)
    return root


def test_honest(open_game: Game, tmp_path: Path) -> None:
    told = {check.name: check for check in verify(with_ladder(open_game, tmp_path / "ledger"))}
    assert told["ladder"].holds
    assert told["ladder"].detail == f"entry 7 holds, signed by {open_game.evaluator.public.id}, 0 before it"


def test_its_bytes(open_game: Game, tmp_path: Path) -> None:
    root = with_ladder(open_game, tmp_path / "ledger")
    path = root / LOG / "entries" / "00000007.json"
    path.write_bytes(path.read_bytes().replace(b"signatures", b"signaturez"))
    assert "00000008.note: the entries are not those" in failures(root)


def test_another_text_under_the_digest_of_the_first(open_game: Game, tmp_path: Path) -> None:
    root = with_ladder(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entries[-1].facts["text"] = LOOSER
    write_log(root, entries, open_game)
    assert "a ladder that is not what its digest says" in failures(root)


def test_what_is_no_ladder(open_game: Game, tmp_path: Path) -> None:
    root = with_ladder(open_game, tmp_path / "ledger")
    entries = drafts(root)
    text = TEXT.replace("up_to_flop", "up_to")
    entries[-1].facts["text"], entries[-1].subjects = text, {"ladder.toml": digest_bytes(text.encode())}
    write_log(root, entries, open_game)
    found = failures(root)
    assert found.startswith("ladder: log entry 7: a signed ladder that is none")
    assert "rungs.0.up_to_flop: nothing, expected a value" in found


def test_by_the_team(open_game: Game, tmp_path: Path) -> None:
    root = with_ladder(open_game, tmp_path / "ledger")
    with pytest.raises(OrderError, match="a ladder is not this key's to sign"):
        attempts.fix_ladder(root, LOOSER, open_game.team)
    forged = Draft("ladder", {"ladder.toml": digest_bytes(LOOSER.encode())}, {"text": LOOSER}, "", "team", None)
    entries = drafts(root)
    forged.time = entries[-1].time
    write_log(root, [*entries, forged], open_game, signers=["team"])
    assert "log entry 8: signed by another key" in failures(root)


def test_a_looser_one_is_seen(open_game: Game, tmp_path: Path) -> None:
    root = with_ladder(open_game, tmp_path / "ledger")
    attempts.fix_ladder(root, LOOSER, open_game.evaluator)
    (told,) = [check for check in verify(root) if check.name == "ladder"]
    assert told.holds
    assert "1 before it; entry 8 is looser: no rung ends at 1e+19 FLOP, where 'a' did" in told.detail
    assert "it goes up to 1e+30 FLOP, and went up to 1e+21" in told.detail


def test_the_later_one_taken_out(open_game: Game, tmp_path: Path) -> None:
    """What a log said last can be cut off; who keeps a checkpoint sees it (see test_log_tampered.py)."""
    root = with_ladder(open_game, tmp_path / "ledger")
    attempts.fix_ladder(root, LOOSER, open_game.evaluator)
    entries = drafts(root)
    write_log(root, [*entries[:-2], entries[-1]], open_game, signers=[])
    assert "00000008.note" in failures(root)
