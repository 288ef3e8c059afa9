"""A forecast is edited after it was committed."""

from __future__ import annotations

import shutil
from pathlib import Path

from foretell.base.canonical import digest_file
from foretell.base.files import MANIFEST
from foretell.verifier.layout import FORECAST
from tests.attacks.forging import change_manifest, copied, drafts, entry_of, failures, part, write_log
from tests.attempts.playing import Game


def test_its_bytes(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    shard = next((part(root, FORECAST) / "shards").iterdir())
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert "00000.safetensors: a file that is not what was signed" in failures(root)


def test_its_manifest_too(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    change_manifest(part(root, FORECAST), suite={"name": "another", "digest": "sha256:0"})
    assert "another forecast than was signed" in failures(root)


def test_by_the_evaluator_who_signs_everything_again(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    better = open_game.forecast("better", "model:tiny@1536") if not (open_game.folder / "better").exists() else None
    shutil.rmtree(part(root, FORECAST))
    shutil.copytree(better or open_game.folder / "better", part(root, FORECAST))
    entries = drafts(root)
    commit = entry_of(entries, "commit")
    commit.subjects = {FORECAST: digest_file(part(root, FORECAST) / MANIFEST)}
    # The team's key is not the evaluator's: what he signs in the team's name does not count.
    commit.who = "evaluator"
    write_log(root, entries, open_game, signers=["evaluator"])
    assert "log entry 3: signed by another key" in failures(root)
