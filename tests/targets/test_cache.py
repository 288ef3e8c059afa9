"""Tests of the cache of models: built once, whole or absent, checked on every opening."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from foretell.base.errors import DamageError
from foretell.targets.cache import cached_folder, models_cache


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "foretell" / "models"


def build(folder: Path) -> dict[str, Any]:
    (folder / "weights.bin").write_bytes(b"12345")
    return {"licence": "Apache-2.0"}


def test_a_folder_is_built_once(cache: Path) -> None:
    calls: list[Path] = []

    def counted(folder: Path) -> dict[str, Any]:
        calls.append(folder)
        return build(folder)

    folders = [cached_folder("m", counted) for _ in range(3)]
    assert folders == [cache / "m"] * 3
    assert len(calls) == 1
    assert (folders[0] / "weights.bin").read_bytes() == b"12345"


def test_a_failed_build_leaves_nothing_and_is_tried_again(cache: Path) -> None:
    def fail(folder: Path) -> dict[str, Any]:
        build(folder)
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        cached_folder("m", fail)
    assert [path.name for path in cache.iterdir()] == [".m.lock"]
    assert (cached_folder("m", build) / "weights.bin").is_file()


def test_what_a_killed_build_left_is_removed(cache: Path) -> None:
    left = cache / ".m.0123abcd.partial"
    left.mkdir(parents=True)
    (left / "weights.bin").write_bytes(b"12")
    cached_folder("m", build)
    assert not left.exists()


def test_a_changed_file_is_noticed(cache: Path) -> None:
    cached_folder("m", build)
    (cache / "m" / "weights.bin").write_bytes(b"12346")
    with pytest.raises(DamageError, match=r"weights\.bin: damaged file"):
        cached_folder("m", build)


def test_two_at_once_build_once() -> None:
    began, calls = threading.Barrier(2), []

    def slow(folder: Path) -> dict[str, Any]:
        calls.append(folder)
        return build(folder)

    def open_it() -> None:
        began.wait()
        cached_folder("m", slow)

    threads = [threading.Thread(target=open_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_a_relative_cache_home_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert models_cache() == tmp_path / ".cache" / "foretell" / "models"
