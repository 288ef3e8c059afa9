"""One byte of a published folder is changed: whichever it is and whatever it becomes, the folder no longer verifies.

The whole count takes minutes; `FORETELL_FLIPS=10000 python -m pytest -s tests/attacks/test_flips.py` makes that many
random flips and flips every byte of every small file.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from foretell.verifier import verify
from tests.attempts.playing import new_game

SEED = 20261124
FLIPS = int(os.environ.get("FORETELL_FLIPS", "0"))
#: Without the variable: as many random flips, and every byte of these small files.
FEW, THE_LOG = 2_000, "log/"
SMALL_BYTES = 4 << 10


@dataclass(frozen=True)
class Flip:
    """A byte of a file, and which of its bits change."""

    file: str
    offset: int
    bits: int


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = new_game(tmp_path_factory.mktemp("flips")).play("blind")
    assert all(check.holds for check in verify(folder))
    return folder


def sizes_of(folder: Path) -> dict[str, int]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def random_flips(sizes: dict[str, int], count: int, rng: random.Random) -> Iterator[Flip]:
    """One in each file, then half of them by bytes and half by files, so that small ones are not passed over."""
    names = list(sizes)
    half = (count - len(names)) // 2
    by_bytes = rng.choices(names, weights=list(sizes.values()), k=half)
    by_files = rng.choices(names, k=count - len(names) - half)
    for name in (*names, *by_bytes, *by_files):
        yield Flip(name, rng.randrange(sizes[name]), rng.randrange(1, 256))


def every_byte(sizes: dict[str, int], rng: random.Random, start: str = "") -> Iterator[Flip]:
    """Each byte of the small files under `start`."""
    for name, size in sizes.items():
        if size <= SMALL_BYTES and name.startswith(start):
            for offset in range(size):
                yield Flip(name, offset, rng.randrange(1, 256))


def uncaught(folder: Path, flips: list[Flip]) -> list[Flip]:
    """Make every flip, verify, and undo it; those after which every check still held."""
    passed = []
    for flip in flips:
        with (folder / flip.file).open("r+b", buffering=0) as file:
            file.seek(flip.offset)
            (byte,) = file.read(1)
            _write(file.fileno(), flip.offset, byte ^ flip.bits)
            if not any(check.holds is False for check in verify(folder)):
                passed.append(flip)
            _write(file.fileno(), flip.offset, byte)
    return passed


def _write(handle: int, offset: int, byte: int) -> None:
    assert os.pwrite(handle, bytes([byte]), offset) == 1


def report(what: str, flips: list[Flip], passed: list[Flip], seconds: float) -> None:
    files = len(Counter(flip.file for flip in flips))
    each = 1e3 * seconds / len(flips)
    print(f"\n{what}: {len(flips):,} flips in {files} files, {len(flips) - len(passed):,} caught, {each:.1f} ms each")


def test_random_bytes(published: Path) -> None:
    sizes = sizes_of(published)
    flips = list(random_flips(sizes, FLIPS or FEW, random.Random(SEED)))
    assert {flip.file for flip in flips} == set(sizes)
    began = time.perf_counter()
    passed = uncaught(published, flips)
    report("random bytes", flips, passed, time.perf_counter() - began)
    assert passed == []
    assert all(check.holds for check in verify(published))  # every flip was undone: each was made alone


def test_every_byte_of_small_files(published: Path) -> None:
    sizes = sizes_of(published)
    flips = list(every_byte(sizes, random.Random(SEED), "" if FLIPS else THE_LOG))
    assert len({flip.file for flip in flips}) > len(list((published / "log/checkpoints").iterdir()))
    began = time.perf_counter()
    passed = uncaught(published, flips)
    report("every byte of small files", flips, passed, time.perf_counter() - began)
    assert passed == []
    assert all(check.holds for check in verify(published))
