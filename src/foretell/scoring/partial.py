"""Scores when the truth is known on its top k only: intervals that hold whatever the unseen tail is.

Known: the k listed probabilities, the rest's mass r, and that no unseen token is likelier than the least listed one,
c. Lower ends come from treating the unseen tokens as one (log-sum inequality; data processing for f-divergences).
Upper ends are exact maxima: each score is convex in the unseen probabilities, so a maximum lies at a corner of
{0 ≤ p ≤ c, Σp = r}: full portions c on some tokens and the remainder on one more; and because each score's gain is
submodular in (portion, forecast), the larger portions belong where the forecast is smallest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import DistributionError
from foretell.base.interval import Interval

Float64 = NDArray[np.float64]
_E = float(np.e)
#: Rounding of a server's listed probabilities that may exceed what fits under the cap.
_ROOM = 1e-6


@dataclass(frozen=True)
class PartialTruth:
    """One position of a top-k truth against one full forecast.

    Attributes:
        p: listed truth probabilities (k,).
        q: the scored forecast's probabilities of the listed tokens (k,).
        q_unseen: the forecast's probabilities of all other tokens (vocabulary − k,), in any order.
        rest: the truth's mass on all other tokens.
    """

    p: Float64
    q: Float64
    q_unseen: Float64
    rest: float

    @property
    def unseen(self) -> float:
        """The rest, or 0 where no token is left that could have it (the listed ones' rounding)."""
        return self.rest if len(self.q_unseen) else 0.0

    def portions(self, where: str) -> tuple[Float64, Float64]:
        """The corner that maximises: portions, largest first, and the forecasts they meet, smallest first.

        Raises:
            DistributionError: the rest does not fit under the cap.
        """
        cap = float(self.p.min()) if len(self.p) else 1.0
        if self.rest > cap * len(self.q_unseen) + _ROOM:
            raise DistributionError(
                "impossible top-k truth",
                where=where,
                got=f"a rest of {self.rest:.3g} for {len(self.q_unseen)} unlisted tokens of at most {cap:.3g}",
                expected="listed tokens that are the likeliest, and a rest that fits the others",
                fix="Check that the server lists the true top k and reports log-probabilities before sampling.",
            )
        if self.unseen <= 0:
            return np.zeros(0), np.zeros(0)
        full = min(int(self.rest / cap), len(self.q_unseen)) if cap > 0 else 0
        remainder = self.rest - full * cap
        count = min(full + 1, len(self.q_unseen))
        smallest = np.sort(np.partition(self.q_unseen, count - 1)[:count])
        portions = np.full(count, cap)
        portions[-1] = remainder if count == full + 1 else cap + remainder
        return portions, smallest


def _kl_terms(p: Float64, q: Float64) -> float:
    listed = p > 0
    with np.errstate(divide="ignore"):
        return float(np.sum(p[listed] * (np.log(p[listed]) - np.log(q[listed]))))


def _js_terms(p: Float64, q: Float64) -> float:
    middle = (p + q) / 2
    return (_kl_terms(p, middle) + _kl_terms(q, middle)) / 2


def _tv_terms(p: Float64, q: Float64) -> float:
    return float(np.abs(p - q).sum() / 2)


def _interval(truth: PartialTruth, where: str, terms: Callable[[Float64, Float64], float]) -> Interval:
    seen = terms(truth.p, truth.q)
    merged = terms(np.array([truth.unseen]), np.array([truth.q_unseen.sum()]))
    portions, smallest = truth.portions(where)
    untouched = max(float(truth.q_unseen.sum() - smallest.sum()), 0.0)
    corner = terms(portions, smallest) + terms(np.zeros(1), np.array([untouched]))
    return Interval(max(seen + merged, 0.0), max(seen + corner, seen + merged, 0.0))


def kl_interval(truth: PartialTruth, where: str = "truth") -> Interval:
    """All values that the KL divergence can have.

    Source: log-sum inequality (Cover & Thomas 2006, theorem 2.7.1); corner maximum as in this file's first lines.

    >>> kl_interval(PartialTruth(np.array([0.5]), np.array([0.5]), np.array([0.25, 0.25]), 0.5)).lo
    0.0
    """
    return _interval(truth, where, _kl_terms)


def js_interval(truth: PartialTruth, where: str = "truth") -> Interval:
    """All values that the Jensen–Shannon divergence can have."""
    return _interval(truth, where, _js_terms)


def tv_interval(truth: PartialTruth, where: str = "truth") -> Interval:
    """All values that the total variation can have."""
    return _interval(truth, where, _tv_terms)


def abs_interval(truth: PartialTruth, where: str = "truth") -> Interval:
    """Bounds on Σ p |log p − log q|: valid, but the upper one is not always attained.

    |x| = x + 2·max(−x, 0), and p·log(q/p) ≤ q/e, so the unseen part is at most its KL maximum + 2·q_rest/e.
    """
    listed = truth.p > 0
    with np.errstate(divide="ignore"):
        seen = float(np.sum(truth.p[listed] * np.abs(np.log(truth.p[listed]) - np.log(truth.q[listed]))))
    q_rest = float(truth.q_unseen.sum())
    merged = _kl_terms(np.array([truth.unseen]), np.array([q_rest]))
    portions, smallest = truth.portions(where)
    unseen = _kl_terms(portions, smallest) + 2 * q_rest / _E if truth.unseen > 0 else 0.0
    return Interval(seen + max(merged, 0.0), seen + max(unseen, merged, 0.0))
