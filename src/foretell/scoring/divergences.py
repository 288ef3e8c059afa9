"""The divergences by their definitions, in double precision: slow, short, and what everything else is checked against.

All take natural-log probabilities (positions, vocabulary), normalised, and return one number a position.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]


def normalised(values: ArrayLike) -> Float64:
    """Log-softmax of each row, float64 (positions, vocabulary).

    >>> np.exp(normalised([[0.0, np.log(3.0)]])).round(2).tolist()
    [[0.25, 0.75]]
    """
    values = np.asarray(values, np.float64)
    shifted = values - values.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def floored(q: ArrayLike, floor: float) -> Float64:
    """The forecast that is scored: log of (1−ε)·q + ε·uniform.

    >>> np.exp(floored(np.log([[0.5, 0.5]]), 0.1)).tolist()
    [[0.5, 0.5]]
    """
    q = np.asarray(q, np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log((1 - floor) * np.exp(q) + floor / q.shape[1]))


def _expected(p: Float64, values: Float64) -> Float64:
    """Σ p·values with 0·∞ = 0."""
    weights = np.exp(p)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(weights > 0, weights * values, 0.0).sum(axis=1))


def _difference(p: Float64, q: Float64) -> Float64:
    with np.errstate(invalid="ignore"):
        return np.asarray(p - q)


def kl_nats(p: ArrayLike, q: ArrayLike) -> Float64:
    """Kullback–Leibler divergence Σ p (log p − log q), in nats: the expected log-probability misprediction.

    Summed as Σ p (e^−d − 1 + d) with d = log p − log q, the same since both sum to 1: no term is negative, so that
    the divergence of nearly equal rows does not drown in rounding.

    Source: Kullback & Leibler 1951.

    >>> kl_nats(np.log([[0.5, 0.5]]), np.log([[0.25, 0.75]])).round(6).tolist()
    [0.143841]
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    d = _difference(p, q)
    near = np.abs(d) < 1  # e^−d may overflow elsewhere, and nothing cancels there
    d_near = np.where(near, d, 0.0)
    weights = np.exp(p)
    close = weights * np.maximum(np.expm1(-d_near) + d_near, 0.0)
    with np.errstate(invalid="ignore"):
        apart = np.exp(q) - weights + np.where(weights > 0, weights * d, 0.0)
    return np.asarray(np.where(near, close, apart).sum(axis=1))


def abs_logprob_nats(p: ArrayLike, q: ArrayLike) -> Float64:
    """Expected absolute log-probability error Σ p |log p − log q|, in nats; at least the KL divergence.

    >>> abs_logprob_nats(np.log([[0.5, 0.5]]), np.log([[0.25, 0.75]])).round(6).tolist()
    [0.549306]
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    return _expected(p, np.abs(_difference(p, q)))


def tv(p: ArrayLike, q: ArrayLike) -> Float64:
    """Total variation distance ½ Σ |p − q|, from 0 to 1.

    >>> tv(np.log([[0.5, 0.5]]), np.log([[0.25, 0.75]])).round(6).tolist()
    [0.25]
    """
    return np.asarray(np.abs(np.exp(np.asarray(p)) - np.exp(np.asarray(q))).sum(axis=1) / 2)


def js_nats(p: ArrayLike, q: ArrayLike) -> Float64:
    """Jensen–Shannon divergence in nats, from 0 to log 2.

    Source: Lin 1991, equation 3.1.

    >>> js_nats(np.log([[1.0, 1e-300]]), np.log([[1e-300, 1.0]])).round(6).tolist()
    [0.693147]
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    middle = np.logaddexp(p, q) - np.log(2)
    return np.asarray((_expected(p, _difference(p, middle)) + _expected(q, _difference(q, middle))) / 2)


def top1_agreement(p: ArrayLike, q: ArrayLike) -> Float64:
    """1 where both have the same likeliest token (ties: the lowest id), else 0.

    >>> top1_agreement(np.log([[0.6, 0.4]]), np.log([[0.9, 0.1]])).tolist()
    [1.0]
    """
    return np.asarray(np.argmax(np.asarray(p), axis=1) == np.argmax(np.asarray(q), axis=1), np.float64)


def topk_logprob_rmse(p: ArrayLike, q: ArrayLike, k: int) -> Float64:
    """Root-mean-square log-probability error over the truth's k likeliest tokens, in nats.

    >>> topk_logprob_rmse(np.log([[0.6, 0.4]]), np.log([[0.3, 0.7]]), k=1).round(6).tolist()
    [0.693147]
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    top = np.argsort(-p, axis=1, kind="stable")[:, :k]
    known, given = np.take_along_axis(p, top, axis=1), np.take_along_axis(q, top, axis=1)
    errors = np.where(known == given, 0.0, _difference(known, given))  # two zeros agree
    return np.asarray(np.sqrt(np.mean(errors**2, axis=1)))


def entropy_nats(p: ArrayLike) -> Float64:
    """Entropy −Σ p log p, in nats.

    >>> entropy_nats(np.log([[0.5, 0.5]])).round(6).tolist()
    [0.693147]
    """
    p = np.asarray(p, np.float64)
    return np.asarray(-_expected(p, p))
