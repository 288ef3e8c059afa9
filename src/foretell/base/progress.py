"""How long work reports itself: a callable that takes what is done, how far it is, and how much there is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Takes progress; what it does with it (a bar, nothing) is the caller's."""

    def __call__(self, task: str, done: int, total: int) -> None: ...


def quiet(task: str, done: int, total: int) -> None:
    """Show nothing."""
