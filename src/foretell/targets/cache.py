"""The user's cache of models: folders that are whole or absent, each with a manifest, made once."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foretell.base.files import check_file, read_manifest, storage_errors, write_manifest

MODEL_SCHEMA = "foretell.model/1"
Say = Callable[[str], None]


def silent(_: str) -> None:
    """A `say` for callers that want no news."""


def models_cache() -> Path:
    """Where fetched and converted models lie: $XDG_CACHE_HOME/foretell/models, or under ~/.cache.

    A relative $XDG_CACHE_HOME does not count.

    Source: XDG Base Directory Specification 0.8.

    >>> models_cache().parts[-2:]
    ('foretell', 'models')
    """
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".cache") / "foretell" / "models"


def cached_folder(name: str, build: Callable[[Path], dict[str, Any]]) -> Path:
    """The cache's folder of that name, built on the first call and checked against its manifest on the later ones.

    Two processes that need the same folder take turns; one that is killed leaves nothing that counts.

    Args:
        build: writes the content into the empty folder that it is given and returns facts for the manifest.

    Raises:
        DamageError: a file of the folder is not what was written.
        StorageError: the cache cannot be written.
    """
    cache = models_cache()
    folder = cache / name
    if not folder.is_dir():
        with storage_errors(cache):
            cache.mkdir(parents=True, exist_ok=True)
            with turn(cache / f".{name}.lock"):
                if not folder.is_dir():
                    _build(folder, build)
    manifest = read_manifest(folder, MODEL_SCHEMA)
    for file in manifest["files"]:
        check_file(folder, file, manifest)
    return folder


def _build(folder: Path, build: Callable[[Path], dict[str, Any]]) -> None:
    for left in folder.parent.glob(f".{folder.name}.*.partial"):
        shutil.rmtree(left)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    temporary.mkdir()
    try:
        facts = build(temporary)
        write_manifest(temporary, MODEL_SCHEMA, facts)
        _flush(temporary)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _flush(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def turn(lock: Path) -> Iterator[None]:
    """Wait for a lock file; the system gives it back even where its holder is killed."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
