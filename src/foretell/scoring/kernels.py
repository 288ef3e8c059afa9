"""Every metric of a row in one go: fused, vectorised, parallel over rows, with no full-size temporaries.

Single precision in, double-precision sums out. Three things make that enough (design/0002-one-pass-kernel.md):
`exp` and `log` are polynomials accurate to about 1e-7; logarithms are taken of ratios between 1 and 2 only, so none
loses digits to its own size; and each divergence is summed in a form whose terms are of second order in the
difference of the two distributions where that is small, so rounding does not cancel.

Written for the vectoriser of LLVM, which wants: slices given to small functions, integer keys for a running maximum
(not floats), `min` and `max` rather than branches, and error_model='numpy' where there is a division.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, prange

#: Columns of the kernel's result.
KL, ABS, TV, JS, TOP1, TOPK_RMSE, ENTROPY, EXPECTED_BYTES = range(8)
COLUMNS = 8

#: NaN has been refused before; infinities are meant and kept. Sums may be reordered, other arithmetic may not.
_KEPT = {"contract", "nsz", "nnan"}
_SUMS = _KEPT | {"reassoc"}
_STRIP = 4096  # elements summed in single precision, in 64 lanes, before they join a double
_SEARCH = 256  # elements passed over at once when none is among the top


def _fit(function: Callable[[Any], Any], low: float, high: float, degree: int) -> tuple[np.float32, ...]:
    """Coefficients, lowest power first, of the polynomial through the Chebyshev nodes of [low, high].

    That is within a small factor of the best polynomial of the degree.
    """
    nodes = np.polynomial.Chebyshev.interpolate(function, deg=degree, domain=[low, high])
    return tuple(np.float32(c) for c in nodes.convert(kind=np.polynomial.Polynomial).coef)


_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_LOG2 = np.float32(np.log(2))
_LOG2E = np.float32(1 / np.log(2))
_LN2_HI = np.float32(0.693359375)  # Cody and Waite's split of ln 2: the product with an exponent is exact
_LN2_LO = np.float32(-2.12194440e-4)
_EXP_LOWEST = np.float32(-87.0)  # below, exp is subnormal in single precision and counts as 0
_TO_INTEGER = np.float32(1.5 * 2**23)  # added to a small float, it leaves the nearest integer in the low bits
_BIAS = np.int32(127 << 23)  # of a float32's exponent
_TINY = np.float32(1.2e-38)  # the smallest normal float32, so that 0/0 is 0
_FINITE = np.float32(1000)  # more than any log-ratio of two normal float32, so that 0·∞ is 0
_SMALL = np.float32(0.25)  # log-ratios below go through a series

#: (exp(r) − 1 − r) / r², on half a power of two to either side; 4e-7 of exp at most.
_E2, _E3, _E4, _E5 = _fit(lambda r: (np.expm1(r) - r) / r**2, -np.log(2) / 2, np.log(2) / 2, 3)
#: 2 artanh(x) / x in x², for x up to ⅓; 2e-7 of the logarithm at most.
_A0, _A1, _A2, _A3 = _fit(lambda u: 2 * np.arctanh(np.sqrt(u)) / np.sqrt(u), 0, 1 / 9, 3)
#: (exp(−d) − 1 + d) / d², for |d| up to _SMALL; 3e-8 of it at most. Degree 4 has a node at 0, where it is ½.
_K0, _K1, _K2, _K3, _K4 = _fit(
    lambda d: np.where(np.abs(d) < 1e-6, 0.5, (np.expm1(-d) + d) / np.where(d == 0, 1, d) ** 2), -0.25, 0.25, 4
)
#: Twice a token's part of the JS divergence, over (p+q) d²: 1/8 − d²/64 + d⁴/576 − …; 4e-7 of it at most.
_J0, _J1, _J2 = np.float32(1 / 8), np.float32(1 / 64), np.float32(1 / 576)


@njit(fastmath=_KEPT, error_model="numpy")
def _exp(x: Any) -> Any:
    """Exp of a float32 in [-87, 0], 0 below: a polynomial on [-ln2/2, ln2/2], scaled by a power of two."""
    shifted = x * _LOG2E + _TO_INTEGER
    n = shifted - _TO_INTEGER
    r = x - n * _LN2_HI - n * _LN2_LO
    y = ((_E5 * r + _E4) * r + _E3) * r + _E2
    y = (y * r + _ONE) * r + _ONE
    scale = np.int32((np.float32(shifted).view(np.int32) << np.int32(23)) + _BIAS).view(np.float32)
    return y * scale if x >= _EXP_LOWEST else _ZERO


@njit(fastmath=_KEPT, error_model="numpy")
def _log_sum_over_larger(small: Any, large: Any) -> Any:
    """log(1 + small/large) for 0 ≤ small ≤ large, as 2 artanh(small / (2·large + small))."""
    x = small / (large + large + small)
    u = x * x
    return (((_A3 * u + _A2) * u + _A1) * u + _A0) * x


@njit(fastmath=_KEPT)
def _minus(x: Any, high: Any, low: Any) -> Any:
    """The difference x − (high + low), where high + low has more digits than a float32."""
    return (x - high) - low


@njit
def _maximum(row: Any) -> Any:
    """Largest entry: as integers, positive floats sort upwards and negative ones downwards."""
    largest, smallest = np.int32(-(2**31)), np.int32(2**31 - 1)
    for j in range(row.shape[0]):
        bits = np.float32(row[j]).view(np.int32)
        largest, smallest = max(largest, bits), min(smallest, bits)
    return np.int32(largest if largest >= 0 else smallest).view(np.float32)


@njit
def _maxima(row: Any, maxima: Any) -> Any:
    """Maximum of each run of _SEARCH entries into `maxima`; returns the row's."""
    for run in range(maxima.shape[0]):
        maxima[run] = _maximum(row[run * _SEARCH : (run + 1) * _SEARCH])
    return _maximum(maxima)


