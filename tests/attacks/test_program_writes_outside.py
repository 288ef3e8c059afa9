"""Attack: a blind program writes where others read: its own folder, the root, homes, the machine's /tmp, the kernel."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from foretell.base.errors import ProgramError
from tests.attacks.conftest import Blind, Put

WRITES = """
import os

def next_token(token_ids):
    for place in {places!r}:
        try:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "w") as file:
                file.write("was here")
        except OSError:
            continue
        if not place.startswith({allowed!r}):
            raise RuntimeError("wrote " + place)
    for place in ("/proc/sys/kernel/core_pattern", "/proc/self/oom_score_adj", "/proc/sys/vm/drop_caches"):
        if os.path.exists(place) and os.access(place, os.W_OK):
            raise RuntimeError("can write " + place)
    return honest(token_ids)
"""


def test_nothing_arrives(
    blind: Blind, put: Put, tmp_path: Path, folder_bytes: Callable[[Path], dict[str, bytes]]
) -> None:
    name = f"foretell-was-here-{tmp_path.name}"
    outside = [f"/{name}", f"/program/{name}", f"/python/lib/{name}", f"/packages/numpy/{name}", f"/usr/lib/{name}"]
    outside += [f"/dev/{name}", f"{Path.home()}/{name}", f"{tmp_path}/{name}", "/harness.py"]
    inside = [f"{tempfile.gettempdir()}/{name}", f"/tmp/{name}", f"/dev/shm/{name}"]
    forecaster = blind(WRITES.format(places=outside + inside, allowed=("/tmp/", "/dev/shm/")))
    before = folder_bytes(tmp_path / "program")
    put(forecaster)
    assert folder_bytes(tmp_path / "program") == before
    assert not [place for place in outside + inside if Path(place).exists()]
    with pytest.raises(ProgramError, match=r"RuntimeError: (wrote|can write)"):
        put(blind(WRITES.format(places=[f"{tmp_path}/{name}"], allowed="/never/"), unsafe=True))
    assert (tmp_path / name).exists()


def test_no_second_user_namespace_and_no_mounts(blind: Blind, put: Put) -> None:
    source = """
import ctypes

def next_token(token_ids):
    system = ctypes.CDLL(None, use_errno=True)
    assert system.unshare(0x10000000) != 0, "a user namespace"
    assert system.mount(b"none", b"/tmp", b"tmpfs", 0, None) != 0, "a mount"
    return honest(token_ids)
"""
    put(blind(source))
