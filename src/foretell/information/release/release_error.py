"""What a release rule costs whoever is judged: how far scores move, which verdicts change, what can be judged.

All of it compares two lists of losses of the same prompts: against the exact truth, and against the released one. A
truth that lists its likeliest tokens only gives intervals; their ends stand for the released loss below and above.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Interval, Unscored
from foretell.scoring.confidence import cluster_means, clustered_standard_error
from foretell.scoring.summary import Losses, mean_loss, weighted_mean
from foretell.verdicts.tolerance import decide

Float64 = NDArray[np.float64]
#: An error may be at most this share of a tolerance that is judged.
SHARE = 0.1
#: Two-sided normal quantile of the approximate bounds, and their level.
_NORMAL, LEVEL = 1.9600, 0.95
#: Tolerances that verdicts are compared at, on a logarithmic grid from the least to log(vocabulary).
TOLERANCES, LEAST_TOLERANCE = 200, 1e-3


@dataclass(frozen=True)
class ScoreError:
    """How one forecast's score moves when the truth is released by a rule, in nats of mean KL divergence.

    Attributes:
        forecast: its name.
        exact: mean loss against the exact truth.
        released: the same against the released one; an interval where it lists its likeliest tokens only.
        bias: the mean over prompts of released − exact: of the interval's lower ends, and of its upper ends.
        bounds: on that mean, over draws of documents; approximate (clustered standard error and normal quantile).
        rms: root of the weighted mean square over prompts, of the end that is farther off.
        largest: the largest error of a prompt, of either end.
    """

    forecast: str
    exact: float
    released: Interval
    bias: Interval
    bounds: Interval | Unscored
    rms: float
    largest: float

    @property
    def error(self) -> float:
        """How far off the mean score may be: the farther bound, or a prompt's largest error where there is none."""
        if isinstance(self.bounds, Unscored):
            return self.largest
        return max(abs(self.bounds.lo), abs(self.bounds.hi))

    def record(self) -> dict[str, Any]:
        """For JSON."""
        ends = (
            {"unscored": self.bounds.reason}
            if isinstance(self.bounds, Unscored)
            else {"lo": self.bounds.lo, "hi": self.bounds.hi, "level": LEVEL, "method": "approximate: normal"}
        )
        return {
            "forecast": self.forecast,
            "exact_nats": self.exact,
            "released_nats": _ends(self.released),
            "bias_nats": _ends(self.bias),
            "bias_bounds": ends,
            "rms_nats": self.rms,
            "largest_nats": self.largest,
            "error_nats": self.error,
        }


def score_error(forecast: str, exact: Losses, released: Losses) -> ScoreError:
    """Compare the losses of one forecast against the exact truth and the released one, prompt by prompt.

    Args:
        exact: with equal ends, of a full truth.
        released: of the same prompts, in the same order.

    >>> exact = Losses.of([("a", "s", "a", 1.0), ("b", "s", "b", 1.0)], np.array([0.2, 0.4]), np.array([0.2, 0.4]), 9.0)
    >>> one = score_error("mine", exact, exact)
    >>> one.bias, one.rms, one.error
    (Interval(lo=0.0, hi=0.0), 0.0, 0.0)
    """
    low, high = released.lo - exact.lo, released.hi - exact.hi
    weights = exact.weights
    farther = np.maximum(np.abs(low), np.abs(high))
    return ScoreError(
        forecast,
        weighted_mean(exact.lo, weights),
        Interval(weighted_mean(released.lo, weights), weighted_mean(released.hi, weights)),
        Interval(weighted_mean(low, weights), weighted_mean(high, weights)),
        _bounds(low, high, exact),
        math.sqrt(weighted_mean(farther**2, weights)),
        float(farther.max()),
    )


def _bounds(low: Float64, high: Float64, losses: Losses) -> Interval | Unscored:
    ends = []
    for values, sign in ((low, -1), (high, 1)):
        means, totals = cluster_means(values, losses.weights, losses.clusters)
        error = clustered_standard_error(means, totals)
        if error is None:
            return Unscored("fewer than two documents")
        ends.append(weighted_mean(values, losses.weights) + sign * _NORMAL * error)
    return Interval(*ends)


