"""How far ahead forecasts of checkpoints hold, and what that says: numbers in, sentences out.

A forecast is a record of start and step (of training), doublings between them, method, kl_nats, skill over the best
text-only pool, gain_over_last (paired, in nats), and what was found on earlier checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from foretell.base.interval import Interval
from foretell.reports.figures import missing, plain
from foretell.studies.words import count_of, listed, mean_of, side, told
from foretell.verdicts.tolerance import decide

#: In nats.
TOLERANCES = (0.25, 0.5, 1.0, 1.5)
#: Methods by their names on the page; the first is what the others are compared with.
LAST, LOGITS, SCALING, FROM_BIGRAM = "last", "logits", "scaling", "scaling from a bigram"
NAMES = (LAST, LOGITS, SCALING, FROM_BIGRAM)


def of(found: Sequence[dict[str, Any]], method: str) -> list[dict[str, Any]]:
    """The forecasts by one method."""
    return [one for one in found if one["method"] == method]


def better_than_text(one: dict[str, Any]) -> bool:
    """Whether skill over the text-only pool is above 0 with its bounds."""
    return one["skill"] is not None and missing(one["skill"]) is None and side(one["skill"]) > 0


def passes(tolerance: float) -> Callable[[dict[str, Any]], bool]:
    """Whether a forecast's bounds meet a tolerance."""
    return lambda one: decide(Interval(one["kl_nats"]["lo"], one["kl_nats"]["hi"]), tolerance) == "pass"


def horizons(found: Sequence[dict[str, Any]], holds: Callable[[dict[str, Any]], bool]) -> tuple[int, int]:
    """Doublings up to which something holds for every pair, and up to which it does for any; 0 for none.

    >>> pairs = [{"doublings": n, "good": n < 3} for n in (1, 2, 2, 3)] + [{"doublings": 2, "good": False}]
    >>> horizons(pairs, lambda one: one["good"])
    (1, 2)
    """
    every = 0
    for doublings in sorted({round(one["doublings"]) for one in found}):
        if not all(holds(one) for one in found if round(one["doublings"]) == doublings):
            break
        every = doublings
    return every, max((round(one["doublings"]) for one in found if holds(one)), default=0)


def answer(found: Sequence[dict[str, Any]], uniform: dict[int, float]) -> tuple[str, ...]:
    """The sentences; the first says how far ahead the last checkpoint tells more than text does."""
    methods = [name for name in NAMES if of(found, name)]
    return (
        _first(found),
        _tolerances(of(found, LAST)),
        *(_against_last(found, name) for name in methods[1:]),
        *([_direction(found)] if LOGITS in methods else []),
        *([_law(found, uniform)] if SCALING in methods else []),
    )


def _first(found: Sequence[dict[str, Any]]) -> str:
    last = of(found, LAST)
    _, ever = horizons(last, better_than_text)
    longest = max(round(one["doublings"]) for one in last)
    near = [better_than_text(one) for one in last if round(one["doublings"]) == 1]
    if not ever:
        return "Not at all, as far as is shown: the last checkpoint is nowhere better than the best text-only pool."
    farthest = [_pair(one) for one in last if round(one["doublings"]) == ever and better_than_text(one)]
    return (
        f"At most {count_of(ever, 'doubling')} of the training steps: so far ahead the last checkpoint as it is tells "
        f"more than the best text-only pool (from step {listed(farthest)}; up to {longest} were tried). One doubling "
        f"ahead it does for {sum(near)} of {count_of(len(near), 'checkpoint')}."
    )


def _pair(one: dict[str, Any]) -> str:
    return f"{one['start']} to {one['step']}"


def _tolerances(last: Sequence[dict[str, Any]]) -> str:
    """How far ahead the last checkpoint meets each tolerance."""
    met, unmet = [], []
    for tolerance in TOLERANCES:
        every, ever = horizons(last, passes(tolerance))
        if not ever:
            unmet.append(plain(tolerance))
        elif every == ever:
            met.append(f"{plain(tolerance)} nats up to {count_of(ever, 'doubling')} ahead, for every checkpoint")
        else:
            always = f"for every checkpoint up to {every}" if every else "not for every checkpoint"
            met.append(f"{plain(tolerance)} nats up to {count_of(ever, 'doubling')} ahead ({always})")
    if not met:
        return f"last meets no tolerance of {listed(unmet)} nats, not even one doubling ahead."
    never = f"; never one of {listed(unmet)} nats" if unmet else ""
    return f"last meets a tolerance of {'; of '.join(met)}{never}."


def _against_last(found: Sequence[dict[str, Any]], method: str) -> str:
    """How often a method is closer than the last checkpoint, by how much one doubling ahead, and what that decides."""
    own = of(found, method)
    gains = [one["gain_over_last"] for one in own]
    near = max((one for one in own if round(one["doublings"]) == 1), key=lambda one: one["step"])
    beside = {(one["start"], one["step"]): one for one in of(found, LAST)}
    met = [(passes(t)(one), passes(t)(beside[one["start"], one["step"]])) for one in own for t in TOLERANCES]
    return (
        f"{method}: its mean loss is below that of last in {sum(mean_of(gain) > 0 for gain in gains)} of "
        f"{count_of(len(own), 'pair')}; with bounds it is shown closer in {sum(side(gain) > 0 for gain in gains)} and "
        f"farther in {sum(side(gain) < 0 for gain in gains)}. From {_pair(near)} it gains "
        f"{told(near['gain_over_last'], ' nats')}. On these pairs it meets {sum(a and not b for a, b in met)} "
        f"tolerances that last does not, and misses {sum(b and not a for a, b in met)} that last meets."
    )


def _direction(found: Sequence[dict[str, Any]]) -> str:
    """Which way the coefficient of logits points."""
    measured = sorted({one["start"]: one["found"]["coefficient_before"] for one in of(found, LOGITS)}.items())
    values = listed([f"{plain(coefficient)} up to step {start}" for start, coefficient in measured])
    below = [start for start, coefficient in measured if coefficient < 0]
    if len(below) == len(measured):
        meaning = "never above 0: a mean with the checkpoint before was nearer than going on in its direction"
    elif not below:
        meaning = "never below 0: going on in the direction of the two before was nearer than a mean of them"
    else:
        meaning = "of both signs: at times a mean with the checkpoint before was nearer than going on, at times not"
    return f"The coefficient that would have been best one transition before is {values}, {meaning}."


def rises(one: dict[str, Any], uniform: dict[int, float]) -> tuple[float, float]:
    """By how much the uniform forecast's mean KL was said to rise, and by how much it did."""
    said = one["found"]["predicted_kl_nats"] - one["found"]["curve"][-1][1]
    return said, uniform[one["step"]] - uniform[one["start"]]


def _law(found: Sequence[dict[str, Any]], uniform: dict[int, float]) -> str:
    """How well the power law tells the reference curve itself."""
    pairs = [rises(one, uniform) for one in of(found, SCALING)]
    off = sorted(abs(said - real) for said, real in pairs)
    return (
        "The power law said more rise of the uniform forecast's mean divergence than came in "
        f"{sum(said > real for said, real in pairs)} of {count_of(len(pairs), 'pair')}; it was off by {plain(off[0])} "
        f"to {plain(off[-1])} nats, where up to {plain(max(real for _, real in pairs))} came."
    )
