"""A gate for tests, and one process of two that ask it together: run with a folder and a rank."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from foretell.organisms.gate_callback import GateCallback


@dataclass
class Told:
    """A gate that says what it was told to."""

    answers: list[bool | Exception]
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def begin(self, step: int, run: Path) -> None:
        self.asked.append(("begin", step, run))

    def due(self, step: int) -> bool:
        self.asked.append(("due", step))
        return self._answer()

    def passed(self, step: int, folder: Path) -> bool:
        self.asked.append(("passed", step, folder))
        return self._answer()

    def _answer(self) -> bool:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def at(step: int) -> TrainerState:
    """A training that is at this step."""
    state = TrainerState()
    state.global_step = step
    return state


def main(folder: Path, rank: int) -> None:
    """Save three times: the first process's gate says yes, no, and breaks; the other's would always say yes."""
    torch.distributed.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=2)
    gate = Told([True, False, ValueError("broken")] if rank == 0 else [True] * 3)
    callback, state = GateCallback(gate), at(1)
    state.is_world_process_zero = rank == 0
    arguments = TrainingArguments(str(folder / "run"), use_cpu=True, report_to="none")
    stopped, error = [], ""
    for _ in range(3):
        control = TrainerControl()
        try:
            callback.on_save(arguments, state, control)
        except ValueError as broken:
            error = str(broken)
        stopped.append(control.should_training_stop)
    told = {"stopped": stopped, "error": error, "asked": len(gate.asked)}
    (folder / f"{rank}.json").write_text(json.dumps(told))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
