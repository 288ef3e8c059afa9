"""Unpacking what strangers send: a .zip is read within limits, into a new folder, or not at all."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import NoReturn

from foretell.base.errors import ForgeryError, InputError
from foretell.base.files import storage_errors

#: What an archive may hold, and by how much it may grow: honest arrays of floats shrink to no less than a fiftieth.
MOST_BYTES, MOST_FILES, MOST_RATIO = 8 << 30, 100_000, 200
_SMALL_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20


def unpack(archive: Path, folder: Path, most_bytes: int = MOST_BYTES) -> None:
    """Unpack a .zip into a new folder; whatever single folder wraps all files is taken off.

    Sizes are counted while reading, not taken from the archive's own word.

    Raises:
        InputError: not a .zip.
        ForgeryError: a name that leads out of the folder, a link or device, a name twice, or more bytes than allowed.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = [member for member in file.infolist() if not member.is_dir()]
            _check_names(archive, members)
            wrapper = _wrapper([member.filename for member in members])
            with storage_errors(folder):
                folder.mkdir(parents=True)
                left = min(most_bytes, max(_SMALL_BYTES, MOST_RATIO * archive.stat().st_size))
                for member in members:
                    target = folder / member.filename.removeprefix(wrapper)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    left = _copy(file, member, target, left, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(
            "not an archive that can be read",
            where=str(archive),
            got=str(error),
            expected="a plain .zip",
            fix="Pack the folder again, without a password.",
        ) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _check_names(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_FILES:
        _refuse("an archive of too many files", archive, f"{len(members)} files", f"at most {MOST_FILES}")
    seen: set[str] = set()
    for member in members:
        name = PurePosixPath(member.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in member.filename or ":" in name.parts[0]:
            _refuse("a path that leads out of the folder", archive, repr(member.filename), "names inside the folder")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            _refuse("a link or device", archive, repr(member.filename), "plain files only")
        if member.filename in seen:
            _refuse("a name twice", archive, repr(member.filename), "every name once")
        seen.add(member.filename)


def _wrapper(names: list[str]) -> str:
    """The one folder that holds every file, with its slash; '' where there is none."""
    heads = {name.partition("/")[0] for name in names}
    return f"{heads.pop()}/" if len(heads) == 1 and all("/" in name for name in names) else ""


def _copy(file: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int, archive: Path) -> int:
    with file.open(member) as source, target.open("xb") as sink:
        while chunk := source.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                _refuse("an archive that grows without end", archive, f"more at {member.filename!r}", "a modest size")
            sink.write(chunk)
    return left


def _refuse(what: str, archive: Path, got: str, expected: str) -> NoReturn:
    raise ForgeryError(
        what, where=str(archive), got=got, expected=expected, fix="Do not unpack it; ask for the folder itself."
    )
