"""A signature is by another key, stripped, or replayed from another attempt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foretell import attempts
from foretell.base.canonical import canonical_json
from foretell.base.errors import OrderError
from foretell.ledger import SecretKey
from foretell.verifier import Outside, verify
from foretell.verifier.layout import LOG
from tests.attacks.forging import checkpoint, copied, drafts, entry_of, failures, write_log
from tests.attempts.playing import Game, new_game


def test_by_another_key_of_the_same_name(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    stranger = Game(tmp_path, SecretKey.generate("evaluator"), open_game.team)
    write_log(root, drafts(root), stranger)
    assert "log entry 0: signed by another key" in failures(root)


def test_by_the_other_side(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    for entry in entries[4:]:
        entry.who = "team"
    write_log(root, entries, open_game, signers=["team"])
    assert "log entry 4: signed by another key" in failures(root)


def test_stripped(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    path = root / LOG / "entries" / "00000006.json"
    envelope = json.loads(path.read_bytes())
    envelope["signatures"] = []
    path.write_bytes(canonical_json(envelope))
    before = [(root / LOG / "entries" / f"{i:08d}.json").read_bytes() for i in range(6)]
    note = checkpoint([*before, path.read_bytes()], open_game.evaluator)
    (root / LOG / "checkpoints" / "00000007.note").write_bytes(note)
    assert "log entry 6: not signed: got an envelope without a signature" in failures(root)


def test_a_checkpoint_by_the_other_side(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    data = [path.read_bytes() for path in sorted((root / LOG / "entries").iterdir())]
    note = root / LOG / "checkpoints" / "00000004.note"
    note.write_bytes(checkpoint(data[:4], open_game.evaluator))  # the team's entry, without the team's word for it
    assert "signed by another key" in failures(root)


def test_replayed_from_another_attempt(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.play("open")
    attempts.seal(game.ledger, game.pool, game.evaluator)
    attempts.open_prompts(game.ledger, game.evaluator)
    data = [path.read_bytes() for path in sorted((game.ledger / LOG / "entries").iterdir())]
    old = entry_of(drafts(game.ledger), "commit").raw
    assert old is not None
    data.append(old[0])
    (game.ledger / LOG / "entries" / f"{len(data) - 1:08d}.json").write_bytes(old[0])
    # Even if the team itself signed the log with its old statement in it.
    (game.ledger / LOG / "checkpoints" / f"{len(data):08d}.note").write_bytes(checkpoint(data, game.team))
    assert "a statement that was signed for another place or log" in failures(game.ledger)


def test_another_evaluator(open_game: Game, blind_game: Game) -> None:
    known = Outside(evaluator=blind_game.evaluator.public.verifier)
    told = {check.name: check for check in verify(open_game.ledger, known)}
    assert told["evaluator"].holds is False
    assert "a charter of another evaluator" in told["evaluator"].detail


def test_the_command_refuses_the_wrong_role(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    with pytest.raises(OrderError, match="charter is the evaluator's to sign"):
        attempts.fix_charter(game.ledger, game.charter("open"), game.team)
    game.begin("open")
    with pytest.raises(OrderError, match="open is the evaluator's to sign"):
        attempts.open_prompts(game.ledger, game.team)
    attempts.open_prompts(game.ledger, game.evaluator)
    with pytest.raises(OrderError, match="commit is the team's to sign"):
        attempts.commit_forecast(game.ledger, game.forecast(), game.evaluator)
