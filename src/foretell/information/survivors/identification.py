"""How many prompts leave the target alone: the number from which on that happens with a stated probability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError
from foretell.base.interval import Unscored
from foretell.scoring.confidence import fraction_bounds

Counts = NDArray[np.int_]


@dataclass(frozen=True)
class Needed:
    """A number of prompts with its bounds: `prompts` is what the draws say, the true number lies from lo to hi.

    Attributes:
        hi: None where the draws do not bound it within the prompts that there are.
    """

    prompts: int
    lo: int
    hi: int | None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))

    def words(self) -> str:
        """As in a sentence.

        >>> Needed(1200, 1150, None).words()
        '1,200 prompts (1,150 or more)'
        """
        bounds = f"{self.lo:,} or more" if self.hi is None else f"{self.lo:,} to {self.hi:,}"
        return f"{self.prompts:,} prompt{'s' if self.prompts > 1 else ''} ({bounds})"


@dataclass(frozen=True)
class Identification:
    """Whether, and after how many prompts, nobody but the target remains.

    Attributes:
        status: found; never (somebody remains after all prompts); not determined.
        suite: how many prompts of this very suite are needed, where its draws say so.
        fresh: how many of other prompts like these, approximate (a bootstrap over documents).
        nearest: the member that is nearest to the target on the whole suite, of those that can be told from it.
        distance: its loss there, by the rule.
        reason: why not, where never or not determined.
    """

    status: Literal["found", "never", "not determined"]
    suite: Needed | None = None
    fresh: Needed | None = None
    nearest: str | None = None
    distance: float | None = None
    reason: str | None = None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        needed = {name: None if one is None else one.record() for name, one in self._numbers()}
        return {"status": self.status} | needed | {name: getattr(self, name) for name in _PLAIN}

    def _numbers(self) -> list[tuple[str, Needed | None]]:
        return [("suite", self.suite), ("fresh", self.fresh)]

    def sentence(self, probability: float) -> str:
        """What was found, in words."""
        if self.status == "found" and self.suite is not None and self.fresh is not None:
            return (
                f"with {probability:.0%} probability the target is alone from {self.suite.words()} of this suite on, "
                f"of fresh prompts from about {self.fresh.words()}; the last to go is {self.nearest}"
            )
        return f"{'the target is never alone' if self.status == 'never' else 'not determined'}: {self.reason}"


_PLAIN = ("nearest", "distance", "reason")


def needed(alone: Counts, draws: int, probability: float, level: float, *, known_end: bool) -> Needed | Unscored:
    """The least N from which on at least that share of all draws leaves the target alone.

    Every N is held against an exact binomial bound: from above downwards for the upper end, from below upwards for
    the lower, each until the first that does not hold. Tested in an order that is fixed beforehand, the many N need
    no correction, so [lo, hi] has the level as a whole.

    Args:
        alone: (prompts,), in how many of the draws of N = 1, 2, … prompts the target was alone.
        known_end: with all prompts every draw is the same one, so there the share is known.

    Returns:
        Unscored where it is not so with all prompts that there are.

    Raises:
        InputError: too few draws to bound such a probability.

    Source: Clopper & Pearson 1934 for the bounds; fixed-sequence testing, Maurer, Hothorn & Lehmacher 1995.

    >>> needed(np.array([0, 120, 380, 400, 400]), 400, 0.95, 0.95, known_end=True)
    Needed(prompts=3, lo=3, hi=4)
    """
    enough, refuted = _limits(draws, probability, level)
    prompts = len(alone)
    known = known_end and alone[-1] == draws
    found = _from_the_end(alone >= probability * draws, known)
    if found is None:
        share = int(alone[-1]) / draws
        return Unscored(f"with all {prompts:,} prompts it is so in {share:.0%} of the draws")
    least = int(np.argmax(alone > refuted)) + 1
    return Needed(found, least, _from_the_end(alone >= enough, known))


def _from_the_end(holds: NDArray[np.bool_], known: bool) -> int | None:
    """The least N from which on it holds at every N; None where it does not with all prompts."""
    failing = np.flatnonzero(~holds[:-1] if known else ~holds)
    first = int(failing[-1]) + 2 if len(failing) else 1
    return first if first <= len(holds) else None


@cache
def _limits(draws: int, probability: float, level: float) -> tuple[int, int]:
    """Of so many draws: the fewest whose lower bound reaches the probability, the most whose upper bound does not."""
    if fraction_bounds(draws, draws, level).lo < probability:
        raise InputError(
            "too few draws",
            where="draws of prompts",
            got=f"{draws}",
            expected=f"enough for a bound of {probability:.0%} at level {level:.0%}",
            fix="Take some hundreds of draws.",
        )
    enough = _least(draws, lambda count: fraction_bounds(count, draws, level).lo >= probability)
    return enough, _least(draws, lambda count: fraction_bounds(count, draws, level).hi >= probability) - 1


def _least(most: int, holds: Callable[[int], bool]) -> int:
    """The least count from 0 to `most` for which it holds, by bisection; it does for `most`, and from some count on."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
