"""Every metric of a row in one go: fused, vectorised, parallel over rows, with no full-size temporaries.

Single precision in, double-precision sums out. Two things make that enough (design/0002-one-pass-kernel.md):
`exp` and `log` are polynomials accurate to about 1e-7, and each divergence is summed in a form whose every term is
non-negative and of second order in the difference of the two distributions, so rounding does not cancel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

#: Columns of the kernel's result.
KL, ABS, TV, JS, TOP1, TOPK_RMSE, ENTROPY, EXPECTED_BYTES = range(8)
COLUMNS = 8

#: Sums may be reordered; NaN has been refused before, infinities are meant and kept.
_FAST = {"reassoc", "contract", "nsz", "arcp", "nnan"}
_STRIP = 4096  # elements summed in single precision, in 64 lanes, before they join a double
_SEARCH = 256  # elements passed over at once when none is among the top

_LOG2E = np.float32(1.44269504)
_LN2_HI = np.float32(0.693359375)  # Cody and Waite's split of ln 2: the product with an exponent is exact
_LN2_LO = np.float32(-2.12194440e-4)
_EXP_LOWEST = np.float32(-87.0)  # below, exp is subnormal in single precision and counts as 0
_SQRT_HALF = np.float32(0.70710678)
_ONE, _HALF = np.float32(1), np.float32(0.5)
_ZERO, _TWO = np.float32(0), np.float32(2)
_SMALL = np.float32(0.25)  # below, differences go through a series


@njit(inline="always")
def _exp(x: Any) -> Any:
    """Exp of a float32 in [-87, 88]; 0 below. Taylor of degree 7 on [-ln2/2, ln2/2], scaled by a power of two."""
    bounded = max(x, _EXP_LOWEST)
    n = np.floor(bounded * _LOG2E + _HALF)
    r = bounded - n * _LN2_HI - n * _LN2_LO
    y = np.float32(1 / 5040)
    y = y * r + np.float32(1 / 720)
    y = y * r + np.float32(1 / 120)
    y = y * r + np.float32(1 / 24)
    y = y * r + np.float32(1 / 6)
    y = y * r + _HALF
    y = y * r + _ONE
    y = y * r + _ONE
    scale = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return y * scale if x >= _EXP_LOWEST else _ZERO


def _log_tail() -> tuple[np.float32, ...]:
    """Polynomial P of degree 8, highest power first, with log(1+f) ≈ f − f²/2 + f³ P(f) on [√½ − 1, √2 − 1].

    Interpolated at the Chebyshev nodes, which is within a small factor of the best polynomial.
    """
    domain = [np.sqrt(0.5) - 1, np.sqrt(2.0) - 1]
    nodes = np.polynomial.Chebyshev.interpolate(
        lambda f: (np.log1p(f) - f + f * f / 2) / f**3, deg=_LOG_DEGREE, domain=domain
    )
    return tuple(np.float32(c) for c in nodes.convert(kind=np.polynomial.Polynomial).coef[::-1])


_LOG_DEGREE = 8
_L8, _L7, _L6, _L5, _L4, _L3, _L2, _L1, _L0 = _log_tail()


@njit(inline="always")
def _log(x: Any) -> Any:
    """Log of a normal positive float32; -inf at 0 and below. x = 2^e (1 + f) with 1 + f in [√½, √2)."""
    bits = np.float32(x).view(np.int32)
    exponent = (bits >> np.int32(23)) - np.int32(126)
    mantissa = np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(np.float32)
    low = mantissa < _SQRT_HALF
    e = np.float32(exponent) - (_ONE if low else _ZERO)
    f = (mantissa + mantissa if low else mantissa) - _ONE
    y = _L8 * f + _L7
    y = y * f + _L6
    y = y * f + _L5
    y = y * f + _L4
    y = y * f + _L3
    y = y * f + _L2
    y = y * f + _L1
    y = y * f + _L0
    y = f * f * (f * y - _HALF) + e * _LN2_LO + f + e * _LN2_HI
    return y if x > _ZERO else np.float32(-np.inf)


@njit(inline="always")
def _order_key(bits: Any) -> Any:
    """An int32 that sorts as the float32 of these bits does; its own inverse."""
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


@njit(fastmath=_FAST, error_model="numpy")
def _maximum(row: Any) -> Any:
    best = np.int32(-(2**31))  # a running maximum of integers is vectorised, one of floats is not
    for j in range(row.shape[0]):
        best = max(best, _order_key(np.float32(row[j]).view(np.int32)))
    return np.int32(_order_key(best)).view(np.float32)


@njit
def _maxima(row: Any, maxima: Any) -> Any:
    """Maximum of each run of _SEARCH entries into `maxima`; returns the row's."""
    for strip in range(maxima.shape[0]):
        maxima[strip] = _maximum(row[strip * _SEARCH : (strip + 1) * _SEARCH])
    return _maximum(maxima)


