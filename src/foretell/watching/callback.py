"""A watch inside a training: callbacks for transformers' Trainer.

    watch = open_watch(Plan.read(Path("watch.toml")), Path("runs/a"), Path("ledger"), evaluator=…, team=…)
    trainer = Trainer(…, args=TrainingArguments("runs/a", …), processing_class=tokenizer,
                      callbacks=[watch_callback(watch)])
    trainer.train()

`watch_callback` holds the keys, so whoever trains also signs. Where the two are not the same, `foretell watch` runs
beside the training, with the keys, and the training has `waiting_callback`, which waits for its permission.

`processing_class` makes Trainer save the tokenizer with each checkpoint; without it no checkpoint can be opened.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretell.base.errors import InputError, OrderError, missing_extra
from foretell.watching.checkpoint_folders import find_checkpoints
from foretell.watching.permission import read_permission, wait_for_permission
from foretell.watching.watch import Watch

Say = Callable[[str], None]


def watch_callback(watch: Watch, *, wait_seconds: float = 0.0, say: Say = print) -> Any:
    """A TrainerCallback that lets a run train only while its scheduled checkpoints pass.

    Before the first step, and after each pass, the next checkpoint's prompts are sealed and forecast. Scheduled steps
    are saved whatever `save_steps` says. A checkpoint that does not pass stops the training; an error ends it.

    Args:
        wait_seconds: how long training waits for the team's commitment, where the plan names no forecaster; it goes on
            then, and the checkpoint is 'unforecast' if none has come when it is saved.
        say: takes a line for every verdict.

    Raises:
        MissingExtraError: the extra `models` is not installed.
    """
    return _callback(WatchGate(watch, wait_seconds, say))


def waiting_callback(run: Path, *, poll_seconds: float = 1.0, timeout_seconds: float | None = None) -> Any:
    """A TrainerCallback that waits for the permission of `foretell watch` in another process.

    Raises:
        MissingExtraError: the extra `models` is not installed.
    """
    return _callback(PermissionGate(run, poll_seconds, timeout_seconds))


@dataclass
class WatchGate:
    """A watch as the gate of `organisms.gate_callback`."""

    watch: Watch
    wait_seconds: float = 0.0
    say: Say = print
    _train_to: int | None = None

    def begin(self, step: int, run: Path) -> None:
        """Judge what a killed training left unjudged, and seal what comes next.

        Raises:
            OrderError: a checkpoint on the way to this step has not passed.
            InputError: the run saves into another folder than is watched.
        """
        _require_folder(run, self.watch.run)
        for due in (one for one in self.watch.plan.steps if one <= step):
            judgement = self.watch.checkpoint(due, self._folder(due))
            if not judgement.passed:
                raise OrderError(
                    "a run that was stopped",
                    where=str(self.watch.run),
                    got=judgement.words,
                    expected="a pass on every scheduled checkpoint up to here",
                    fix="Train otherwise from the last checkpoint that passed, under another run name.",
                )
        self._prepare_after(step)

    def due(self, step: int) -> bool:
        """Whether the step is scheduled.

        Raises:
            OrderError: a scheduled checkpoint was not saved; something else must have kept Trainer from it.
        """
        if self._train_to is not None and step > self._train_to:
            raise OrderError(
                "training that went past a scheduled checkpoint",
                where=str(self.watch.run),
                got=f"step {step}, and no verdict on {self._train_to}",
                expected=f"a checkpoint saved at step {self._train_to}",
                fix="Look for another callback that sets control.should_save to False.",
            )
        return step in self.watch.plan.steps

    def passed(self, step: int, folder: Path) -> bool:
        """Judge a scheduled checkpoint, and seal the next where it passes; others are nobody's business."""
        if step not in self.watch.plan.steps:
            return True
        judgement = self.watch.checkpoint(step, folder)
        self.say(judgement.words)
        if judgement.passed:
            self._prepare_after(step)
        return judgement.passed

    def _prepare_after(self, step: int) -> None:
        self._train_to = coming = next((one for one in self.watch.plan.steps if one > step), None)
        if coming is None:
            return
        standing = self.watch.prepare(coming)
        patience = time.monotonic() + self.wait_seconds
        while not standing.forecast and time.monotonic() < patience:
            time.sleep(min(1.0, self.wait_seconds))
            standing = self.watch.standing(coming)

    def _folder(self, step: int) -> Path:
        return find_checkpoints(self.watch.run).get(step, self.watch.run / f"checkpoint-{step}")


@dataclass(frozen=True)
class PermissionGate:
    """What `foretell watch` says in the run's folder, as the gate of `organisms.gate_callback`."""

    run: Path
    poll_seconds: float = 1.0
    timeout_seconds: float | None = None

    def begin(self, step: int, run: Path) -> None:
        """Wait until training may start.

        Raises:
            OrderError: it may not.
            InputError: the run saves into another folder than is watched.
        """
        _require_folder(run, self.run)
        permission = self._wait(step)
        if permission is not None:
            raise OrderError(
                "a run that was stopped",
                where=str(self.run),
                got=permission,
                expected="leave to train",
                fix="Train otherwise from the last checkpoint that passed, under another run name.",
            )

    def due(self, step: int) -> bool:
        """Whether this is as far as the permission goes, or there is none: then a checkpoint is saved, and waits."""
        permission = read_permission(self.run)
        return permission is None or not permission.allows(step)

    def passed(self, step: int, folder: Path) -> bool:
        """Wait for leave to train beyond this step; there is no waiting where it is there already."""
        return self._wait(step) is None

    def _wait(self, step: int) -> str | None:
        """Why training has to stop; None where it may go on."""
        waited = wait_for_permission(
            self.run, step, poll_seconds=self.poll_seconds, timeout_seconds=self.timeout_seconds
        )
        return waited.stopped


def _require_folder(run: Path, watched: Path) -> None:
    if run.resolve() != watched.resolve():
        raise InputError(
            "a training that saves elsewhere",
            where="TrainingArguments.output_dir",
            got=str(run),
            expected=f"the folder that is watched, {watched}",
            fix="Give both the same folder.",
        )


def _callback(gate: Any) -> Any:
    """The callback of a gate; transformers is loaded here and not before.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module("foretell.organisms.gate_callback").GateCallback(gate)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("foretell"):
            raise
        raise missing_extra("models", error.name, where="a callback of Trainer") from error
