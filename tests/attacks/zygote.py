"""A process that has loaded everything, and forks a child for each step it is asked to take, killing it on time.

    python -m tests.attacks.zygote INPUTS

INPUTS holds both keys, the pool, a tokenizer, a forecast and a program. Each line of standard input is a request
{"step", "ledger", "delay", "appears"}: take the step on that ledger, and `kill -9` after `delay` seconds, or as soon as
the file `appears` is there, or never where both are null. Each gets an answer of one line. It runs in a process of its
own, as tests have threads, which do not survive a fork; and it adopts what a killed child leaves behind, so as to see
whether that ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foretell import attempts
from foretell.base.errors import ForetellError
from foretell.distributions import Vocabulary
from foretell.ledger import SecretKey
from foretell.suites import load_suite
from foretell.targets.specs import open_target
from foretell.verifier import verify

_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER
_HANGS_SECONDS, _GONE_SECONDS, _LOOK_SECONDS = 120.0, 3.0, 0.001
DONE, REFUSED, BROKEN = 0, 10, 11


class Parties:
    """Both sides of an attempt, and what they bring to it."""

    def __init__(self, inputs: Path) -> None:
        self.inputs = inputs
        self.evaluator, self.team = (SecretKey.read(inputs / f"{name}.key") for name in ("evaluator", "team"))
        self.pool, self.vocabulary = load_suite(inputs / "pool.jsonl"), Vocabulary.load(inputs / "tokenizer.json")

    @property
    def steps(self) -> dict[str, Callable[[Path], object]]:
        """What can be asked for."""
        inputs, evaluator, team = self.inputs, self.evaluator, self.team
        return {
            "seal": lambda root: attempts.seal(root, self.pool, evaluator),
            "open": lambda root: attempts.open_prompts(root, evaluator),
            "commit forecast": lambda root: attempts.commit_forecast(root, inputs / "forecast", team),
            "commit program": lambda root: attempts.commit_program(root, inputs / "program", team),
            "run": lambda root: attempts.run_program(root, self.vocabulary, evaluator),
            "reveal": lambda root: attempts.reveal(root, open_target("tiny"), evaluator),
            "judge": lambda root: attempts.judge(root, evaluator),
            "publish": lambda root: attempts.publish(root, root.with_name("published"), evaluator),
        }


def in_child(step: Callable[[Path], object], ledger: Path, answers: int) -> int:
    """Take the step; what stopped it is written to a pipe."""
    try:
        step(ledger)
    except ForetellError as error:
        os.write(answers, f"{type(error).__name__}: {error}".encode())
        return REFUSED
    except BaseException:
        os.write(answers, traceback.format_exc().encode())
        return BROKEN
    return DONE


def take(step: Callable[[Path], object], ledger: Path, delay: float | None, appears: str | None) -> dict[str, Any]:
    """Fork, wait, kill, and see what is left."""
    reading, writing = os.pipe()
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        os._exit(in_child(step, ledger, writing))
    os.close(writing)
    handle = os.pidfd_open(child)
    waiting = _HANGS_SECONDS if delay is None else delay
    if not (ended_by(handle, waiting) if appears is None else ended_first(handle, appears)):
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    seconds = time.perf_counter() - began
    os.close(handle)
    with os.fdopen(reading, "rb") as file:
        said = file.read().decode() if os.WIFEXITED(status) else ""
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, "seconds": seconds, "said": said, "orphans": wait_for_orphans()}


def ended_by(handle: int, seconds: float) -> bool:
    """Wait; whether the process has ended."""
    return bool(select.select([handle], [], [], seconds)[0])


def ended_first(handle: int, appears: str) -> bool:
    """Look again and again, without a pause; whether the process ended before the file was there."""
    while not os.path.exists(appears):  # noqa: PTH110 (the fastest look)
        if ended_by(handle, 0):
            return not os.path.exists(appears)  # noqa: PTH110
    return False


def wait_for_orphans() -> list[dict[str, Any]]:
    """What outlives the child for long: each process's command, and whether it has children; then it is killed."""
    until = time.monotonic() + _GONE_SECONDS
    while time.monotonic() < until:
        if not reap():
            return []
        time.sleep(_LOOK_SECONDS)
    left = []
    for orphan in children_of(os.getpid()):
        command = Path(f"/proc/{orphan}/cmdline").read_bytes().split(b"\0")[0].decode()
        left.append({"command": command, "busy": bool(children_of(orphan))})
        os.kill(orphan, signal.SIGKILL)
    while reap():
        time.sleep(_LOOK_SECONDS)
    return left


def reap() -> bool:
    """Bury one that has died; whether any child is left."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def main(inputs: Path) -> None:
    """Answer requests until there are no more."""
    if ctypes.CDLL(None, use_errno=True).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    steps = Parties(inputs).steps
    verify(inputs / "judged")  # loads what is compiled, once for all children
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = take(steps[request["step"]], Path(request["ledger"]), request["delay"], request["appears"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
