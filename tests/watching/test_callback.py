"""What the gates decide, and that Trainer's callback does what a gate says, an error included."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import TrainerControl, TrainingArguments

from foretell.base.errors import ForgeryError, InputError, MissingExtraError, OrderError
from foretell.organisms.gate_callback import GateCallback
from foretell.watching import waiting_callback, watch_callback
from foretell.watching.callback import WatchGate
from foretell.watching.watch import Watch
from tests.watching.one_of_two import Told, at
from tests.watching.running import FIRST, SECOND, THIRD, Running
from tests.watching.test_watch import commit_by_hand


@pytest.fixture
def arguments(tmp_path: Path) -> TrainingArguments:
    return TrainingArguments(str(tmp_path / "run"), use_cpu=True, report_to="none")


def test_the_gate_is_asked_at_the_start_at_each_step_and_at_each_save(
    arguments: TrainingArguments, tmp_path: Path
) -> None:
    gate, control = Told([False, True, True]), TrainerControl()
    callback = GateCallback(gate)
    callback.on_train_begin(arguments, at(0), control)
    saves = []
    for step in (9, 10):
        callback.on_step_end(arguments, at(step), control)
        saves.append(control.should_save)
    assert saves == [False, True]
    callback.on_save(arguments, at(10), control)
    assert not control.should_training_stop
    run = tmp_path / "run"
    assert gate.asked == [("begin", 0, run), ("due", 9), ("due", 10), ("passed", 10, run / "checkpoint-10")]


def test_a_save_that_others_wanted_stays(arguments: TrainingArguments) -> None:
    control = TrainerControl(should_save=True, should_training_stop=True)  # the last step of a training, say
    callback = GateCallback(Told([False, True]))
    callback.on_step_end(arguments, at(1), control)
    callback.on_save(arguments, at(1), control)
    assert (control.should_save, control.should_training_stop) == (True, True)


@pytest.mark.parametrize("answer", [False, ValueError("broken")])
def test_no_and_an_error_both_stop(arguments: TrainingArguments, answer: bool | Exception) -> None:
    control, callback = TrainerControl(), GateCallback(Told([answer]))
    if isinstance(answer, Exception):
        with pytest.raises(ValueError, match="broken"):
            callback.on_save(arguments, at(1), control)
    else:
        callback.on_save(arguments, at(1), control)
    assert control.should_training_stop


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch knows one process only")
def test_all_processes_do_what_the_first_one_hears(tmp_path: Path) -> None:
    """Two processes with gates that would answer differently; only the first one's is asked."""
    command = [sys.executable, "-m", "tests.watching.one_of_two", str(tmp_path)]
    started = [subprocess.Popen([*command, str(rank)], cwd=Path(__file__).parents[2]) for rank in range(2)]
    assert [process.wait(120) for process in started] == [0, 0]
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert told == [{"stopped": [False, True, True], "error": "broken", "asked": asked} for asked in (3, 0)]


def test_a_watch_as_a_gate(running: Running) -> None:
    said: list[str] = []
    gate = WatchGate(running.watch(), say=said.append)
    gate.begin(0, running.run)
    assert [gate.due(step) for step in (96, FIRST)] == [False, True]
    assert gate.passed(100, running.run)  # not scheduled
    assert gate.passed(FIRST, running.save(FIRST))
    assert said[0].startswith("checkpoint 192: pass")
    assert running.watch().standing(SECOND).forecast
    with pytest.raises(OrderError, match="training that went past a scheduled checkpoint: got step 385"):
        gate.due(SECOND + 1)
    assert gate.passed(SECOND, running.save(SECOND))
    assert gate.passed(THIRD, running.save(THIRD))
    assert not gate.due(THIRD + 1)  # nothing is scheduled any more
    gate.begin(THIRD, running.run)


def test_a_killed_training_is_judged_where_it_was_left(running: Running) -> None:
    running.watch().prepare(FIRST)
    running.save(FIRST)
    gate = WatchGate(running.watch())
    gate.begin(FIRST, running.run)
    judgement = running.watch().judgement(FIRST)
    assert judgement is not None
    assert judgement.passed
    assert running.watch().standing(SECOND).forecast


def test_a_training_without_its_forecasts_does_not_start(running: Running) -> None:
    running.save(FIRST)
    with pytest.raises(OrderError, match="a run that was stopped: got checkpoint 192: UNFORECAST"):
        WatchGate(running.watch()).begin(FIRST, running.run)
    with pytest.raises(OrderError, match="the target exists already"):
        WatchGate(running.watch()).begin(0, running.run)
    with pytest.raises(InputError, match="a training that saves elsewhere"):
        WatchGate(running.watch()).begin(0, running.folder)


def test_a_run_that_was_trained_anew_is_not_the_one_that_was_judged(running: Running) -> None:
    running.train(FIRST)
    shutil.rmtree(running.run)
    gate = WatchGate(running.watch())
    gate.begin(0, running.run)
    with pytest.raises(ForgeryError, match="a checkpoint that was exchanged after its truth was signed"):
        gate.passed(FIRST, running.save(FIRST, like=96))
    shutil.rmtree(running.run)
    assert gate.passed(FIRST, running.save(FIRST))  # the same weights again


def test_training_waits_for_the_team(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    running = running.changed(forecasters=())
    monkeypatch.setattr("time.sleep", lambda _: commit_by_hand(running))
    watch = running.watch(running.team.public)
    WatchGate(watch, wait_seconds=60.0).begin(0, running.run)
    assert watch.standing(FIRST).forecast


def test_the_callbacks_are_made_of_the_gates(running: Running) -> None:
    assert isinstance(watch_callback(running.watch()), GateCallback)
    assert isinstance(waiting_callback(running.run), GateCallback)


@pytest.mark.parametrize(
    ("missing", "error"), [("transformers", MissingExtraError), ("foretell.x", ModuleNotFoundError)]
)
def test_without_transformers_the_extra_is_named(
    running: Running, monkeypatch: pytest.MonkeyPatch, missing: str, error: type[Exception]
) -> None:
    def absent(_: str) -> None:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    watch: Watch = running.watch()
    monkeypatch.setattr("importlib.import_module", absent)
    message = r"pip install 'foretell\[models\]'" if error is MissingExtraError else "No module"
    with pytest.raises(error, match=message):
        watch_callback(watch)
