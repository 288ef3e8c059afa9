"""A callback of transformers' Trainer that asks before training starts, and after each save, whether it may go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class Gate(Protocol):
    """Who decides. An error is never leave to go on: it ends the training."""

    def begin(self, step: int, run: Path) -> None:
        """Training is about to start or to go on at this step, and will save under this folder; raise to refuse."""
        ...

    def due(self, step: int) -> bool:
        """Whether the checkpoint of this step has to be saved, whatever the arguments say."""
        ...

    def passed(self, step: int, folder: Path) -> bool:
        """Whether training may go on from the checkpoint that was just saved."""
        ...


class GateCallback(TrainerCallback):
    """Trains only as far as a gate lets it: add it to a Trainer's `callbacks`.

    A refusal at a checkpoint sets `should_training_stop`, after which Trainer makes no further step. A refusal at the
    start has to be an error: Trainer would make a step before it looked at the flag.

    In a training of many processes the first one asks the gate, and all do what it says.
    """

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Let the gate prepare, or refuse by an error."""

        def begin() -> bool:
            self.gate.begin(state.global_step, _folder(args))
            return True

        _agreed(begin, state.is_world_process_zero)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Have the checkpoints saved that the gate wants to see."""
        due = _agreed(lambda: self.gate.due(state.global_step), state.is_world_process_zero)
        control.should_save = control.should_save or due

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask the gate about the checkpoint that was just saved."""
        folder = _folder(args) / f"checkpoint-{state.global_step}"
        control.should_training_stop, stops = True, control.should_training_stop
        if _agreed(lambda: self.gate.passed(state.global_step, folder), state.is_world_process_zero):
            control.should_training_stop = stops


def _folder(args: TrainingArguments) -> Path:
    assert args.output_dir is not None  # transformers fills it in
    return Path(args.output_dir)


def _agreed(ask: Callable[[], bool], first: bool) -> bool:
    """The answer that the first process gets, in all processes; its error is raised in all of them."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return ask()
    told: list[Any] = [None, None]
    if first:
        try:
            told[0] = ask()
        except Exception as error:  # whatever it was, the other processes must not wait for ever
            told[1] = error
    torch.distributed.broadcast_object_list(told)
    if told[1] is not None:
        raise told[1]
    return bool(told[0])
