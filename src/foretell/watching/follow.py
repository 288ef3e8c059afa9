"""The watcher's loop: for each scheduled checkpoint seal, wait, judge; and tell the training how far it may go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from foretell.base.errors import OrderError
from foretell.watching.checkpoint_folders import Glance, find_checkpoints, glance, unfinished
from foretell.watching.permission import Permission, read_permission, write_permission
from foretell.watching.standing import PASS, Judgement
from foretell.watching.watch import Watch

#: Nothing went wrong, and not everything is there yet.
WAITING = "waiting"


@dataclass(frozen=True)
class Patience:
    """How a watcher waits.

    Attributes:
        timeout_seconds: for each checkpoint; None for ever.
        once: do what can be done now, and wait for nothing.
        sleep, clock: those of the machine; tests have others.
    """

    poll_seconds: float = 5.0
    timeout_seconds: float | None = None
    once: bool = False
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class End:
    """How a watch ended.

    Attributes:
        decision: pass (of all scheduled checkpoints), waiting, or that of the checkpoint that stopped it.
        words: why, in a line.
        may_train: whether training may go on now: to the checkpoint that is waited for, or without end.
    """

    decision: str
    words: str
    may_train: bool


def follow(watch: Watch, patience: Patience | None = None, say: Callable[[str], None] = lambda line: None) -> End:
    """Watch a run to its end: the last scheduled checkpoint, or the first that does not pass.

    Killed and called again, it goes on.

    Args:
        say: takes a line for every event.

    Raises:
        ForetellError: something is wrong that is no verdict; training has no permission beyond what it had.
    """
    patience = patience or Patience()
    for step in watch.plan.steps:
        waiter = _Waiter(watch, step, patience, say)
        judgement = waiter.judgement()
        if judgement is None:
            return End(WAITING, waiter.reason, waiter.may_train)
        say(judgement.words)
        if not judgement.passed:
            write_permission(watch.run, Permission(watch.plan.run, step, judgement.words))
            return End(judgement.decision, judgement.words, False)
    write_permission(watch.run, Permission(watch.plan.run, None))
    return End(PASS, f"all {len(watch.plan.steps)} scheduled checkpoints passed", True)


class _Waiter:
    """One checkpoint from its sealing to its verdict.

    Attributes:
        reason: what is waited for.
        may_train: whether a forecast is committed, and no checkpoint there yet.
    """

    def __init__(self, watch: Watch, step: int, patience: Patience, say: Callable[[str], None]) -> None:
        self._watch, self._step, self._patience, self._say = watch, step, patience, say
        self._seen: Glance | None = None
        self.reason, self.may_train = "", False

    def judgement(self) -> Judgement | None:
        """The verdict; None where the patience is over."""
        watch, step = self._watch, self._step
        known = watch.standing(step)
        if not known.judged and not known.forecast and step not in find_checkpoints(watch.run):
            self._prepare()
        begun = self._patience.clock()
        while True:
            if self._is_there():
                return watch.checkpoint(step, find_checkpoints(watch.run).get(step, watch.run / f"checkpoint-{step}"))
            if self._patience.once and self._seen is None:
                return None
            waited = self._patience.clock() - begun
            if self._patience.timeout_seconds is not None and waited >= self._patience.timeout_seconds:
                return None
            self._patience.sleep(self._patience.poll_seconds)

    def _prepare(self) -> None:
        """Seal; a checkpoint that comes meanwhile is one without a forecast, which is a verdict and no error."""
        try:
            self._watch.prepare(self._step)
        except OrderError:
            if self._step not in find_checkpoints(self._watch.run):
                raise

    def _is_there(self) -> bool:
        """Whether there is something to judge: a verdict, a checkpoint without a forecast, or a whole one."""
        # The folder first: a commitment that comes between the two looks must not be missed.
        folder = find_checkpoints(self._watch.run).get(self._step)
        standing = self._watch.standing(self._step)
        if standing.entry("reveal") is not None or (folder is not None and not standing.forecast):
            return True
        if standing.forecast:
            self._permit()
        self.may_train, before, self._seen = standing.forecast and folder is None, self._seen, None
        if folder is None:
            wanted = f"step {self._step} in {self._watch.run}" if standing.forecast else "the team's `foretell commit`"
            self._wait_for(f"checkpoint {self._step}: waiting for {wanted}")
        elif why := unfinished(folder):
            self._wait_for(f"checkpoint {self._step}: half-written: {why}")
        else:
            self._seen = glance(folder)
        return self._seen is not None and self._seen == before

    def _permit(self) -> None:
        """Let training go on to the checkpoint that is forecast."""
        permission = Permission(self._watch.plan.run, self._step)
        if read_permission(self._watch.run) != permission:
            write_permission(self._watch.run, permission)
            self._say(f"checkpoint {self._step}: forecast sealed; training may go on to step {self._step}")

    def _wait_for(self, reason: str) -> None:
        if reason != self.reason:
            self._say(reason)
        self.reason = reason
