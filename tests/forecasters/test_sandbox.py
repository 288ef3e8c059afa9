"""Tests of the sandbox's parts: which bubblewrap, which system calls, who is counted, and whose fault it is."""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from foretell.base.errors import ProgramError, ResourceError
from foretell.forecasters import sandbox
from foretell.forecasters.process_tree import process_tree
from foretell.forecasters.program_harness import READY
from foretell.forecasters.sandbox import Bubblewrap, Invocation, find_bubblewrap, sandboxed
from foretell.forecasters.supervised import Limits, SupervisedProcess
from foretell.forecasters.syscall_filter import syscall_filter

FIND = find_bubblewrap.__wrapped__
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def script(folder: Path, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "bwrap"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_the_systems_bubblewrap_is_preferred_where_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = find_bubblewrap()
    assert real.version.startswith("bubblewrap 0.")
    own = script(tmp_path / "bin", f'exec "{real.path}" "$@"')
    monkeypatch.setenv("PATH", str(own.parent))
    assert FIND() == Bubblewrap(own, real.version)


def test_one_that_does_not_work_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = script(tmp_path / "bin", "echo 'bwrap: No permissions to create a new namespace' >&2; exit 1")
    wheel = tmp_path / "wheel"
    script(wheel, "").parent.rename(tmp_path / "_bin")
    good = script(tmp_path / "_bin", f'exec "{find_bubblewrap().path}" "$@"')
    monkeypatch.setenv("PATH", str(broken.parent))
    monkeypatch.setattr(sandbox, "find_spec", lambda _: type("Spec", (), {"submodule_search_locations": [tmp_path]}))
    assert FIND().path == good
    monkeypatch.setattr(sandbox, "find_spec", lambda _: None)
    with pytest.raises(ResourceError, match=r"no sandbox: got .*/bwrap: bwrap: No permissions .*'foretell\[sandbox\]'"):
        FIND()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ResourceError, match="no sandbox: got neither the system's `bwrap` nor the wheel's"):
        FIND()


def verdict(rules: bytes, number: int, arch: int, argument: int = 0) -> int:
    """What the kernel would make of a call: a reading of classic BPF that knows only what is needed."""
    data = struct.pack("IIQQ", number, arch, 0, argument)
    steps = list(struct.iter_unpack("HBBI", rules))
    at, held = 0, 0
    while True:
        code, if_true, if_false, value = steps[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            (held,) = struct.unpack_from("I", data, value)
        else:
            at += if_true if (held == value if code == 0x15 else held >= value) else if_false


@pytest.mark.parametrize(
    ("machine", "memfd", "shmget", "io_uring", "socket", "write"),
    [("x86_64", 319, 29, 425, 41, 1), ("aarch64", 279, 194, 425, 198, 64)],
)
def test_the_filter(machine: str, memfd: int, shmget: int, io_uring: int, socket: int, write: int) -> None:
    rules, arch = syscall_filter(machine), ARCH[machine]
    assert rules is not None
    assert [verdict(rules, number, arch) for number in (memfd, shmget, io_uring)] == [REFUSE] * 3
    assert verdict(rules, write, arch) == ALLOW
    assert [verdict(rules, socket, arch, family) for family in (1, 2, 10, 16, 40)] == [ALLOW, *[REFUSE] * 4]
    assert verdict(rules, write, 0x40000003) == KILL
    assert verdict(rules, 0x40000000 | write, arch) == REFUSE


def test_children_and_their_children_are_counted() -> None:
    source = "import subprocess, sys, time; kept = bytearray(50 << 20); kept[::4096] = b'x' * len(kept[::4096])\n"
    source += "child = subprocess.Popen(['sleep', '60']); print('ready', child.pid, flush=True); child.wait()"
    child = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline().split()[1])
        tree = process_tree(child.pid)
        assert tree.processes == (child.pid, grandchild)
        assert tree.tasks == 2
        assert 50 << 20 < tree.memory_bytes < 100 << 20
        assert process_tree(child.pid, leave_out=frozenset({child.pid})).processes == (grandchild,)
        assert {child.pid, grandchild} <= set(process_tree(os.getpid()).processes)
    finally:
        os.kill(grandchild, 9)
        child.wait()
        assert child.stdout is not None
        child.stdout.close()
    assert process_tree(child.pid).processes == ()


def test_a_sandbox_that_cannot_be_made_is_not_the_programs_fault(tmp_path: Path) -> None:
    invocation = sandboxed(find_bubblewrap(), tmp_path / "absent", tmp_path, ("{}",), seed=0, scratch_bytes=1 << 20)
    with pytest.raises(
        ResourceError, match=r"here: the sandbox cannot be made: got .*Can't find source path /.*absent"
    ):
        SupervisedProcess(invocation, Limits(), "here")


def test_a_python_that_does_not_start_is_not_the_programs_fault(tmp_path: Path) -> None:
    invocation = Invocation(("/bin/sh", "-c", "echo no Python >&2; exit 4"), {}, tmp_path, None)
    with pytest.raises(ResourceError, match="the sandbox cannot be made: got no Python"):
        SupervisedProcess(invocation, Limits(), "here")


def talk(tmp_path: Path, source: str, **limits: float) -> SupervisedProcess:
    body = f"import sys, time\nprint({READY.decode().strip()!r}, flush=True)\n{source}"
    chosen = Limits(**{"seconds": 30, **limits})  # type: ignore[arg-type]
    return SupervisedProcess(Invocation((sys.executable, "-c", body), {}, tmp_path, None), chosen, "here")


def test_long_lines_both_ways(tmp_path: Path) -> None:
    source = "for line in sys.stdin:\n    print(line[:-1][::-1], flush=True)\n"
    line = bytes(range(97, 123)) * 40_000
    with talk(tmp_path, source) as process:
        process.tell(b"first")
        assert process.ask(line, 1 << 21) == b"tsrif"
    with talk(tmp_path, source) as process:
        assert [process.ask(line[:n], 1 << 21) for n in (3, len(line), 1)] == [b"cba", line[::-1], b"a"]
        process.finish()


def test_a_line_that_nobody_reads_does_not_block(tmp_path: Path) -> None:
    with (
        talk(tmp_path, "time.sleep(60)", seconds=0.5) as process,
        pytest.raises(ProgramError, match="here: out of time: got not finished after"),
    ):
        process.ask(b"x" * (1 << 22), 100)


def test_the_end_of_a_long_complaint_is_kept(tmp_path: Path) -> None:
    source = "sys.stderr.write('x' * 100_000 + 'the point')\nsys.exit(3)\n"
    with (
        talk(tmp_path, source) as process,
        pytest.raises(ProgramError, match=r"here: it failed: got exit code 3, .* It said: x{500,600}the point$"),
    ):
        process.ask(b"", 100)


def test_settings_reach_the_harness(tmp_path: Path) -> None:
    settings = json.dumps({"limits": {"CORE": 0, "NOFILE": 17}, "program": "/program", "entry": ["command", "./run"]})
    (tmp_path / "run").write_text("#!/bin/sh\nread line\nulimit -n\n")
    (tmp_path / "run").chmod(0o755)
    harness = Path(sandbox.__file__).with_name("program_harness.py")
    invocation = sandboxed(find_bubblewrap(), tmp_path, harness, (settings,), seed=5, scratch_bytes=1 << 20)
    with SupervisedProcess(invocation, Limits(), "here") as process:
        assert process.ask(b"go", 100) == b"17"
        process.finish()