@njit
def _insert(row: Any, start: int, stop: int, values: Any, indices: Any) -> None:
    """Sort entries start to stop into the largest so far, ties by the lower index; index -1 is an empty place."""
    last = values.shape[0] - 1
    for j in range(start, stop):
        if row[j] > values[last] or indices[last] < 0:
            place = last
            while place > 0 and (indices[place - 1] < 0 or row[j] > values[place - 1]):
                values[place], indices[place] = values[place - 1], indices[place - 1]
                place -= 1
            values[place], indices[place] = row[j], j


@njit
def _top_indices(row: Any, maxima: Any, indices: Any) -> None:
    """Write the indices of the k largest entries; runs below the k-th largest maximum of a run can have none."""
    values = np.full(indices.shape[0], -np.inf, np.float32)
    indices[:] = -1
    _insert(maxima, 0, maxima.shape[0], values, indices)
    least = values[-1]  # -inf where there are fewer than k runs
    values[:] = -np.inf
    indices[:] = -1
    for run in range(maxima.shape[0]):
        if maxima[run] >= least:
            _insert(row, run * _SEARCH, min((run + 1) * _SEARCH, row.shape[0]), values, indices)


@njit(fastmath=_SUMS)
def _exp_strip(row: Any, shift: Any, out: Any) -> Any:
    total = _ZERO
    for j in range(row.shape[0]):
        y = _exp(row[j] - shift)
        out[j] = y
        total += y
    return total


@njit
def _exp_into(row: Any, shift: Any, out: Any) -> float:
    """Out = exp(row − shift); returns the sum."""
    total = 0.0
    for start in range(0, row.shape[0], _STRIP):
        part = slice(start, start + _STRIP)
        total += _exp_strip(row[part], shift, out[part])
    return total