def smallest_judgeable(errors: Sequence[ScoreError], noise_floor: float, share: float = SHARE) -> float:
    """The tolerance from which on every tolerance can be judged, in nats.

    A tolerance can be judged if, for each forecast whose exact loss is within it, the error is at most `share` of
    it. Forecasts beyond the tolerance fail by more than their error where that is at most `share` of their own loss.
    So each forecast whose error e exceeds that share of its loss asks for a tolerance of e / share; a forecast that
    is the target itself has no loss and always asks. Nothing below the truth's own noise floor can be judged.

    >>> def off(exact: float, error: float) -> ScoreError:
    ...     point = Interval(error, error)
    ...     return ScoreError("f", exact, point, point, point, error, error)
    >>> smallest_judgeable([off(0.0, 1e-3), off(2.0, 0.1)], 1e-6), smallest_judgeable([off(2.0, 0.5)], 1e-6)
    (0.01, 5.0)
    """
    asked = [one.error / share for one in errors if one.error > share * one.exact]
    return max([noise_floor, *asked])


def raised_noise(
    noise_floor: Mapping[str, Any], mean: float, largest: float, errors: Sequence[ScoreError]
) -> dict[str, Any]:
    """The noise floor of a truth that was released by a rule which alters every distribution.

    Roots of small divergences add at most, as distances do, so the release adds (√noise + √distortion)². And no
    tolerance may be judged that a score within it can miss by its own size.

    Args:
        noise_floor: of the exact truth.
        mean, largest: KL divergence from the exact distributions to the released ones, in nats: mean over prompts,
            and of a position.
        errors: of the panel.

    >>> raised_noise({"kl_nats": 1e-6, "max_kl_nats": 4e-6, "method": "asked again"}, 1e-6, 4e-6, [])["kl_nats"]
    4e-06
    """
    added = _added(float(noise_floor["kl_nats"]), mean)
    return {
        "kl_nats": smallest_judgeable(errors, added, share=1.0),
        "max_kl_nats": _added(float(noise_floor["max_kl_nats"]), largest),
        "method": f"{noise_floor['method']}; raised by what the release rule distorts, and to where no forecast of "
        f"{len(errors)} within a tolerance is off by more than that tolerance",
    }


def _added(noise: float, distortion: float) -> float:
    return (math.sqrt(max(noise, 0.0)) + math.sqrt(max(distortion, 0.0))) ** 2


@dataclass(frozen=True)
class Changes:
    """Which decisions change when the truth is released by a rule; all of it is counted, nothing sampled.

    Attributes:
        verdicts: forecasts times tolerances that were compared.
        changed: those whose verdict is another one; reversed: those that went from pass to fail or back.
        pairs: of forecasts; swapped: those whose mean losses are in the other order; undecided: those whose intervals
            overlap, so that their order is not known.
    """

    verdicts: int
    changed: int
    reversed: int
    pairs: int
    swapped: int
    undecided: int

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


def changes(exact: Sequence[Losses], released: Sequence[Losses], noise_floor: float, level: float = LEVEL) -> Changes:
    """Compare verdicts on a grid of tolerances, and the order of forecasts.

    Args:
        exact: one entry a forecast; released: the same forecasts.
        noise_floor: no tolerance below it is compared.
    """
    tolerances = np.geomspace(max(LEAST_TOLERANCE, noise_floor), exact[0].cap, TOLERANCES)
    changed = reversed_ = 0
    for one, other in zip(exact, released, strict=True):
        mine, yours = mean_loss(one, level).bounds, mean_loss(other, level).bounds
        for tolerance in tolerances:
            decisions = decide(mine, float(tolerance)), decide(yours, float(tolerance))
            changed += decisions[0] != decisions[1]
            reversed_ += set(decisions) == {"pass", "fail"}
    swapped = undecided = 0
    for a, b in combinations(range(len(exact)), 2):
        order = weighted_mean(exact[a].lo, exact[a].weights) <= weighted_mean(exact[b].lo, exact[b].weights)
        first, second = (a, b) if order else (b, a)
        if weighted_mean(released[first].hi, released[first].weights) <= weighted_mean(
            released[second].lo, released[second].weights
        ):
            continue
        apart = weighted_mean(released[second].hi, released[second].weights) < weighted_mean(
            released[first].lo, released[first].weights
        )
        swapped, undecided = swapped + apart, undecided + (not apart)
    pairs = len(exact) * (len(exact) - 1) // 2
    return Changes(len(exact) * len(tolerances), changed, reversed_, pairs, swapped, undecided)


def _ends(value: Interval) -> float | dict[str, float]:
    return value.lo if value.is_point else {"lo": value.lo, "hi": value.hi}
