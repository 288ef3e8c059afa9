"""Several next-token distributions as one, exactly: pools, best of n draws, a draft that is verified; pure functions.

Everything is in natural-log probabilities of shape (positions, vocabulary), float64, rows normalised; -inf is
probability zero. Nothing is sampled: each function gives the distribution of the token that a sampler would end with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Logs = NDArray[np.float64]
#: Where n·r is below e to this, 1 − (1 − r)ⁿ is n·r in double precision.
_LINEAR_BELOW = -36.0


def log_normalised(logits: NDArray[np.floating]) -> Logs:
    """Rows minus their log-sum-exp: (rows, vocabulary), float64. A row of -inf only becomes NaN.

    >>> np.exp(log_normalised(np.array([[0.0, np.log(3.0)]]))).round(6).tolist()
    [[0.25, 0.75]]
    """
    wide = np.asarray(logits, np.float64)
    wide = wide - wide.max(axis=1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(axis=1, keepdims=True)))


def linear_pool(logs: Sequence[Logs], weights: Sequence[float]) -> Logs:
    """Log of the weighted mean of probabilities.

    Args:
        logs: log-probabilities of each member, (positions, vocabulary).
        weights: sum to 1.

    >>> np.exp(linear_pool([np.log([[0.5, 0.5]]), np.log([[0.1, 0.9]])], [0.5, 0.5])).round(6).tolist()
    [[0.3, 0.7]]
    """
    result = np.full(logs[0].shape, -np.inf)
    for log, weight in zip(logs, weights, strict=True):
        if weight > 0:
            np.logaddexp(result, log + np.log(weight), out=result)
    return result


def logarithmic_pool(logs: Sequence[Logs], weights: Sequence[float]) -> Logs:
    """Weighted mean of log-probabilities, normalised; NaN where members with weight rule out each other's tokens.

    >>> np.exp(logarithmic_pool([np.log([[0.5, 0.5]]), np.log([[0.1, 0.9]])], [0.5, 0.5])).round(6).tolist()
    [[0.25, 0.75]]
    """
    total = np.zeros(logs[0].shape)
    for log, weight in zip(logs, weights, strict=True):
        if weight > 0:
            total += weight * log
    with np.errstate(invalid="ignore"):  # rows of -inf only: the caller's error
        return log_normalised(total)


def best_of_n(logs: Logs, scores: NDArray[np.floating], n: int) -> Logs:
    """Distribution of the draw with the highest score, of n independent draws from p.

    With F(s) = P(score ≤ s) and m(s) = P(score = s) of one draw, the best of n draws has score s with probability
    F(s)ⁿ − (F(s) − m(s))ⁿ. Draws of the same score are as likely to be kept as p has them: one of the draws is kept
    by position, not by token, so the tokens of one score share its probability in proportion to p.

    Args:
        logs: log p, (positions, vocabulary).
        scores: of every token, (positions, vocabulary); -inf is the lowest, equal numbers are ties.
        n: how many draws; 1 gives p.

    Raises:
        ValueError: n below 1, other shapes, or a score that is NaN.

    Source: order statistics of a discrete distribution (David & Nagaraja 2003, section 2.4).

    >>> p, scores = np.log([[0.5, 0.3, 0.2]]), np.array([[1.0, 2.0, 2.0]])
    >>> np.exp(best_of_n(p, scores, 2)).round(6).tolist()
    [[0.25, 0.45, 0.3]]
    """
    if n < 1 or logs.shape != scores.shape or np.isnan(scores).any():
        raise ValueError(f"n {n}, shapes {logs.shape} and {scores.shape}, or a score that is no number")
    order = np.argsort(scores, axis=1, kind="stable")
    p, ranked = np.take_along_axis(logs, order, 1), np.take_along_axis(scores, order, 1)
    first = np.ones(p.shape, bool)  # the first token of each score
    first[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, p.size))
    up_to = np.logaddexp.accumulate(p, axis=1)
    up_to -= up_to[:, -1:]
    log_f = up_to.ravel()[starts + lengths - 1]  # log F at each score
    log_m = np.logaddexp.reduceat(p.ravel(), starts)
    kept = n * log_f + _log_any(np.minimum(_less(log_m, log_f), 0.0), n)
    result = np.empty_like(p)
    np.put_along_axis(result, order, p + np.repeat(_less(kept, log_m), lengths).reshape(p.shape), 1)
    return result


def _less(a: Logs, b: Logs) -> Logs:
    """Difference a − b, and -inf where b is -inf: a share of nothing."""
    return np.asarray(np.subtract(a, b, out=np.full(a.shape, -np.inf), where=np.isfinite(b)))


def _log_any(log_r: Logs, n: int) -> Logs:
    """log(1 − (1 − r)ⁿ), the chance that at least one of n draws is of probability r, exact for the smallest r."""
    with np.errstate(divide="ignore"):  # r = 1, and r = 0
        exact = np.log(-np.expm1(n * np.log1p(-np.exp(log_r))))
    linear = np.log(n) + log_r
    return np.asarray(np.where(linear < _LINEAR_BELOW, linear, exact))


def draft_and_verify(draft: Logs, verifier: Logs, lenience: float = 1.0) -> Logs:
    """Distribution of the next token of speculative sampling: the draft's token if accepted, else one drawn anew.

    A token x is drawn from the draft q and accepted with probability min(1, p(x) / (l·q(x))), p being the verifier
    and l the lenience; a rejected one is replaced by a draw from (p − q)₊ / Σ (p − q)₊. So x is the outcome with
    probability

        min(q(x), p(x)/l) + ρ · (p(x) − q(x))₊ / Σ (p − q)₊   with   ρ = Σ (q − p/l)₊, the chance of a rejection.

    With l = 1, ρ = Σ (q − p)₊ = Σ (p − q)₊, and the sum is min(q, p) + (p − q)₊ = p: the verifier itself, whatever
    the draft. With l < 1 the draft shows through; no token becomes likelier than p(x)/l, because ρ ≤ Σ (p − q)₊, so
    that where p > q the sum is at most q + (p − q) = p. As l falls to 0 everything is accepted, and the outcome is
    the draft. How many tokens are drafted at once changes the speed and not this distribution.

    Args:
        draft: log q, (positions, vocabulary).
        verifier: log p, the same shape.
        lenience: l, above 0 and at most 1.

    Raises:
        ValueError: a lenience outside that, or other shapes.

    Source: Leviathan, Kalman & Matias 2023, "Fast Inference from Transformers via Speculative Decoding", Algorithm 1
    and appendix A.5. The appendix changes the comparison only, so the replacement is drawn as in Algorithm 1.

    >>> q, p = np.log([[0.8, 0.2]]), np.log([[0.4, 0.6]])
    >>> [np.exp(draft_and_verify(q, p, l)).round(6).tolist() for l in (1.0, 0.8, 0.5)]
    [[[0.4, 0.6]], [[0.5, 0.5]], [[0.8, 0.2]]]
    """
    if not 0 < lenience <= 1 or draft.shape != verifier.shape:
        raise ValueError(f"lenience {lenience}, shapes {draft.shape} and {verifier.shape}")
    raised = verifier - np.log(lenience)
    with np.errstate(divide="ignore"):  # nothing is rejected, or nothing is left to draw from
        rejected = np.log(_excess(draft, raised).sum(axis=1, keepdims=True))
        spare = _excess(verifier, draft)
        total = np.log(spare.sum(axis=1, keepdims=True))
        share = np.minimum(_less(rejected, total), 0.0)
        return np.asarray(np.logaddexp(np.minimum(draft, raised), share + np.log(spare)))


def _excess(a: Logs, b: Logs) -> Logs:
    """(eᵃ − eᵇ)₊, exact where the two are close."""
    gap = np.minimum(_less(b, a), 0.0)
    return np.asarray(-np.exp(a) * np.expm1(gap))
