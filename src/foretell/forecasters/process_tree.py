"""A process and all that descend from it, as /proc tells: how many, and how much memory they hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class ProcessTree:
    """Descendants at one moment.

    Attributes:
        processes: ids, the root's first.
        tasks: threads of all of them together, at least one a process.
        memory_bytes: resident memory, a page that two share counted twice.
    """

    processes: tuple[int, ...]
    tasks: int
    memory_bytes: int


def can_count() -> bool:
    """Whether this system tells a process's children."""
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists()


def process_tree(root: int, *, leave_out: frozenset[int] = frozenset(), most_tasks: int | None = None) -> ProcessTree:
    """Walk the descendants of a process; those that end meanwhile are left out.

    Args:
        leave_out: processes whose children count but who do not themselves.
        most_tasks: the walk ends once it has counted more: a tree that grows faster than it is walked has no end.

    >>> os.getpid() in process_tree(os.getpid()).processes or not can_count()
    True
    """
    waiting, found, tasks, memory = [root], [], 0, 0
    while waiting and (most_tasks is None or tasks <= most_tasks):
        process = waiting.pop()
        try:
            threads = os.listdir(f"/proc/{process}/task")  # noqa: PTH208 (names only, many times a second)
            for thread in threads:
                waiting += map(int, _read(f"/proc/{process}/task/{thread}/children").split())
            if process not in leave_out:
                tasks += len(threads)
                memory += int(_read(f"/proc/{process}/statm").split()[1]) * _PAGE_BYTES
                found.append(process)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ProcessTree(tuple(found), tasks, memory)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()
