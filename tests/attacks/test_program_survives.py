"""Attack: a blind program leaves a process behind that outlives its run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from foretell.base.errors import ProgramError
from tests.attacks.conftest import Blind, Put

PATIENCE_SECONDS = 20.0
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


def test_nothing_is_left_when_foretell_is_killed(mark: Callable[[], str], tmp_path: Path) -> None:
    name, folder = mark(), tmp_path / "program"
    folder.mkdir()
    (folder / "program.toml").write_text('name = "attack"\nentry = "command: sh run"\nhelpers = []\n')
    (folder / "run").write_text(f"setsid sleep 60 {name} &\nexec python3 -c 'import time; time.sleep(60)' {name}\n")
    source = f"""
from pathlib import Path
from foretell.distributions import TokenizedPrompt
from foretell.forecasters.program import ProgramForecaster, load_program
prompt = TokenizedPrompt("p", "all", 1.0, "p", "text", (0, 1), (0,))
ProgramForecaster(load_program(Path({str(folder)!r})), 4).prepare([prompt])
"""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", source], env=environment) as running:
        try:
            _await(lambda: len(alive(name)) >= 1)
        finally:
            running.kill()
    _await(lambda: alive(name) == [])


def _await(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_test_sees_a_process(mark: Callable[[], str]) -> None:
    name = mark()
    child = os.spawnv(os.P_NOWAIT, "/usr/bin/sleep", [name, "60"])
    try:
        _await(lambda: alive(name) != [])
        assert alive(name) == [child]
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
