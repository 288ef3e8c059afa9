"""What commands print: progress on standard error, results on standard output, numbers in one style."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from foretell.base.progress import Progress
from foretell.verdicts.run_folder import write_json

#: Tables that go to a file or a pipe are this wide.
_WIDE = 128
out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False)


def say(line: str) -> None:
    """A line about what is being done, on standard error."""
    err.print(line, style="dim", markup=False)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """A callable that shows each task as a bar with elapsed and estimated time; bars go when the work is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(task: str, done: int, total: int) -> None:
            if task not in tasks:
                tasks[task] = bars.add_task(task, total=total)
            bars.update(tasks[task], completed=done, total=total)
            if done >= total:
                bars.remove_task(tasks.pop(task))

        yield show


def emit_json(value: dict[str, Any], target: str) -> None:
    """Write JSON to a file, or to standard output for '-'."""
    if target == "-":
        sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n")
    else:
        write_json(Path(target), value)


def nats(value: Any, digits: int = 3) -> str:
    """A number, an interval of what it may be, or why there is none.

    >>> nats(0.12345), nats({"lo": 0.1, "hi": 0.2}), nats({"unscored": "too few"}), nats(None)
    ('0.123', '0.100…0.200', '–', '–')
    """
    if isinstance(value, dict) and "lo" in value and "hi" in value:
        return f"{value['lo']:.{digits}f}…{value['hi']:.{digits}f}"
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "–"
