"""How far a training may go, as the watcher tells it: a file in the run's folder, for a training in another process.

    foretell-watch.json   {"schema": "foretell.permission/1", "run": "stdlib-a", "train_to": 20, "stopped": null}

The training may reach step `train_to` and save there; `train_to` null: the schedule is over, and nothing is watched any
more. `stopped` says why training has to end. No file, or one that is unreadable, is no permission: a watcher that was
killed leaves a training that waits, not one that goes on.

The file binds nobody. That forecasts came first is proved by the ledger, not by it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from foretell.base.canonical import read_json
from foretell.base.errors import OrderError
from foretell.base.files import write_text_atomically

PERMISSION, SCHEMA = "foretell-watch.json", "foretell.permission/1"


@dataclass(frozen=True)
class Permission:
    """How far a run may train.

    Attributes:
        train_to: the step that it may reach; None without end.
        stopped: why it may train no more; None where it may.
    """

    run: str
    train_to: int | None
    stopped: str | None = None

    def allows(self, step: int) -> bool:
        """Whether a training that is at this step may make another.

        >>> Permission("r", 20).allows(19), Permission("r", 20).allows(20), Permission("r", None).allows(20)
        (True, False, True)
        """
        return self.stopped is None and (self.train_to is None or step < self.train_to)


def write_permission(run: Path, permission: Permission) -> None:
    """Tell the training how far it may go; the run's folder is made where it is not there."""
    text = json.dumps({"schema": SCHEMA, **asdict(permission)}, ensure_ascii=False)
    write_text_atomically(run / PERMISSION, text + "\n")


def read_permission(run: Path) -> Permission | None:
    """What the watcher said last; None where it has said nothing that can be read."""
    try:
        told = read_json((run / PERMISSION).read_bytes())
        if told["schema"] != SCHEMA:
            return None
        return Permission(str(told["run"]), told["train_to"], told["stopped"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def wait_for_permission(
    run: Path,
    step: int,
    *,
    poll_seconds: float = 1.0,
    timeout_seconds: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Permission:
    """Wait until a training that is at this step may make another, or has to stop.

    Raises:
        OrderError: neither came in time.
    """
    begun = clock()
    while True:
        permission = read_permission(run)
        if permission is not None and (permission.stopped is not None or permission.allows(step)):
            return permission
        if timeout_seconds is not None and clock() - begun >= timeout_seconds:
            raise OrderError(
                "no permission to train on",
                where=str(run / PERMISSION),
                got="nothing that can be read" if permission is None else f"train_to {permission.train_to}",
                expected=f"leave to train beyond step {step}, within {timeout_seconds:g} s",
                fix="Start `foretell watch` on this folder, or look at what it waits for.",
            )
        sleep(poll_seconds)
