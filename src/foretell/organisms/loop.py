"""The training loop of everything that is trained here: Muon for matrices, AdamW for the rest; stopped, it goes on.

Whatever is random comes from the seed and the number of the step, so a run that was stopped and goes on ends in the
same weights, to the bit, as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from foretell.base.errors import DamageError
from foretell.base.files import write_atomically

#: Steps between two savings of the state: what a stopped run loses at most.
STATE_EVERY = 32
#: The running mean of the loss forgets over about this many steps.
_FORGET = 0.02
#: Steps between two losses that are kept.
NEWS_EVERY = 32


@dataclass(frozen=True)
class Rates:
    """How fast is learnt.

    Attributes:
        matrices: Muon's rate, for matrices other than the embedding.
        others: AdamW's rate, for the embedding and the norms.
        clip: the largest norm of the gradient of the others.
        factor: multiplies both; takes the number of steps taken before.
    """

    matrices: float
    others: float
    clip: float
    factor: Callable[[int], float]


@contextmanager
def deterministic(seed: int, threads: int) -> Iterator[None]:
    """Run torch with a seed, so many threads and deterministic kernels; all three as before afterwards."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        try:
            torch.manual_seed(seed)
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(True)
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1])


class Trainer:
    """A model with its optimizers, and how far it is.

    Attributes:
        step: steps taken.
        losses: [step, running mean of the loss in nats] every few dozen steps.
    """

    def __init__(self, model: Any, rates: Rates) -> None:
        self.model, self.clip = model, rates.clip
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in named if p.ndim == 2 and "embed" not in name]
        self._others = [p for name, p in named if p.ndim != 2 or "embed" in name]
        self._optimizers = [
            torch.optim.Muon(matrices, lr=rates.matrices, weight_decay=0.0),
            torch.optim.AdamW(self._others, lr=rates.others, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        self._schedules = [torch.optim.lr_scheduler.LambdaLR(one, rates.factor) for one in self._optimizers]
        self.step, self.mean_loss = 0, 0.0
        self.losses: list[list[float]] = []

    def take(self, loss: Any) -> None:
        """One step down a loss."""
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._others, self.clip)
        for optimizer, schedule in zip(self._optimizers, self._schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        self.step += 1
        self.mean_loss += (loss.item() - self.mean_loss) * max(_FORGET, 1 / self.step)
        if self.step % NEWS_EVERY == 0:
            self.losses.append([self.step, self.mean_loss])

    def save(self, path: Path, run: str) -> None:
        """Write everything that the next steps depend on.

        Args:
            run: what identifies the run.
        """
        state = {
            "run": run,
            "model": self.model.state_dict(),
            "optimizers": [one.state_dict() for one in self._optimizers],
            "schedules": [one.state_dict() for one in self._schedules],
            "step": self.step,
            "mean_loss": self.mean_loss,
            "losses": self.losses,
        }
        write_atomically(path, lambda temporary: torch.save(state, temporary))

    def load(self, path: Path, run: str) -> None:
        """Go on from what `save` wrote.

        Raises:
            DamageError: the file is not a state of this run.
        """
        try:
            state = torch.load(path, weights_only=True)
            found = state["run"]
        except Exception as error:  # a pickle that is cut or altered raises whatever it likes
            raise _no_state(path, f"{type(error).__name__}: {error}") from error
        if found != run:
            raise _no_state(path, f"the state of {found}")
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for schedule, saved in zip(self._schedules, state["schedules"], strict=True):
            schedule.load_state_dict(saved)
        self.step, self.mean_loss, self.losses = state["step"], state["mean_loss"], state["losses"]


def _no_state(path: Path, got: str) -> DamageError:
    return DamageError(
        "cannot go on from here",
        where=str(path),
        got=got,
        expected="the state of this very training",
        fix="Delete the folder and train again.",
    )


@dataclass(frozen=True)
class Stops:
    """What happens between steps.

    Attributes:
        keep: called after each step; saves checkpoints where it likes.
        news: called after each step too, for progress.
        state: file that a stopped run goes on from, or None.
        run: what identifies the run.
    """

    keep: Callable[[int], None]
    news: Callable[[Trainer], None]
    state: Path | None = None
    run: str = ""
    every: int = field(default=STATE_EVERY)


def run(
    trainer: Trainer, batches: Callable[[int], Iterator[Any]], loss: Callable[[Any, Any], Any], last: int, stops: Stops
) -> None:
    """Train up to a step, from the beginning or from the saved state.

    Args:
        batches: the batches from a step on (0 for all of them).
        loss: of model and batch, in nats.
    """
    if stops.state is not None and stops.state.is_file():
        trainer.load(stops.state, stops.run)
    for _, batch in zip(range(trainer.step, last), batches(trainer.step), strict=False):
        trainer.take(loss(trainer.model, batch))
        stops.keep(trainer.step)
        if stops.state is not None and trainer.step % stops.every == 0 and trainer.step < last:
            trainer.save(stops.state, stops.run)
        stops.news(trainer)
