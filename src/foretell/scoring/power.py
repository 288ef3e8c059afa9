"""What verdicts many resamples of the same documents would get: the betting bounds' decisions, without the bounds.

A bound lies beyond the tolerance exactly when the wealth of betting against the tolerance has reached its threshold
(`confidence.py`), so one evaluation decides, where finding the bound takes sixty. A document that comes k times in a
resample is a factor to the power of k: the work does not grow with the number of prompts that is planned for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from foretell.scoring.confidence import _BETS, _LOG_PRIOR
from foretell.scoring.summary import Losses

Float64 = NDArray[np.float64]
Counts = NDArray[np.int64]
Signs = NDArray[np.int8]


@dataclass(frozen=True)
class Documents:
    """The losses of a run by document, over all prompts or over those of one slice.

    Attributes:
        low, high: weighted mean of the lower and upper ends of each document's prompts, (documents,).
        weights: total weight of each, 0 for documents that have no prompt in the slice.
        cap: the largest loss.
    """

    low: Float64
    high: Float64
    weights: Float64
    cap: float

    @classmethod
    def of(cls, losses: Losses, slice_name: str | None = None) -> Documents:
        """By document, in sorted order of their names: the same order for every slice of the same losses."""
        inside = np.array([slice_name in (None, name) for name in losses.slices])
        _, index = np.unique(np.asarray(losses.clusters), return_inverse=True)
        weights = np.where(inside, losses.weights, 0.0)
        totals = np.bincount(index, weights)
        share = np.where(totals > 0, totals, 1.0)
        low, high = (np.bincount(index, weights * side) / share for side in (losses.lo, losses.hi))
        return cls(low, high, totals.astype(np.float64), losses.cap)

    @property
    def mean(self) -> tuple[float, float]:
        """Weighted mean of the lower and of the upper ends."""
        total = self.weights.sum()
        return float(self.weights @ self.low / total), float(self.weights @ self.high / total)


def decisions(documents: Documents, counts: Counts, tolerance: float, level: float) -> Signs:
    """The decision on each resample: 1 where its bounds pass the tolerance, −1 where they fail it, 0 where neither.

    Args:
        counts: (resamples, documents), how often each document comes.
        tolerance: below the cap.

    Raises:
        ValueError: a tolerance that is not inside (0, cap).

    >>> documents = Documents(np.array([0.1, 0.2]), np.array([0.1, 0.2]), np.ones(2), 1.0)
    >>> decisions(documents, np.array([[1, 1], [90, 90]]), 0.5, 0.95).tolist()
    [0, 1]
    """
    if not 0 < tolerance < documents.cap:
        raise ValueError(f"a tolerance of {tolerance} with a cap of {documents.cap}")
    threshold = math.log(2 / (1 - level))
    there = documents.weights > 0
    counted, weights = np.ascontiguousarray(counts[:, there]), documents.weights[there]
    sizes = counted.sum(axis=1)
    # As in mean_bounds: values are scaled by the largest weight that came, the tolerance also by the mean weight.
    largest = np.where(counted > 0, weights, 0.0).max(axis=1, initial=0.0)
    some = sizes > 0
    scale = np.where(some, 1 / np.where(some, documents.cap * largest, 1.0), 0.0)
    means = tolerance * (counted @ weights) / np.where(some, sizes, 1) * scale
    low, high = (side[there] * weights for side in (documents.low, documents.high))
    fails = some & (_log_wealths(low, counted, scale, means, False, _BETS, _LOG_PRIOR) >= threshold)
    passes = some & (_log_wealths(high, counted, scale, means, True, _BETS, _LOG_PRIOR) >= threshold)
    return np.where(fails, -1, np.where(passes, 1, 0)).astype(np.int8)


@njit(cache=True, error_model="numpy")
def _log_wealths(
    values: Float64, counts: Counts, scale: Float64, means: Float64, mirrored: bool, bets: Float64, log_prior: Float64
) -> Float64:
    """Log wealth of betting that each resample's true mean exceeds `means`; of 1 − x and 1 − mean when mirrored."""
    result = np.empty(len(counts))
    logs = np.empty(len(bets))
    for r in range(len(counts)):
        mean = 1 - means[r] if mirrored else means[r]
        logs[:] = log_prior
        for d in range(len(values)):
            if counts[r, d] == 0:
                continue
            x = min(values[d] * scale[r], 1.0)
            ratio = ((1 - x) if mirrored else x) / mean
            for b in range(len(bets)):
                logs[b] += counts[r, d] * np.log(1 - bets[b] + bets[b] * ratio)
        top = logs.max()
        result[r] = top + np.log(np.sum(np.exp(logs - top)))
    return result
