"""Ledgers with several writers, killed writers, and readers while somebody writes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from foretell.ledger.keys import PublicKey, SecretKey
from foretell.ledger.log import Ledger
from foretell.ledger.merkle import leaf_hash, tree_root
from foretell.ledger.note import open_checkpoint

WRITER = Path(__file__).with_name("writer.py")
KILLS, EACH = 60, 50


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def report(*arguments: object) -> dict[str, Any]:
    return dict(json.loads(finish(start(*arguments))))


def test_two_processes_lose_nothing_and_readers_see_prefixes(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    writers = [start("append", folder, name, EACH) for name in ("one", "two")]
    seen: list[list[bytes]] = []
    while any(writer.poll() is None for writer in writers):
        entries = Ledger(folder).entries
        if not seen or len(entries) != len(seen[-1]):
            seen.append(entries)
    for writer in writers:
        finish(writer)
    ledger = Ledger(folder)
    said = [json.loads(entry) for entry in ledger.entries]
    for name in ("one", "two"):
        assert [one["number"] for one in said if one["name"] == name] == list(range(EACH))
    keys = [PublicKey.parse((tmp_path / f"{name}.pub").read_text()) for name in ("one", "two")]
    leaves = [leaf_hash(entry) for entry in ledger.entries]
    for index, one in enumerate(said):
        assert (one["size"], one["root"]) == (index, tree_root(leaves[:index]).hex())
        checkpoint, key = open_checkpoint(ledger.checkpoint(index + 1), keys)
        assert (checkpoint.size, checkpoint.root) == (index + 1, tree_root(leaves[: index + 1]))
        assert key.name == one["name"]
    assert len(seen) > 1
    assert all(entries == ledger.entries[: len(entries)] for entries in seen)


def test_threads_with_one_object_lose_nothing(tmp_path: Path, evaluator: SecretKey) -> None:
    ledger = Ledger(tmp_path)

    def work() -> None:
        for _ in range(20):
            ledger.append(lambda size, root: b"%d" % size, evaluator)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.entries == Ledger(tmp_path).entries == [b"%d" % size for size in range(80)]


def test_kill_9_at_random_moments(tmp_path: Path) -> None:
    """Where the kills fall is up to the machine; a third to a half find an append half done."""
    found = report("kill", tmp_path / "ledger", KILLS, 1)
    assert found["kills"] == KILLS
    assert found["halfway"] > 0
    assert found["acknowledged"] + KILLS <= found["size"] <= found["acknowledged"] + 2 * KILLS


def test_kill_9_at_every_step(tmp_path: Path) -> None:
    """Before each call that changes the disk, so that no moment is left out."""
    found = report("steps", tmp_path / "ledger")
    assert found["steps"] >= 12
    assert found["halfway"] >= 4