@njit(fastmath=_SUMS, error_model="numpy")
def _sums_strip(p_row: Any, p_exp: Any, q_row: Any, q_exp: Any, lengths: Any, norms: Any) -> Any:
    """The sums over one strip in single precision: KL, drift (part of KL), ABS, 2·TV, 2·JS, ENTROPY, EXPECTED_BYTES."""
    p_factor, p_high, p_low, q_factor, q_high, q_low, share, log_share = norms
    least = max(share, _TINY)
    kl = drift = absolute = tv = js = entropy = length = _ZERO
    for j in range(p_row.shape[0]):
        p, unfloored = p_exp[j] * p_factor, q_exp[j] * q_factor
        q = unfloored + share
        log_p = _minus(p_row[j], p_high, p_low) if p > _ZERO else _ZERO
        log_q = max(_minus(q_row[j], q_high, q_low), log_share)
        log_q += _log_sum_over_larger(min(unfloored, share), max(unfloored, least))
        d = log_p - log_q if p > _ZERO else _ZERO
        near = abs(d) < _SMALL and p > _ZERO
        # p (e^-d − 1 + d) near, q − p + p·d else: either sums to the divergence, since Σp = Σq = 1. The differences
        # q − p have a sum of their own, where the many small ones are not lost beside a large p·d.
        series = (((_K4 * d + _K3) * d + _K2) * d + _K1) * d + _K0
        kl += p * d * (d * series if near else _ONE)
        drift += _ZERO if near else q - p
        absolute += abs(p * d)
        tv += abs(q - p)
        # p log(p/m) + q log(q/m) with m = (p+q)/2, by log(larger/m) = log 2 − log(1 + smaller/larger).
        smaller, larger = min(p, q), max(p, q)
        to_larger = _LOG2 - _log_sum_over_larger(smaller, max(larger, _TINY))
        square = d * d
        slight = square * (_J0 - square * (_J1 - square * _J2))
        js += (p + q) * (slight if near else to_larger) - (_ZERO if near else smaller * min(abs(d), _FINITE))
        entropy -= p * log_p
        length += p * lengths[j]
    return kl, drift, absolute, tv, js, entropy, length


@njit
def _sums(p_row: Any, p_exp: Any, q_row: Any, q_exp: Any, lengths: Any, norms: Any, out: Any) -> None:
    """Sum the metrics over the vocabulary.

    Args:
        p_row, q_row: the stored values of truth and forecast.
        p_exp, q_exp: exp of them, up to factors.
        norms: as float32: the factor of p_exp, and the log normaliser of p_row in two parts; the same for the
            forecast, times 1 − ε; the floor's share of each token, and its logarithm.
    """
    out[:] = 0
    for start in range(0, p_row.shape[0], _STRIP):
        part = slice(start, start + _STRIP)
        sums = _sums_strip(p_row[part], p_exp[part], q_row[part], q_exp[part], lengths[part], norms)
        out[KL] += np.float64(sums[0]) + sums[1]
        out[ABS] += sums[2]
        out[TV] += sums[3] / 2
        out[JS] += sums[4] / 2
        out[ENTROPY] += sums[5]
        out[EXPECTED_BYTES] += sums[6]


@njit
def _split(x: float) -> Any:
    """A double as a float32 and the float32 that is missing."""
    high = np.float32(x)
    return high, np.float32(x - high)


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
    share = floor / vocabulary
    workers = min(rows, 64)
    for worker in prange(workers):
        p_exp, q_exp = np.empty(vocabulary, np.float32), np.empty(vocabulary, np.float32)
        p_maxima = np.empty((vocabulary + _SEARCH - 1) // _SEARCH, np.float32)
        q_maxima = np.empty_like(p_maxima)
        p_best, q_best = np.empty(top_k, np.int64), np.empty(1, np.int64)
        for i in range(worker * rows // workers, (worker + 1) * rows // workers):
            p_top, q_top = _maxima(truth[i], p_maxima), _maxima(forecast[i], q_maxima)
            p_sum = _exp_into(truth[i], p_top, p_exp)
            q_sum = _exp_into(forecast[i], q_top, q_exp) / (1 - floor)
            log_zp, log_zq = p_top + np.log(p_sum), q_top + np.log(q_sum)
            (p_high, p_low), (q_high, q_low) = _split(log_zp), _split(log_zq)
            p_norms = (np.float32(1 / p_sum), p_high, p_low)
            q_norms = (np.float32(1 / q_sum), q_high, q_low, np.float32(share), np.float32(np.log(share)))
            _sums(truth[i], p_exp, forecast[i], q_exp, lengths, p_norms + q_norms, out[i])
            _top_indices(truth[i], p_maxima, p_best)
            _top_indices(forecast[i], q_maxima, q_best)
            out[i, TOP1] = 1.0 if p_best[0] == q_best[0] else 0.0
            squares = 0.0
            for place in range(top_k):
                j = p_best[place]
                squares += (truth[i, j] - log_zp - np.log(np.exp(forecast[i, j] - log_zq) + share)) ** 2
            out[i, TOPK_RMSE] = np.sqrt(squares / top_k)
