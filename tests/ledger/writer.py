"""A process that appends to a ledger, and one that kills such processes; run by test_log_writers.py.

    writer.py append FOLDER NAME COUNT     append COUNT entries
    writer.py kill FOLDER KILLS SEED       fork children that append without end and kill -9 each at a random moment
    writer.py steps FOLDER                 kill -9 a child before its first call that changes the disk, its second, …

It forks, so it has to be a process of its own: the test process has threads.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foretell.ledger.keys import SecretKey
from foretell.ledger.log import Ledger, origin_of
from foretell.ledger.merkle import EMPTY_ROOT, leaf_hash, prefix_roots
from foretell.ledger.note import Checkpoint, open_checkpoint

#: Longest wait before a kill; a child appends some entries in it, so most kills fall into an append.
_LONGEST_SECONDS = 0.01
#: After so many kills a new ledger: in a long one most of an append is reading, and few kills fall into its writing.
_KILLS_PER_LEDGER = 5
_CHANGES = ("open", "write", "fsync", "rename", "replace", "unlink", "mkdir", "chmod")


def append(folder: Path, name: str, count: int) -> None:
    """Append entries that say who wrote them, with the size and root that their writer was told."""
    ledger, secret = Ledger(folder), SecretKey.generate(name)
    (folder.parent / f"{name}.pub").write_text(secret.public.text())
    for number in range(count):
        ledger.append(lambda size, root, number=number: said_by(name, number, size, root), secret)  # type: ignore[misc]


def said_by(name: str, number: int, size: int, root: bytes) -> bytes:
    return json.dumps({"name": name, "number": number, "size": size, "root": root.hex()}).encode()


def check(folder: Path, secret: SecretKey) -> list[bytes]:
    """What a reader sees is whole: signed checkpoints, and entries that were told the log before them."""
    ledger = Ledger(folder)
    entries = ledger.entries
    roots = [EMPTY_ROOT, *prefix_roots(map(leaf_hash, entries))]
    for size, entry in enumerate(entries, start=1):
        checkpoint, _ = open_checkpoint(ledger.checkpoint(size), [secret.public])
        assert checkpoint == Checkpoint(origin_of(entries[0]), size, roots[size])
        said = json.loads(entry)
        assert (said["size"], said["root"]) == (size - 1, roots[size - 1].hex())
    return entries


def leftovers(folder: Path) -> int:
    """How many files lie there that do not count: temporary ones, and an entry without a checkpoint."""
    names = [path.name for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    hidden = [name for name in names if name.startswith(".")]
    return len(hidden) + len(names) - len(hidden) - 2 * Ledger(folder).size


def in_child(work: Callable[[int], None]) -> tuple[int, int]:
    """Fork a child that does the work, given a pipe to report on; its process id and the pipe's other end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            work(writing)
        finally:
            os._exit(1)
    os.close(writing)
    return child, reading


def drain(pipe: int) -> bytes:
    received = b""
    while block := os.read(pipe, 1 << 16):
        received += block
    os.close(pipe)
    return received


def kill(parent: Path, kills: int, seed: int) -> None:
    """Kill at random moments; nothing acknowledged is lost, nothing is doubled or half there, the next append works."""
    rng, secret = random.Random(seed), SecretKey.generate("writer")
    halfway = acknowledged = size = 0
    for round_ in range(kills):
        folder = parent / str(round_ // _KILLS_PER_LEDGER)
        entries = check(folder, secret)

        def work(pipe: int, round_: int = round_, folder: Path = folder) -> None:
            ledger = Ledger(folder)
            for number in range(10**6):
                name = f"child {round_}"
                ledger.append(lambda size, root: said_by(name, number, size, root), secret)  # noqa: B023
                os.write(pipe, b".")

        child, pipe = in_child(work)
        assert select.select([pipe], [], [], 60)[0], "the child did not start"
        time.sleep(rng.uniform(0, _LONGEST_SECONDS))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        done = len(drain(pipe))
        acknowledged += done
        halfway += leftovers(folder) > 0
        after = check(folder, secret)
        assert after[: len(entries)] == entries
        assert done <= len(after) - len(entries) <= done + 1
        Ledger(folder).append(lambda size, root, number=round_: said_by("after", number, size, root), secret)  # type: ignore[misc]
        assert check(folder, secret)[:-1] == after
        assert leftovers(folder) == 0
        size += len(after) - len(entries) + 1
    print(json.dumps({"kills": kills, "halfway": halfway, "acknowledged": acknowledged, "size": size}))


class Calls:
    """Counts the calls that change the disk, and kills its own process at one of them."""

    def __init__(self, deadly: int) -> None:
        self.deadly, self.count = deadly, 0

    def watch(self) -> None:
        for name in _CHANGES:
            setattr(os, name, self._watched(getattr(os, name)))

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            if self.count == self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            self.count += 1
            return call(*arguments, **named)

        return watched


def steps(folder: Path) -> None:
    """Kill one append before its first call that changes the disk, the next before its second, and so on."""
    secret = SecretKey.generate("writer")
    halfway = deadly = 0
    while True:
        before = check(folder, secret)

        def work(pipe: int, deadly: int = deadly) -> None:
            ledger = Ledger(folder)
            Calls(deadly).watch()
            ledger.append(lambda size, root: said_by("child", deadly, size, root), secret)
            os.write(pipe, b".")

        child, pipe = in_child(work)
        _, status = os.waitpid(child, 0)
        if drain(pipe):
            break
        assert os.WIFSIGNALED(status)
        halfway += leftovers(folder) > 0
        after = check(folder, secret)
        assert after[: len(before)] == before
        assert len(after) <= len(before) + 1
        deadly += 1
    assert len(check(folder, secret)) > 0
    assert leftovers(folder) == 0
    print(json.dumps({"steps": deadly, "halfway": halfway, "size": Ledger(folder).size}))


if __name__ == "__main__":
    verb, where, *rest = sys.argv[1:]
    if verb == "append":
        append(Path(where), rest[0], int(rest[1]))
    elif verb == "kill":
        kill(Path(where), int(rest[0]), int(rest[1]))
    else:
        steps(Path(where))
