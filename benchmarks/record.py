"""What a benchmark leaves: records of repeated measurements, taken in turns so that a busy machine is fair to all."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["foretell", "peer", "limit"]
#: Idle time before each measurement, so that no thread pool is still spinning from the one before, in seconds.
_PAUSE_S = 0.05


@dataclass(frozen=True)
class Variant:
    """One way to do a piece of work.

    Attributes:
        share: which part of the work `run` does; its time is divided by it, and the page says so.
        note: what is different about it.
    """

    name: str
    role: Role
    run: Callable[[], object]
    share: float = 1.0
    note: str = ""


@dataclass(frozen=True)
class Record:
    """The times of one variant: seconds, one a round."""

    name: str
    role: Role
    seconds: tuple[float, ...]
    note: str = ""

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Work:
    """Several variants of one piece of work.

    Attributes:
        records: foretell's own first.
        goal: what the project asks for, in words.
        amount: how much work one run is, in `unit`, for rates; 0 where a rate says nothing.
        remarks: what else was found.
    """

    name: str
    records: tuple[Record, ...]
    goal: str
    amount: float = 0
    unit: str = ""
    remarks: tuple[str, ...] = ()

    def ratio(self, record: Record) -> float:
        """Median time of a record over foretell's: above 1, foretell is faster."""
        return record.median / self.records[0].median

    def ratios(self, record: Record) -> tuple[float, float]:
        """Least and largest ratio within one round."""
        pairs = [other / own for other, own in zip(record.seconds, self.records[0].seconds, strict=True)]
        return min(pairs), max(pairs)


@dataclass(frozen=True)
class Peak:
    """The largest resident memory of one process.

    Attributes:
        positions: how many it scored or collected; 0 for a process that only imported.
    """

    work: str
    positions: int
    peak_bytes: int
    seconds: float


@dataclass
class Findings:
    """Everything that a run measured."""

    works: list[Work] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def say(line: str) -> None:
    """Tell how far the run is; a full one takes a while."""
    print(f"benchmarks: {line}", file=sys.stderr, flush=True)


def take_turns(variants: list[Variant], rounds: int) -> tuple[Record, ...]:
    """Measure A B C, A B C, …, after one call of each that does not count (it compiles and fills caches)."""
    times: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for variant in variants:
        variant.run()
    for done in range(rounds):
        say(f"  {variants[0].name}: round {done + 1} of {rounds}")
        for variant in variants:
            time.sleep(_PAUSE_S)
            start = time.perf_counter()
            variant.run()
            times[variant.name].append((time.perf_counter() - start) / variant.share)
    return tuple(Record(v.name, v.role, tuple(times[v.name]), v.note) for v in variants)
