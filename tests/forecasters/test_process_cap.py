"""A control group holds so many processes, whoever they belong to, and is gone when they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from foretell.forecasters.process_cap import ProcessCap, make_cap

#: Starts six processes that wait, as far as it may, and says how many it could.
STARTS_SIX = """
import subprocess, sys
sys.stdin.readline()
started = []
for _ in range(6):
    try:
        started.append(subprocess.Popen(["sleep", "60"]))
    except BlockingIOError:
        break
for one in started:
    one.kill()
    one.wait()
print(len(started))
"""


@pytest.fixture
def cap() -> Iterator[ProcessCap]:
    made = make_cap(4)
    if made is None:
        pytest.skip("only root makes control groups, where the system lets it")
    yield made
    made.close()
    assert not made.folder.exists()


def test_the_kernel_starts_no_more_than_that(cap: ProcessCap) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_SIX], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        cap.take([process.pid])
        told, _ = process.communicate("go\n")
    assert int(told) == 3  # and the process itself


def test_a_process_that_is_gone_is_left_out(cap: ProcessCap) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        cap.take([process.pid])
    assert (cap.folder / "cgroup.procs").read_text() == ""


def test_only_root_makes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert make_cap(4) is None


def test_where_no_group_can_be_made_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("pathlib.Path.read_text", lambda path: "35 1 0:3 / /proc/none rw - cgroup cgroup rw,pids\n")
    assert make_cap(4) is None


def test_what_a_killed_run_left_is_removed(cap: ProcessCap) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    left = cap.folder.with_name(f"foretell-{gone.pid}-left")
    left.mkdir()
    again = make_cap(4)
    assert again is not None
    again.close()
    assert not left.exists()
    assert cap.folder.exists()
