"""Files that are whole or absent: writes go to a temporary name, are flushed, and are renamed into place."""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from foretell import __version__
from foretell.base.canonical import digest_file, read_json
from foretell.base.errors import DamageError, InputError, StorageError

MANIFEST = "manifest.json"
_IN_THE_WAY = "a file where a folder has to be"
_DISK_ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "read-only",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn 'disk full', 'read-only', 'no permission' and a file in the way into a StorageError that names the path.

    The safetensors library has an error type of its own for them, and the system's reason in its text only.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = _DISK_ERRORS.get(getattr(error, "errno", None) or 0) or (
            "no permission" if isinstance(error, PermissionError) else None
        )
        if reason is None and "No space left" in str(error):
            reason = _DISK_ERRORS[errno.ENOSPC]
        if reason is None:
            raise
        raise StorageError(
            "cannot write",
            where=str(path),
            got=reason,
            expected="room and permission to write",
            fix="Free some space or choose another place; what was finished before is kept, so the same command "
            "goes on from there.",
        ) from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call write(temporary path), then flush and rename it to path. A failure or `kill -9` leaves no partial file.

    The temporary file is a hidden sibling, which readers ignore and the next writer removes.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
        try:
            write(temporary)
            temporary.chmod(_ordinary_mode())  # some writers make files that only their owner can read
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            flush_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    """write_atomically for a text in UTF-8."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _ordinary_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def flush_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_partial_files(folder: Path) -> None:
    """Remove what a killed writer left under its temporary names."""
    for path in folder.glob(".*.partial"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_manifest(folder: Path, schema: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Write manifest.json last: schema, maker, facts, and the digest of every other file of the folder.

    Returns:
        The manifest as written.
    """
    own = folder / MANIFEST
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != own and not p.name.startswith("."))
    manifest = {
        "schema": schema,
        "made_by": f"foretell {__version__}",
        **facts,
        "files": {path.relative_to(folder).as_posix(): digest_file(path) for path in files},
    }
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    write_text_atomically(folder / MANIFEST, text)
    return manifest


def read_manifest(folder: Path, schema: str) -> dict[str, Any]:
    """Read a folder's manifest and check that it is of the schema; file digests are checked by `check_file`.

    Raises:
        InputError: there is no manifest, or it is of another schema.
        DamageError: it is not JSON.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(
            "no manifest",
            where=str(folder),
            got="a folder that is unfinished or of another kind" if folder.is_dir() else "no such folder",
            expected=f"a folder of schema {schema}",
            fix="Give the folder that a foretell command wrote with --out; if that command was stopped, run it again "
            "and it goes on.",
        )
    try:
        manifest = read_json(path.read_bytes())
    except ValueError as error:
        raise damaged(path, str(error), "JSON") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files", {}), dict):
        raise damaged(path, "JSON of another shape", "an object with schema and files")
    if manifest.get("schema") != schema:
        raise InputError(
            "a folder of another kind",
            where=str(path),
            got=f"schema {manifest.get('schema')!r}",
            expected=repr(schema),
            fix="Give the other folder, or the foretell version that wrote this one.",
        )
    return dict(manifest)


def check_file(folder: Path, name: str, manifest: dict[str, Any]) -> Path:
    """The path of a file of the folder, after its digest was compared with the manifest's.

    Raises:
        DamageError: the file is missing or differs.
    """
    path = folder / name
    expected = manifest.get("files", {}).get(name, "no such file in the manifest")
    got = digest_file(path) if path.is_file() else "no file"
    if got != expected:
        raise damaged(path, got, expected)
    return path


def damaged(path: Path, got: str, expected: str) -> DamageError:
    """The error for a file that is not what it should be."""
    return DamageError(
        "damaged file",
        where=str(path),
        got=got,
        expected=expected,
        fix="Restore the file from a copy, or delete the folder and make it again.",
    )
