"""The watcher beside a training in another process: what it waits for, what it permits, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from foretell.base.errors import OrderError
from foretell.watching import End, Patience, follow, read_permission
from foretell.watching.callback import PermissionGate
from foretell.watching.permission import Permission
from foretell.watching.watch import Watch
from tests.watching.running import FAILED, FIRST, FROM_LAST, OPEN, PASSED, SECOND, THIRD, Running
from tests.watching.test_watch import commit_by_hand


@dataclass
class Meanwhile:
    """A clock that goes on when somebody sleeps, and lets things happen in the meantime."""

    happens: list[Callable[[], object]] = field(default_factory=list)
    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.happens:
            self.happens.pop(0)()

    def patience(self, timeout: float = 100.0, *, once: bool = False) -> Patience:
        return Patience(5.0, timeout, once, self.sleep, lambda: self.now)


def nothing() -> None:
    """Nothing happens while the watcher sleeps."""


def test_from_the_first_checkpoint_to_the_last(running: Running) -> None:
    running = running.changed(forecasters=FROM_LAST)
    said: list[str] = []
    saves = [lambda step=step: running.save(step) for step in (FIRST, SECOND, THIRD)]
    meanwhile = Meanwhile([one for save in saves for one in (nothing, save, nothing)])
    end = follow(running.watch(), meanwhile.patience(), said.append)
    assert end == End("pass", "all 3 scheduled checkpoints passed", True)
    assert [line.split(": ")[1].split()[0] for line in said] == ["forecast", "waiting", "pass"] * 3
    assert read_permission(running.run) == Permission("shipped", None)


@pytest.mark.parametrize(("tolerance", "decision"), [(FAILED, "fail"), (OPEN, "inconclusive")])
def test_a_verdict_that_stops_is_told_to_the_training(running: Running, tolerance: float, decision: str) -> None:
    running = running.changed(tolerances=((0, tolerance),))
    meanwhile = Meanwhile([lambda: running.save(FIRST)])
    end = follow(running.watch(), meanwhile.patience())
    assert (end.decision, end.may_train) == (decision, False)
    permission = read_permission(running.run)
    assert permission is not None
    assert permission.stopped == end.words
    assert not permission.allows(0)
    again = follow(running.watch(), Meanwhile().patience())
    assert again == end


def test_a_half_written_checkpoint_is_waited_for(running: Running) -> None:
    said: list[str] = []
    watch = running.watch()

    def begin_to_save() -> None:
        weights = running.save(FIRST) / "model.safetensors"
        weights.rename(running.folder / "aside")
        weights.write_bytes((running.folder / "aside").read_bytes()[:1000])

    def write_more() -> None:
        (running.run / "step-192/model.safetensors").write_bytes((running.folder / "aside").read_bytes())

    def still_write() -> None:
        (running.run / "step-192/optimizer.pt").write_bytes(b"x")

    meanwhile = Meanwhile([begin_to_save, nothing, write_more, still_write, nothing])
    end = follow(watch, meanwhile.patience(40.0), said.append)
    assert [line for line in said if "half-written: model.safetensors has" in line]
    assert watch.judgement(FIRST) is not None
    assert meanwhile.happens == []
    assert end.words == f"checkpoint {SECOND}: waiting for step {SECOND} in {running.run}"


def test_a_checkpoint_without_a_forecast_ends_it(running: Running) -> None:
    running.save(FIRST)
    end = follow(running.watch(), Meanwhile().patience())
    assert end.decision == "unforecast"
    assert "nothing was sealed" in end.words


def test_a_checkpoint_that_comes_while_it_is_forecast(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "filled", lambda self, spec, step: (running.save(step), spec)[1])
    end = follow(running.watch(), Meanwhile().patience())
    assert (end.decision, end.may_train) == ("unforecast", False)


def test_other_refusals_are_errors(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Watch, step: int) -> None:
        raise OrderError("the pool is used up", where="pool", got="0", expected="4", fix="Write.")

    monkeypatch.setattr(Watch, "prepare", refuse)
    with pytest.raises(OrderError, match="the pool is used up"):
        follow(running.watch(), Meanwhile().patience())
    assert read_permission(running.run) is None


def test_the_team_s_own_commitment_is_waited_for(running: Running) -> None:
    running = running.changed(forecasters=())
    said: list[str] = []
    watch = running.watch(running.team.public)
    over = follow(watch, Meanwhile().patience(10.0), said.append)
    assert over == End("waiting", "checkpoint 192: waiting for the team's `foretell commit`", False)
    assert read_permission(running.run) is None
    meanwhile = Meanwhile([lambda: commit_by_hand(running), lambda: running.save(FIRST)])
    follow(watch, meanwhile.patience(30.0), said.append)
    assert any(line.startswith("checkpoint 192: pass") for line in said)


def test_once_does_what_can_be_done(running: Running) -> None:
    """As a job script calls it, before each piece of training."""
    meanwhile = Meanwhile()
    first = follow(running.watch(), meanwhile.patience(once=True))
    assert (first.decision, first.may_train, meanwhile.now) == ("waiting", True, 0.0)
    assert read_permission(running.run) == Permission("shipped", FIRST)
    running.save(FIRST)
    second = follow(running.watch(), meanwhile.patience(once=True))
    assert (second.decision, second.may_train, meanwhile.now) == ("waiting", True, 5.0)
    assert read_permission(running.run) == Permission("shipped", SECOND)
    (running.save(SECOND) / "config.json").write_text("{")
    third = follow(running.watch(), meanwhile.patience(once=True))
    assert third == End("waiting", "checkpoint 384: half-written: config.json is no whole JSON", False)


def test_a_training_that_waits_for_permission(running: Running) -> None:
    """Two threads as two processes: they know of each other by the run's folder only."""
    running = running.changed(tolerances=((0, PASSED), (THIRD, FAILED)))
    gate, reached = PermissionGate(running.run, poll_seconds=0.02, timeout_seconds=120), []

    def training() -> None:
        gate.begin(0, running.run)
        for step in (96, FIRST, 200, SECOND, 500, THIRD, 1536):
            reached.append(step)
            if gate.due(step) and not gate.passed(step, running.save(step, like=96 if step == 200 else None)):
                return

    thread = threading.Thread(target=training)
    thread.start()
    end = follow(running.watch(), Patience(0.02, 120))
    thread.join()
    assert end.decision == "fail"
    assert reached == [96, FIRST, 200, SECOND, 500, THIRD]
    with pytest.raises(OrderError, match="a run that was stopped: got checkpoint 768: FAIL"):
        gate.begin(SECOND, running.run)


def test_the_run_s_folder_must_be_the_one_that_is_watched(running: Running, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="a training that saves elsewhere"):
        PermissionGate(running.run).begin(0, tmp_path)
