"""Verdicts on draws of a practice run's documents: what a forecaster like that one would get from so many prompts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError
from foretell.scoring.power import Documents, decisions
from foretell.scoring.summary import Losses
from foretell.verdicts.tolerance import WHOLE

Counts = NDArray[np.int64]
Float64 = NDArray[np.float64]
#: Numbers held at once.
_CHUNK = 1 << 21


@dataclass(frozen=True)
class Aim:
    """What the charter will ask.

    Attributes:
        tolerance, slices: of the whole, and of slices that must meet one too, in the metric's unit.
        level: two-sided confidence of the bounds.
        power: the wanted chance of the verdict that the forecaster deserves.
    """

    tolerance: float
    slices: dict[str, float]
    level: float = 0.95
    power: float = 0.8

    def check(self, losses: Losses) -> None:
        """Refuse what cannot be planned.

        Raises:
            InputError: a tolerance outside (0, cap), a slice that is not there, a level or power that is no chance.
        """

        def require(fine: bool, where: str, got: object, expected: str, fix: str) -> None:
            if not fine:
                raise InputError("a plan for nothing", where=where, got=str(got), expected=expected, fix=fix)

        for name, own in {WHOLE: self.tolerance, **self.slices}.items():
            expected = f"a number between 0 and the cap of {losses.cap:.4g}"
            require(0 < own < losses.cap, f"tolerance, {name}", own, expected, "Choose one that some would miss.")
        for name in self.slices:
            require(name in losses.slices, "--judge-slice", repr(name), "a slice of the practice run", "See its score.")
        require(0.5 < self.level < 1, "--level", self.level, "a number between 0.5 and 1", "0.95 is usual.")
        require(0 < self.power < 1, "--power", self.power, "a number between 0 and 1", "0.8 is usual.")


class Simulation:
    """A practice run's documents, and the verdicts on draws of them.

    Args:
        losses: of one forecast, by prompt.
    """

    def __init__(self, losses: Losses, aim: Aim, seed: int = 0) -> None:
        aim.check(losses)
        self.aim, self._seed = aim, seed
        self.parts = {WHOLE: (Documents.of(losses), aim.tolerance)}
        self.parts |= {name: (Documents.of(losses, name), own) for name, own in aim.slices.items()}
        _, first = np.unique(np.asarray(losses.clusters), return_index=True)
        # A document is drawn with its slice; where it has several, with that of its first prompt.
        slices = np.array(losses.slices)[first]
        self._strata = [np.flatnonzero(slices == name) for name in dict.fromkeys(losses.slices)]
        self._documents, self.prompts_each = len(first), len(losses.prompts) / len(first)

    def deserved(self, names: Iterable[str] | None = None) -> str | None:
        """The verdict at the practice run's own means, over all parts or some."""
        means = [(self.parts[name][0].mean, self.parts[name][1]) for name in names or self.parts]
        if any(low > own for (low, _), own in means):
            return "fail"
        return "pass" if all(high <= own for (_, high), own in means) else None

    def power(self, prompts: int, draws: int, *, names: Iterable[str] | None = None, stream: int = 0) -> float:
        """The share of draws of that many prompts that get the deserved verdict.

        Args:
            names: judge these parts only.
            stream: draws of different streams are independent; those of one are the same in every call.
        """
        rng = np.random.default_rng([self._seed, stream])
        return self._power(rng, prompts, draws, np.ones(self._documents), list(names or self.parts))

    def power_again(self, prompts: int, draws: int, stream: int) -> float:
        """The power had the practice run been another: its documents are drawn again first."""
        rng = np.random.default_rng([self._seed, stream])
        practice = self._draw(rng, [len(members) for members in self._strata], 1, np.ones(self._documents))[0]
        return self._power(rng, prompts, draws, practice.astype(np.float64), list(self.parts))

    def _power(self, rng: np.random.Generator, prompts: int, draws: int, practice: Float64, names: list[str]) -> float:
        deserved, sizes, right = self.deserved(names), self._sizes(prompts), 0
        step = max(1, _CHUNK // self._documents)
        for start in range(0, draws, step):
            counts = self._draw(rng, sizes, min(step, draws - start), practice)
            found = np.array([decisions(*self._part(name, counts), self.aim.level) for name in names])
            right += int(np.sum((found < 0).any(axis=0) if deserved == "fail" else (found > 0).all(axis=0)))
        return right / draws

    def _part(self, name: str, counts: Counts) -> tuple[Documents, Counts, float]:
        documents, tolerance = self.parts[name]
        return documents, counts, tolerance

    def _sizes(self, prompts: int) -> list[int]:
        """Documents of each slice among so many prompts, in proportion."""
        total = max(1, round(prompts / self.prompts_each))
        ends = np.cumsum([len(members) for members in self._strata]) * total / self._documents
        return [int(size) for size in np.diff(np.round(ends).astype(int), prepend=0)]

    def _draw(self, rng: np.random.Generator, sizes: list[int], draws: int, practice: Float64) -> Counts:
        """How often each document comes in each draw, (draws, documents)."""
        counts = np.zeros((draws, self._documents), np.int64)
        for members, size in zip(self._strata, sizes, strict=True):
            counts[:, members] = rng.multinomial(size, practice[members] / practice[members].sum(), draws)
        return counts
