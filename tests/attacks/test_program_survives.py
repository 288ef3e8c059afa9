"""Attack: a blind program leaves a process behind that outlives its run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.attacks.conftest import Blind, Put

from foretell.base.errors import ProgramError

SURVIVES = """
import os, signal, subprocess, time

def next_token(token_ids):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for one in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(one, signal.SIG_IGN)
            os.closerange(0, 20)
            os.execv("/usr/bin/sleep", ["{mark}", "60"])
        os._exit(0)
    os.wait()
    {then}
    return honest(token_ids)
"""


def alive(mark: str) -> list[int]:
    """Processes of this machine whose command line has the mark."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.fixture
def mark() -> Callable[[], str]:
    return lambda: f"sleeper-{uuid.uuid4().hex}"


def test_nothing_is_left_after_a_good_run(blind: Blind, put: Put, mark: Callable[[], str]) -> None:
    name = mark()
    put(blind(SURVIVES.format(mark=name, then=""), processes=40))
    assert alive(name) == []


def test_nothing_is_left_after_a_bad_run(blind: Blind, put: Put, mark: Callable[[], str]) -> None:
    name = mark()
    with pytest.raises(ProgramError, match=r"the program failed: got .*ZeroDivisionError"):
        put(blind(SURVIVES.format(mark=name, then="1 / 0"), processes=40))
    assert alive(name) == []


def test_the_test_sees_a_process(mark: Callable[[], str]) -> None:
    name = mark()
    child = os.spawnv(os.P_NOWAIT, "/usr/bin/sleep", [name, "60"])
    try:
        while not alive(name):
            pass
        assert alive(name) == [child]
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
