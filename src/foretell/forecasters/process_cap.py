"""A limit on the number of processes that the kernel keeps for root as well: a control group with the pids controller.

RLIMIT_NPROC does not bind processes that are root's when seen from outside, and watching alone comes late: a fork bomb
makes a thousand processes before anybody looks. Only root can make control groups unasked, and only root needs to.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_PREFIX, _GONE_SECONDS, _TICK_SECONDS = "foretell-", 2.0, 0.01


class ProcessCap:
    """A control group that holds so many processes and threads at most. Made by `make_cap`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, processes: Iterable[int]) -> None:
        """Move processes into the group; what they start from now on is in it too. Those that ended are left out."""
        for process in processes:
            with suppress(ProcessLookupError):
                (self.folder / "cgroup.procs").write_text(str(process))

    def close(self) -> None:
        """Remove the group, as soon as the processes in it are gone."""
        until = time.monotonic() + _GONE_SECONDS
        while time.monotonic() < until:
            try:
                self.folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(_TICK_SECONDS)


def make_cap(most: int) -> ProcessCap | None:
    """A group for `most` processes and threads; None where the user is not root, or root may make no group."""
    if os.geteuid() != 0:
        return None
    for parent in _parents(Path("/proc/self/mountinfo").read_text()):
        try:
            _sweep(parent)
            folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
        except OSError:
            continue
        cap = ProcessCap(folder)
        try:
            (folder / "pids.max").write_text(str(most))
        except OSError:
            cap.close()
        else:
            return cap
    return None


def _sweep(parent: Path) -> None:
    """Remove groups whose maker was killed; one that has processes cannot be removed."""
    for folder in parent.glob(f"{_PREFIX}*-*"):
        if not Path("/proc", folder.name.split("-")[1]).exists():
            with suppress(OSError):
                folder.rmdir()


def _parents(mounts: str) -> Iterator[Path]:
    """Where groups with a pids controller are made, in the kernel's second and first way of mounting them.

    >>> [str(path) for path in _parents("35 1 0:3 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids")]
    ['/sys/fs/cgroup/pids']
    """
    for line in mounts.splitlines():
        here, _, there = line.partition(" - ")
        kind, _, options = there.split(" ", 2)
        place = Path(here.split(" ")[4])
        if kind == "cgroup" and "pids" in options.split(","):
            yield place
        elif kind == "cgroup2":
            with suppress(OSError):
                if "pids" in (place / "cgroup.subtree_control").read_text().split():
                    yield place
