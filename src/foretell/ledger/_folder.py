"""What lies in a ledger's two folders: numbered files without a gap, and what an interrupted writer left."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from foretell.base.errors import InputError
from foretell.ledger._strict import forged

_DIGITS = 8
#: Names under which base/files.py writes before it renames: a hidden sibling of the file to be.
_TEMPORARY = re.compile(r"\.([0-9]{8}\.(?:json|note))\.[0-9a-f]{8}\.partial")
#: More than any step says; a reader must not be made to read without end.
LARGEST_ENTRY_BYTES, LARGEST_CHECKPOINT_BYTES = 1 << 26, 1 << 12


@dataclass(frozen=True)
class Kind:
    """One of the two folders: its name, the ending of its files, their first number, and their largest size."""

    folder: str
    ending: str
    first: int
    largest_bytes: int

    def name(self, number: int) -> str:
        """The path of a file, inside the ledger."""
        return f"{self.folder}/{number:0{_DIGITS}d}{self.ending}"


ENTRIES = Kind("entries", ".json", 0, LARGEST_ENTRY_BYTES)
CHECKPOINTS = Kind("checkpoints", ".note", 1, LARGEST_CHECKPOINT_BYTES)


@dataclass(frozen=True)
class Found:
    """What counts (entries and their checkpoints), and what is to be removed by the next writer."""

    entries: list[Path]
    checkpoints: list[Path]
    unfinished: list[Path]

    def read(self) -> tuple[list[bytes], list[bytes]]:
        """The bytes of what counts."""
        return [_read(path, ENTRIES) for path in self.entries], [_read(path, CHECKPOINTS) for path in self.checkpoints]


def find(folder: Path) -> Found:
    """List a ledger, also while others append to it.

    Raises:
        InputError: the folder is a file.
        ForgeryError: a number is missing, an entry or a checkpoint has no counterpart, or something does not belong
            there.
    """
    if folder.exists() and not folder.is_dir():
        fix = "Give the folder of a ledger."
        raise InputError("not a ledger", where=str(folder), got="a file", expected="a folder", fix=fix)
    listing = _list(folder)
    while True:
        try:
            return _match(folder, listing)
        except _ChangingError as error:
            again = _list(folder)
            if again == listing:  # nobody is writing: it is as it looks
                missing = str(folder / error.missing)
                raise forged("a gap in the ledger", where=missing, got=error.got, expected="a file") from error
            listing = again


class _ChangingError(Exception):
    """Entries and checkpoints do not match, which is so for moments while somebody appends."""

    def __init__(self, missing: str, got: str) -> None:
        super().__init__(missing)
        self.missing, self.got = missing, got


def _list(folder: Path) -> tuple[list[str], list[str]]:
    """Names of checkpoints first, then of entries: what was there for a checkpoint's writer is there for us."""
    checkpoints = _names(folder, CHECKPOINTS)
    return _names(folder, ENTRIES), checkpoints


def _names(folder: Path, kind: Kind) -> list[str]:
    path = folder / kind.folder
    if not path.is_symlink() and not path.exists():
        return []
    if path.is_symlink() or not path.is_dir():
        raise forged("not a folder", where=str(path), got="a link or a file", expected="a folder of the ledger")
    with os.scandir(path) as items:
        found = sorted((item.name, item) for item in items)
    for name, item in found:
        temporary = _TEMPORARY.fullmatch(name)
        if not _belongs(temporary.group(1) if temporary else name, kind):
            raise forged(
                "a file that does not belong there",
                where=str(path / name),
                got=f"the name {name!r}",
                expected=f"numbers of {_DIGITS} digits and {kind.ending}",
                fix="Find out who put it there, and why; nothing in the ledger needs it.",
            )
        if item.is_symlink() or item.is_dir(follow_symlinks=False):
            raise forged("not a plain file", where=str(path / name), got="a link or a folder", expected="a file")
    return [name for name, _ in found]


def _belongs(name: str, kind: Kind) -> bool:
    return re.fullmatch(r"[0-9]{8}" + re.escape(kind.ending), name) is not None


def _match(folder: Path, listing: tuple[list[str], list[str]]) -> Found:
    """Sort out what counts; the entry after the last checkpoint and temporary files are unfinished."""
    kinds = (ENTRIES, CHECKPOINTS)
    entries, checkpoints = (
        _numbered(kind, [name for name in names if not name.startswith(".")])
        for kind, names in zip(kinds, listing, strict=True)
    )
    size, counts = len(checkpoints), f"{len(entries)} entries and {len(checkpoints)} checkpoints"
    if len(entries) < size:
        raise _ChangingError(ENTRIES.name(len(entries)), counts)
    if len(entries) > size + 1:
        raise _ChangingError(CHECKPOINTS.name(size + 1), counts)
    temporary = [
        f"{kind.folder}/{name}"
        for kind, names in zip(kinds, listing, strict=True)
        for name in names
        if name.startswith(".")
    ]
    paths = ([folder / name for name in names] for names in (entries[:size], checkpoints, entries[size:] + temporary))
    return Found(*paths)


def _numbered(kind: Kind, names: list[str]) -> list[str]:
    """Paths inside the ledger, after a look that no number is left out."""
    expected = [kind.name(number) for number in range(kind.first, kind.first + len(names))]
    for path, name in zip(expected, names, strict=True):
        if path != f"{kind.folder}/{name}":
            raise _ChangingError(path, f"none, but {name}")
    return expected


def _read(path: Path, kind: Kind) -> bytes:
    """The bytes of a plain file, which must not have become a link or a device since it was listed."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise forged("not a plain file", where=str(path), got="a device or a pipe", expected="a file")
        data = file.read(kind.largest_bytes + 1)
    if not 0 < len(data) <= kind.largest_bytes:
        expected = f"1 to {kind.largest_bytes} bytes"
        raise forged("a file of impossible size", where=str(path), got=f"{about.st_size} bytes", expected=expected)
    return data
