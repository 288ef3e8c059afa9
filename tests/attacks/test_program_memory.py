"""Attack: a blind program eats memory: in one process, in many, in files that are memory."""

from __future__ import annotations

import pytest

from foretell.base.errors import ProgramError
from tests.attacks.conftest import Blind, Put

MOST = 64 << 20
ONE = """
def next_token(token_ids):
    kept = bytearray({size})
    kept[::4096] = b"x" * len(kept[::4096])
    return honest(token_ids)
"""
MANY = """
import os, time

def next_token(token_ids):
    for _ in range(4):
        if not os.fork():
            kept = bytearray({size})
            kept[::4096] = b"x" * len(kept[::4096])
            time.sleep({seconds})
            os._exit(0)
    for _ in range(4):
        os.wait()
    return honest(token_ids)
"""
FILE = """
import os

def next_token(token_ids):
    with open({place!r}, "wb") as file:
        for _ in range({megabytes}):
            file.write(bytes(1 << 20))
    os.remove({place!r})
    return honest(token_ids)
"""


def test_one_process(blind: Blind, put: Put) -> None:
    put(blind(ONE.format(size=10 << 20), memory_bytes=MOST))
    with pytest.raises(ProgramError, match=r"too much memory: got '?MemoryError|too much memory: got .* bytes"):
        put(blind(ONE.format(size=2 * MOST), memory_bytes=MOST))


def test_many_processes_each_below_the_limit(blind: Blind, put: Put) -> None:
    put(blind(MANY.format(size=1 << 20, seconds=0), memory_bytes=2 * MOST))
    message = rf"too much memory: got \d+ bytes in [3-6] processes, expected at most {2 * MOST}"
    with pytest.raises(ProgramError, match=message):
        put(blind(MANY.format(size=40 << 20, seconds=5), memory_bytes=2 * MOST))


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_scratch_is_limited(blind: Blind, put: Put, folder: str) -> None:
    put(blind(FILE.format(place=f"{folder}/x", megabytes=1), scratch_bytes=4 << 20))
    with pytest.raises(ProgramError, match=r"the program failed: got .*(No space left on device|File too large)"):
        put(blind(FILE.format(place=f"{folder}/x", megabytes=6), scratch_bytes=4 << 20))


def test_many_small_files_fill_the_scratch(blind: Blind, put: Put) -> None:
    source = "def next_token(ids):\n    for i in range(9):\n        open(f'/tmp/{i}', 'wb').write(bytes(1 << 20))\n"
    with pytest.raises(ProgramError, match=r"the program failed: got .*No space left on device"):
        put(blind(source, scratch_bytes=4 << 20))


@pytest.mark.parametrize("call", ["os.memfd_create('x')", "ctypes_shmget()"])
def test_memory_that_no_process_is_charged_for(blind: Blind, put: Put, call: str) -> None:
    source = f"""
import ctypes, os

def ctypes_shmget():
    system = ctypes.CDLL(None, use_errno=True)
    if system.shmget(0, 1 << 20, 0o1600) < 0:
        raise PermissionError(ctypes.get_errno(), "shmget")

def next_token(token_ids):
    {call}
    return honest(token_ids)
"""
    with pytest.raises(ProgramError, match=r"the program failed: got .*PermissionError"):
        put(blind(source))
