"""Attack: a blind program reads the truth, the target's weights, or the evaluator's files."""

from __future__ import annotations

from pathlib import Path

import pytest

import foretell
from foretell.base.errors import ProgramError
from tests.attacks.conftest import Blind, Put

READS = """
import glob, os

def next_token(token_ids):
    for place in {places!r}:
        for root in ("", "/proc/1/root", "/proc/self/root", "/proc/self/cwd/.."):
            if glob.glob(root + place):
                raise RuntimeError("found " + root + place)
    return honest(token_ids)
"""


def test_the_truth_is_not_there(blind: Blind, put: Put, tmp_path: Path) -> None:
    truth = tmp_path / "ledger" / "attempt-1" / "truth.json"
    truth.parent.mkdir(parents=True)
    truth.write_text("{}")
    places = [str(truth), str(tmp_path), str(Path.home() / "*"), str(Path(foretell.__file__).parent), "/etc/passwd"]
    put(blind(READS.format(places=places)))
    with pytest.raises(ProgramError, match=r"RuntimeError: found /.*truth.json"):
        put(blind(READS.format(places=places), unsafe=True))


def test_the_shipped_target_cannot_be_imported(blind: Blind, put: Put) -> None:
    source = "def next_token(ids):\n    import foretell\n"
    source += "    open(foretell.__path__[0] + '/targets/shipped/tiny/facts.json').close()\n    return honest(ids)\n"
    with pytest.raises(ProgramError, match="No module named 'foretell'"):
        put(blind(source))
    put(blind(source, unsafe=True))


@pytest.mark.parametrize("package", ["pip", "safetensors", "pytest"])
def test_nothing_installed_but_numpy_can_be_imported(blind: Blind, put: Put, package: str) -> None:
    with pytest.raises(ProgramError, match=f"No module named '{package}'"):
        put(blind(f"def next_token(ids):\n    import numpy, {package}\n    return honest(ids)\n"))


def test_nothing_is_inherited(blind: Blind, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    source = """
import os

def next_token(token_ids):
    numbers = [int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]
    open_files = [os.readlink(f"/proc/self/fd/{fd}") for fd in numbers if fd > 2]
    strange = [name for name in open_files if not name.startswith("pipe:")]
    processes = [name for name in os.listdir("/proc") if name.isdigit()]
    assert not strange, strange
    assert len(open_files) == 2, open_files
    assert len(processes) == 2, processes
    assert "SECRET_TOKEN" not in os.environ
    assert os.environ["FORETELL_SEED"] == "7"
    assert os.getuid() == os.getgid() == 65534
    return honest(token_ids)
"""
    put(blind(source))
    with pytest.raises(ProgramError, match="AssertionError"):
        put(blind(source, unsafe=True))
