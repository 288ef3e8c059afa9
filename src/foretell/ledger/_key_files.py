"""Secret keys on disk: only their owner may read them, and nothing is ever overwritten."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from foretell.base.files import storage_errors
from foretell.ledger._key_text import wrong_key

_SECRET_MODE, _PUBLIC_MODE, _OTHERS = 0o600, 0o644, 0o077


def read_secret_text(path: Path) -> str:
    """The text of a file that only its owner can read.

    Raises:
        InputError: no such file, or one that others can read.
    """
    if not path.is_file():
        raise wrong_key(
            "no secret key",
            where=str(path),
            got="no such file",
            expected="a .key file",
            fix="Make a key with `foretell keys new NAME`, or give the path of yours.",
        )
    with path.open(encoding="utf-8", errors="replace") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & _OTHERS:
            raise wrong_key(
                "others can read this secret key",
                where=str(path),
                got=f"mode {mode:04o}",
                expected=f"mode {_SECRET_MODE:04o}",
                fix=f"Run: chmod 600 {path} (and make a new key if somebody may have read it).",
            )
        return file.read()


def write_key_pair(folder: Path, name: str, secret: str, public: str) -> tuple[Path, Path]:
    """Write NAME.key, which only its owner can read, and NAME.pub: both or none.

    Raises:
        InputError: one of them is there already, or the name cannot be a file's.
        StorageError: the disk is full or cannot be written.
    """
    if "/" in name or name.startswith("."):
        raise wrong_key(
            "this key's name cannot be a file's",
            where=str(folder),
            got=repr(name),
            expected="a name without '/', and without a dot in front",
            fix="Choose another name.",
        )
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    secret_path, public_path = folder / f"{name}.key", folder / f"{name}.pub"
    _write_new(secret_path, secret, _SECRET_MODE)
    try:
        _write_new(public_path, public, _PUBLIC_MODE)
    except BaseException:
        secret_path.unlink()
        raise
    return secret_path, public_path


def _write_new(path: Path, text: str, mode: int) -> None:
    """Make a file, or fail where there is one (or a link); the system decides, so that two writers cannot meet."""
    with storage_errors(path):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError as error:
            raise wrong_key(
                "a key is never overwritten",
                where=str(path),
                got="a file that is there already",
                expected="a new name",
                fix="Choose another name or folder; a lost key cannot be made again.",
            ) from error
    try:
        with storage_errors(path), os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, mode)
            file.write(text)
            file.flush()
            os.fsync(handle)
    except BaseException:
        path.unlink()
        raise
