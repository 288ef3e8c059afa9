"""Unpacking what strangers send: a .zip is read within limits, into a new folder, or not at all."""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

import pyarrow

from foretell.base.errors import ForgeryError, InputError
from foretell.base.files import storage_errors

#: What an archive may hold, and by how much it may grow: honest arrays of floats shrink to no less than a fiftieth.
MOST_BYTES, MOST_FILES, MOST_RATIO = 8 << 30, 100_000, 200
_SMALL_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
#: Bytes of one part of a path, on every usual file system.
_LONGEST_NAME = 255
#: Zstandard's number in an archive's directory, and what stands before a member's bytes (APPNOTE.TXT 4.3.7, 4.4.5).
_ZSTANDARD, _LOCAL_HEADER = 93, struct.Struct("<4s5H3L2H")
_ENCRYPTED = 1
#: What the library raises about archives that were tampered with; ValueError and OSError for offsets out of range.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    OSError,
    pyarrow.ArrowException,
)


def unpack(archive: Path, folder: Path, most_bytes: int = MOST_BYTES) -> None:
    """Unpack a .zip into a new folder; whatever single folder wraps all files is taken off.

    Sizes are counted while reading, not taken from the archive's own word.

    Raises:
        InputError: not a .zip.
        ForgeryError: a name that leads out of the folder, a link or device, a name twice, or more bytes than allowed.
    """
    if folder.exists() or folder.is_symlink():
        raise InputError(
            "the folder exists", where=str(folder), got="a folder", expected="a new one", fix="Choose another name."
        )
    try:
        with zipfile.ZipFile(archive) as file:
            members = _checked(file.infolist(), archive)
            wrapper = _wrapper([member.filename for member in members])
            with storage_errors(folder):
                folder.mkdir(parents=True)
                left = min(most_bytes, max(_SMALL_BYTES, MOST_RATIO * archive.stat().st_size))
                for member in members:
                    target = folder / member.filename.removeprefix(wrapper)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    left = _copy(file, member, target, left, archive)
    except _BROKEN as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise _unreadable(str(archive), error) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def read_member(archive: IO[bytes], name: str, where: str, most_bytes: int) -> bytes | None:
    """One member of an archive that may be Zstandard-compressed, as logs are that no human unpacks.

    Args:
        archive: the open file.
        where: what to call it in errors.
        most_bytes: of the member; counted while reading.

    Returns:
        Its bytes; None where no member has the name.

    Raises:
        InputError: not a .zip, a password, another compression, damaged, or the name is there twice.
        ForgeryError: more bytes than allowed.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            found = [member for member in file.infolist() if member.filename == name]
            if not found:
                return None
            if len(found) > 1 or found[0].flag_bits & _ENCRYPTED:
                raise ValueError(f"{name!r} twice, or with a password")
            data = _read_bounded(archive, file, found[0], most_bytes + 1)
            if len(data) <= most_bytes and zlib.crc32(data) != found[0].CRC:
                raise ValueError(f"a checksum of {name!r} that does not fit")
    except _BROKEN as error:
        raise _unreadable(where, error) from error
    if len(data) > most_bytes:
        _refuse("a member that grows without end", where, f"more than {most_bytes} bytes in {name!r}", "a modest size")
    return data


def _read_bounded(archive: IO[bytes], file: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """The first bytes of a member; Python reads Zstandard in archives from 3.14 on only, so that is done by hand."""
    if member.compress_type != _ZSTANDARD:
        with file.open(member) as source:
            return source.read(most)
    archive.seek(member.header_offset)
    *_, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(archive.read(_LOCAL_HEADER.size))
    archive.seek(name_bytes + extra_bytes, 1)
    packed = archive.read(min(member.compress_size, most))
    with pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), "zstd") as source:
        return bytes(source.read(most))


def _checked(listed: list[zipfile.ZipInfo], archive: Path) -> list[zipfile.ZipInfo]:
    """The files of an archive, all of which may be unpacked; its folders follow from their names."""
    if len(listed) > MOST_FILES:
        _refuse("an archive of too many files", archive, f"{len(listed)} files", f"at most {MOST_FILES}")
    for member in listed:
        _check_name(member, archive)
    members = [member for member in listed if not member.is_dir()]
    seen: set[str] = set()
    for member in members:
        if member.filename in seen:
            _refuse("a name twice", archive, repr(member.filename), "every name once")
        seen.add(member.filename)
    for name in sorted(seen):
        for parent in PurePosixPath(name).parents:
            if parent.as_posix() in seen:
                _refuse("a file that is a folder too", archive, repr(parent.as_posix()), "one of the two")
    return members


def _check_name(member: zipfile.ZipInfo, archive: Path) -> None:
    name = member.filename
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
        _refuse("a path that leads out of the folder", archive, repr(name), "names inside the folder")
    if not all(part and part != "." and len(part.encode()) <= _LONGEST_NAME for part in parts):
        _refuse("a name that no file has", archive, ascii(name[:_LONGEST_NAME]), "plain relative names")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG):
        _refuse("a link or device", archive, repr(name), "plain files only")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        _refuse("another compression", archive, f"type {member.compress_type} of {name!r}", "stored or deflated")


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


def _unreadable(where: str, error: Exception) -> InputError:
    return InputError(
        "not an archive that can be read",
        where=where,
        got=str(error) or type(error).__name__,
        expected="a plain .zip",
        fix="Pack the folder again, without a password.",
    )


def _refuse(what: str, archive: Path | str, got: str, expected: str) -> NoReturn:
    raise ForgeryError(
        what, where=str(archive), got=got, expected=expected, fix="Do not unpack it; ask for the folder itself."
    )
