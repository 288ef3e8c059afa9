"""Files are whole or absent, and a manifest says what they are."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from foretell.base.errors import DamageError, InputError, StorageError
from foretell.base.files import (
    check_file,
    read_manifest,
    remove_partial_files,
    storage_errors,
    write_atomically,
    write_manifest,
    write_text_atomically,
)


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "data.txt"
    write_text_atomically(path, "old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_atomically(path, fail)
    assert {p.name: p.read_text() for p in path.parent.iterdir()} == {"data.txt": "old"}


def test_files_can_be_read_by_whom_the_user_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "x", lambda path: save_file({"a": np.zeros(1)}, path))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the quota is used up"),
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), "a file where a folder has to be"),
        (FileExistsError(errno.EEXIST, "File exists"), "a file where a folder has to be"),
        (PermissionError(errno.EACCES, "Permission denied"), "no permission"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "the disk is full"),
    ],
)
def test_the_systems_refusals_are_named(error: Exception, reason: str) -> None:
    message = f"somewhere: cannot write: got {reason}, .*Free some space"
    with pytest.raises(StorageError, match=message), storage_errors(Path("somewhere")):
        raise error


@pytest.mark.parametrize("error", [OSError(errno.EIO, "I/O error"), SafetensorError("bad header"), KeyError("x")])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)), storage_errors(Path("somewhere")):
        raise error


def test_a_full_disk_leaves_nothing_half_written(small_disk: Path) -> None:
    path = small_disk / "big.safetensors"
    with pytest.raises(StorageError, match="the disk is full"):
        write_atomically(path, lambda temporary: save_file({"a": np.zeros(1 << 20)}, temporary))
    with pytest.raises(StorageError, match="the disk is full"):
        write_atomically(path, lambda temporary: temporary.write_bytes(bytes(1 << 20)))
    assert list(small_disk.iterdir()) == []


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".x.safetensors.0123.partial").write_text("half")
    (tmp_path / ".run.partial").mkdir()
    (tmp_path / ".run.partial" / "file").write_text("half")
    (tmp_path / "x.partial").write_text("not ours")
    remove_partial_files(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["x.partial"]


def test_a_manifest_names_every_file_with_its_digest(
    tmp_path: Path, folder_bytes: Callable[[Path], dict[str, bytes]]
) -> None:
    write_text_atomically(tmp_path / "a" / "b.txt", "b")
    (tmp_path / ".hidden").write_text("no part of it")
    manifest = write_manifest(tmp_path, "s/1", {"fact": 1})
    assert list(manifest["files"]) == ["a/b.txt"]
    assert read_manifest(tmp_path, "s/1") == manifest
    assert check_file(tmp_path, "a/b.txt", manifest) == tmp_path / "a" / "b.txt"
    with pytest.raises(DamageError, match=r"c.txt: damaged file: got no file, expected no such file in the manifest"):
        check_file(tmp_path, "c.txt", manifest)
    (tmp_path / "a" / "b.txt").write_text("c")
    with pytest.raises(DamageError, match=r"b.txt: damaged file: got sha256"):
        check_file(tmp_path, "a/b.txt", manifest)
    with pytest.raises(InputError, match="a folder of another kind"):
        read_manifest(tmp_path, "s/2")


def test_a_manifest_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        write_manifest(tmp_path, "s/1", {"fact": float("nan")})
    assert list(tmp_path.iterdir()) == []