@njit
def _top_indices(row: Any, maxima: Any, indices: Any) -> None:
    """Write the indices of the largest entries, largest first, ties by the lower index, skipping runs without any."""
    k = indices.shape[0]
    values = np.full(k, -np.inf, np.float32)
    indices[:] = -1
    for strip in range(maxima.shape[0]):
        if maxima[strip] <= values[k - 1] and indices[k - 1] >= 0:
            continue
        for j in range(strip * _SEARCH, min((strip + 1) * _SEARCH, row.shape[0])):
            if row[j] > values[k - 1] or indices[k - 1] < 0:
                place = k - 1
                while place > 0 and (indices[place - 1] < 0 or row[j] > values[place - 1]):
                    values[place], indices[place] = values[place - 1], indices[place - 1]
                    place -= 1
                values[place], indices[place] = row[j], j


@njit(fastmath=_FAST, error_model="numpy")
def _exp_strip(row: Any, shift: Any, out: Any) -> Any:
    total = _ZERO
    for j in range(row.shape[0]):
        y = _exp(row[j] - shift)
        out[j] = y
        total += y
    return total


@njit(error_model="numpy")
def _exp_into(row: Any, shift: Any, out: Any) -> float:
    """Out = exp(row − shift); returns the sum."""
    total = 0.0
    for start in range(0, row.shape[0], _STRIP):
        total += _exp_strip(row[start : start + _STRIP], shift, out[start : start + _STRIP])
    return total


@njit(fastmath=_FAST, error_model="numpy")
def _sums_strip(p_row: Any, p_exp: Any, q_exp: Any, lengths: Any, log_zp: Any, scale: Any) -> Any:
    """The sums over one strip in single precision: KL, ABS, 2·TV, JS, ENTROPY, EXPECTED_BYTES."""
    p_factor, q_factor, share = scale[0], scale[1], scale[2]
    kl = absolute = tv = js = entropy = length = _ZERO
    for j in range(p_row.shape[0]):
        p = p_exp[j] * p_factor
        q = q_exp[j] * q_factor + share
        log_p = p_row[j] - log_zp if p > _ZERO else _ZERO
        log_q = _log(q)
        d = log_p - log_q if p > _ZERO else _ZERO
        # p (e^-d − 1 + d): its sum over the vocabulary is the divergence, since Σp = Σq = 1.
        series = np.float32(1 / 5040)
        series = np.float32(1 / 720) - d * series
        series = np.float32(1 / 120) - d * series
        series = np.float32(1 / 24) - d * series
        series = np.float32(1 / 6) - d * series
        series = _HALF - d * series
        kl += p * d * d * series if abs(d) < _SMALL and p > _ZERO else q - p + p * d
        absolute += p * abs(d)
        tv += abs(p - q)
        # m ((1+x) log(1+x) + (1−x) log(1−x)) / 2 with m = (p+q)/2, x = (p−q)/(p+q).
        both = p + q
        x = (p - q) / both if both > _ZERO else _ZERO
        x2 = x * x
        log_m = _log(both * _HALF)
        q_part = q * (log_q - log_m) if q > _ZERO else _ZERO
        p_part = p * (log_p - log_m) if p > _ZERO else _ZERO
        near = _HALF * both * x2 * (_HALF + x2 * (np.float32(1 / 12) + x2 * np.float32(1 / 30)))
        js += near if abs(x) < _SMALL else _HALF * (p_part + q_part)
        entropy -= p * log_p
        length += p * lengths[j]
    return kl, absolute, tv, js, entropy, length


