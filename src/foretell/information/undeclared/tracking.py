"""Whether a forecast follows a known model beyond what text, declared helpers and the truth explain.

The forecast's log-probabilities and the known model's are both regressed on those of the explanations, over all
tokens of all positions with one coefficient each; the correlation of what is left of the two is reported (Frisch &
Waugh 1933: it is the partial correlation). A token counts in proportion to the known model's own probability of it. A
logarithmic pool with the model leaves 1 where all other members are explanations; a linear pool leaves much.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Unscored

Float64 = NDArray[np.float64]
#: What is left of a regression counts as nothing below this share of the sum of squares: float32 files round more.
_NOTHING = 1e-9
_CERTAIN = 1 - 1e-12


@dataclass(frozen=True)
class Tracking:
    """How far a forecast follows a known model.

    Attributes:
        correlation: partial correlation of log-probabilities, −1 to 1.
        lo, hi: approximate bounds, by leaving out one document at a time.
        coefficient: of the known model in the regression; its weight in a logarithmic pool.
    """

    correlation: float
    lo: float
    hi: float
    coefficient: float
    documents: int
    level: float

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self)) | {"method": "jackknife over documents on Fisher's scale, approximate"}


def cross_moments(logprobs: Float64, weights: Float64) -> Float64:
    """Weighted cross products of log-probabilities, each centred at each position.

    Args:
        logprobs: finite natural-log probabilities, (forecasters, positions, tokens).
        weights: (positions, tokens), summing to 1 at each position.

    Returns:
        (forecasters, forecasters), summed over positions.

    >>> cross_moments(np.array([[[0.0, 2.0]], [[1.0, -1.0]]]), np.array([[0.5, 0.5]])).round(6).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    centred = logprobs - np.sum(logprobs * weights, axis=2, keepdims=True)
    flat = (centred * np.sqrt(weights)).reshape(len(logprobs), -1)
    return np.asarray(flat @ flat.T)


def tracking(moments: Float64, documents: Sequence[Hashable], level: float) -> Tracking | Unscored:
    """The partial correlation of a forecast with a known model, given explanations.

    Args:
        moments: `cross_moments` of each prompt, (prompts, m, m): first the forecast, then the explanations, last the
            known model.
        documents: of each prompt; those of one document are left out together.
        level: two-sided confidence of the bounds.

    Returns:
        Unscored where nothing is left of one of the two, or for fewer than two documents.

    Source: Miller 1974, "The jackknife – a review", for the bounds.

    >>> rng = np.random.default_rng(0)
    >>> text, model, noise = rng.normal(size=(3, 40, 1, 50))
    >>> each = [np.stack([0.8 * t + 0.2 * m + 0.1 * e, t, m]) for t, m, e in zip(text, model, noise)]
    >>> found = tracking(np.stack([cross_moments(one, np.full((1, 50), 0.02)) for one in each]), range(40), 0.95)
    >>> 0.85 < found.lo < found.correlation < found.hi < 0.92, round(found.coefficient, 1)
    (True, 0.2)
    """
    index = {name: i for i, name in enumerate(dict.fromkeys(documents))}
    if len(index) < 2:
        return Unscored("fewer than two documents")
    by_document = np.zeros((len(index), *moments.shape[1:]))
    np.add.at(by_document, [index[name] for name in documents], moments)
    total = by_document.sum(axis=0)
    found = _partial(total)
    if isinstance(found, Unscored):
        return found
    left_out = [_partial(total - own) for own in by_document]
    if any(isinstance(one, Unscored) for one in left_out):
        return Unscored("one document alone decides")
    correlation, coefficient = found
    scaled = np.array([_fisher(one[0]) for one in left_out if not isinstance(one, Unscored)])
    n = len(scaled)
    error = math.sqrt((n - 1) / n * float(np.sum((scaled - scaled.mean()) ** 2)))
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    centre = _fisher(correlation)
    return Tracking(correlation, math.tanh(centre - half), math.tanh(centre + half), coefficient, n, level)


def _fisher(correlation: float) -> float:
    return math.atanh(max(-_CERTAIN, min(_CERTAIN, correlation)))


def _partial(total: Float64) -> tuple[float, float] | Unscored:
    """Partial correlation and coefficient from summed moments."""
    ends = [0, len(total) - 1]
    between = slice(1, len(total) - 1)
    own = total[np.ix_(ends, ends)]
    left = own
    if len(total) > 2:
        # Scaled to unit sums of squares, so that what is dependent is told by size.
        scale = np.sqrt(np.maximum(np.diag(total)[between], np.finfo(float).tiny))
        inner, outer = total[between, between] / np.outer(scale, scale), total[between][:, ends] / scale[:, None]
        left = own - outer.T @ np.linalg.lstsq(inner, outer, rcond=1e-12)[0]
    for place, what in enumerate(("the forecast", "the known model")):
        if left[place, place] <= _NOTHING * own[place, place]:
            return Unscored(f"the explanations leave nothing of {what}")
    correlation = float(left[0, 1] / math.sqrt(left[0, 0] * left[1, 1]))
    return max(-1.0, min(1.0, correlation)), float(left[0, 1] / left[1, 1])
