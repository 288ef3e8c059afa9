"""Numbers that forecast a training run: a line through two distributions, how far to go on it, and a power law.

The line. Two distributions, `base` and `latest`, give log q ∝ log latest + a (log latest − log base), normalised. At
a = 0 it is the latest, at a = −1 the base; between these it is a geometric mean of both, above 0 it goes on in the
direction from base to latest.

Steps are counted from one (1 + step), so that untrained weights, step 0, have a place on a logarithmic axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.distributions.combining import log_normalised

_Floats = NDArray[np.float64]
#: Log-probabilities (sources, rows, vocabulary) and weights (rows,) of a few positions at a time, from the beginning.
Blocks = Callable[[], Iterable[tuple[_Floats, _Floats]]]
#: Coefficients that are tried: from the base itself to far beyond the latest.
LEAST, MOST = -1.0, 4.0
#: Halvings of an interval of coefficients: to some 1e-5.
_HALVINGS = 18
#: A slope below this, in nats by unit of the coefficient, is rounding.
_FLAT_NATS = 1e-7
#: Exponents of a power law that are tried, first apart by a constant factor, then finer around the best.
_EXPONENTS, _TRIED = (0.02, 3.0), 120


def along(base: _Floats, latest: _Floats, coefficient: float) -> _Floats:
    """The distribution on the line through two, see the module's first lines.

    Args:
        base, latest: log-probabilities (rows, vocabulary), none of them -inf.

    >>> base, latest = np.log([[0.5, 0.5]]), np.log([[0.8, 0.2]])
    >>> np.exp(along(base, latest, 1.0)).round(4).tolist()  # odds 1, then 4, then 16
    [[0.9412, 0.0588]]
    """
    return log_normalised(latest + coefficient * (latest - base))


def least_kl(blocks: Blocks) -> float:
    """The coefficient whose line has the least mean KL from a truth, between LEAST and MOST.

    KL is convex in the coefficient, with slope E_q[d] − E_p[d] for d = log latest − log base; where it is flat (base
    and latest are one), the coefficient is 0.

    Args:
        blocks: sources are the truth, the base and the latest.
    """

    def slope(coefficient: float) -> float:
        total = 0.0
        for (truth, base, latest), weights in blocks():
            direction = latest - base
            surplus = np.exp(along(base, latest, coefficient)) - np.exp(truth)
            total += float(weights @ (surplus * direction).sum(axis=1))
        return total

    here = slope(0.0)
    if abs(here) < _FLAT_NATS:
        return 0.0
    return _crossing(slope, 0.0, *((LEAST, 0.0) if here > 0 else (0.0, MOST)))


def mean_kl(blocks: Blocks, coefficient: float) -> float:
    """Mean KL(truth ‖ line) in nats, at one coefficient.

    Args:
        blocks: sources are the truth, the base and the latest.
    """
    total = 0.0
    for (truth, base, latest), weights in blocks():
        total += float(weights @ _kl(truth, along(base, latest, coefficient)))
    return total


def mean_kl_to_base(blocks: Blocks, coefficient: float) -> float:
    """Mean KL(line ‖ base) in nats, at one coefficient; it rises with it, from 0 at −1.

    Its slope is (1 + a) times the variance of log latest − log base under the line.

    Args:
        blocks: sources are the base and the latest.
    """
    total = 0.0
    for (base, latest), weights in blocks():
        total += float(weights @ _kl(along(base, latest, coefficient), base))
    return total


def _kl(p: _Floats, q: _Floats) -> _Floats:
    return np.asarray((np.exp(p) * (p - q)).sum(axis=1))


def reaching(rising: Callable[[float], float], wanted: float) -> float:
    """The coefficient between LEAST and MOST at which a rising function has a value; the nearer end where at none.

    >>> round(reaching(lambda a: a**3, 1 / 8), 4), reaching(lambda a: a, 9.0)
    (0.5, 4.0)
    """
    return _crossing(rising, wanted, LEAST, MOST)


def _crossing(rising: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    if rising(high) <= wanted:
        return high
    if rising(low) >= wanted:
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if rising(middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def pace(earlier: int, latest: int, ahead: int) -> float:
    """Steps still ahead over steps already made, in logarithms: 1 from 1x to 2x to 4x.

    >>> round(pace(99, 199, 399), 6), round(pace(99, 199, 799), 6)
    (1.0, 2.0)
    """
    return math.log((1 + ahead) / (1 + latest)) / math.log((1 + latest) / (1 + earlier))


@dataclass(frozen=True)
class PowerLaw:
    """value = limit − gain · (1 + step)^(−exponent).

    Attributes:
        error: root mean square of what it leaves at the points that it was fitted on.
    """

    limit: float
    gain: float
    exponent: float
    error: float

    def at(self, step: int) -> float:
        """The value at a step.

        >>> PowerLaw(4.0, 10.0, 0.5, 0.0).at(99)
        3.0
        """
        return float(self.limit - self.gain * (1.0 + step) ** -self.exponent)


def fit_power_law(steps: Iterable[int], values: Iterable[float]) -> PowerLaw:
    """The power law with the least squared error: limit and gain by least squares for each exponent that is tried.

    The exponents end at 0.02, where the law is all but linear in log step: values that rise faster than that are not
    followed.

    Args:
        steps: three or more, different.

    >>> law = fit_power_law([9, 99, 999], [2.0, 2.9, 2.99])
    >>> round(law.limit, 3), round(law.exponent, 3), round(law.at(9999), 3)
    (3.0, 1.0, 2.999)
    """
    times, wanted = 1.0 + np.array(list(steps), np.float64), np.array(list(values), np.float64)
    tried = np.geomspace(*_EXPONENTS, _TRIED)
    for _ in range(3):
        laws = [_law(times, wanted, float(exponent)) for exponent in tried]
        best = min(range(len(laws)), key=lambda index: laws[index].error)
        tried = np.linspace(tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)], _TRIED)
    return min(laws, key=lambda law: law.error)


def _law(times: _Floats, wanted: _Floats, exponent: float) -> PowerLaw:
    columns = np.stack([np.ones_like(times), -(times**-exponent)], axis=1)
    limit, gain = np.linalg.lstsq(columns, wanted, rcond=None)[0]
    left = columns @ np.array([limit, gain]) - wanted
    return PowerLaw(float(limit), float(gain), exponent, float(np.sqrt(np.mean(left**2))))