@njit(error_model="numpy")
def _sums(p_row: Any, p_exp: Any, q_exp: Any, lengths: Any, log_zp: Any, scale: Any, out: Any) -> None:
    """Sum the metrics over the vocabulary.

    Args:
        p_row, p_exp: the truth's stored values and exp of them, up to the factor scale[0].
        log_zp: log normaliser of p_row.
        scale: (factor for p_exp, factor for q_exp, the floor's share of each token).
    """
    out[:] = 0
    for start in range(0, p_row.shape[0], _STRIP):
        part = slice(start, start + _STRIP)
        sums = _sums_strip(p_row[part], p_exp[part], q_exp[part], lengths[part], log_zp, scale)
        out[KL] += sums[0]
        out[ABS] += sums[1]
        out[TV] += sums[2] / 2
        out[JS] += sums[3]
        out[ENTROPY] += sums[4]
        out[EXPECTED_BYTES] += sums[5]


@njit(parallel=True, cache=True, error_model="numpy")
def score_rows(truth: Any, forecast: Any, lengths: Any, floor: float, top_k: int, out: Any) -> None:
    """Score every row of a dense float32 truth against a dense float32 forecast.

    Args:
        truth, forecast: float32 (positions, vocabulary), natural-log probabilities or logits: each row is normalised
            here, in double precision, and -inf is probability zero.
        lengths: float32 (vocabulary,), bytes of text of each token.
        floor: ε of (1−ε)·q + ε·uniform.
        top_k: how many of the truth's likeliest tokens the root-mean-square error grades.
        out: float64 (positions, COLUMNS), filled.
    """
    rows, vocabulary = truth.shape
    workers = min(rows, 64)
    for worker in prange(workers):
        p_exp = np.empty(vocabulary, np.float32)
        q_exp = np.empty(vocabulary, np.float32)
        p_maxima = np.empty((vocabulary + _SEARCH - 1) // _SEARCH, np.float32)
        q_maxima = np.empty_like(p_maxima)
        p_best = np.empty(top_k, np.int64)
        q_best = np.empty(1, np.int64)
        scale = np.empty(3, np.float32)
        for i in range(worker * rows // workers, (worker + 1) * rows // workers):
            p_top, q_top = _maxima(truth[i], p_maxima), _maxima(forecast[i], q_maxima)
            p_sum = _exp_into(truth[i], p_top, p_exp)
            q_sum = _exp_into(forecast[i], q_top, q_exp)
            scale[0], scale[1], scale[2] = 1 / p_sum, (1 - floor) / q_sum, floor / vocabulary
            log_zp = np.float32(p_top + np.log(p_sum))
            _sums(truth[i], p_exp, q_exp, lengths, log_zp, scale, out[i])
            _top_indices(truth[i], p_maxima, p_best)
            _top_indices(forecast[i], q_maxima, q_best)
            out[i, TOP1] = 1.0 if p_best[0] == q_best[0] else 0.0
            squares = 0.0
            for place in range(top_k):
                j = p_best[place]
                log_q = np.log(np.float64(q_exp[j]) * scale[1] + scale[2])
                log_p = truth[i, j] - log_zp
                squares += (log_p - log_q) ** 2 if log_p != log_q else 0.0  # two zeros agree: no inf − inf
            out[i, TOPK_RMSE] = np.sqrt(squares / top_k)
