"""The image of an output layer: the log-probabilities that a model can give at all, and how far others lie from it.

Log-probabilities are z − log Σ exp z · 1 with logits z = s·(W h + b). Less s·b they lie in the span of the columns of
W and of 1, d + 1 dimensions of as many as there are tokens, whatever the model reads and however the layers before
are trained (Finlayson, Ren & Swayamdipta 2024, section 4, "model signature"; they take the logarithm of probabilities
centred, which is the same with 1 projected out). It holds on any subset of the tokens too, the listed ones of a top-k
row for example. With soft-capped logits c·tanh(z/c), the normaliser stands inside a curve: it is solved for, as the
one number that brings the row nearest to the span of W.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foretell.distributions import Head
from foretell.information.fingerprint.precision import FLOAT32_ROUNDOFF, Precision

Float64 = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Rows of the output layer that are held in double precision at once.
_BLOCK_ROWS = 8192
#: The normaliser of soft-capped logits: candidates a round, and rounds, each within two neighbours of the best.
_CANDIDATES, _ROUNDS = 64, 10
#: Roundings of float32 after the dot product: bias, scale, largest logit, normaliser; and of a soft cap.
_OPERATIONS, _CAP_OPERATIONS = 4, 4


@dataclass(frozen=True)
class Distance:
    """How far one position lies from an image, as root sums of squares over its tokens.

    Attributes:
        residual: what the image leaves, in nats (of logits where they are soft-capped).
        threshold: the most that rounding and float32 arithmetic leave of a position that lies in the image.
        unrelated: what the same numbers leave with their tokens shuffled: a model that has nothing to do with this.
        spread: of the numbers around their mean.
        tokens: how many there are.
        freedom: dimensions outside the image.
    """

    residual: float
    threshold: float
    unrelated: float
    spread: float
    tokens: int
    freedom: int


def columns_of(head: Head) -> int:
    """The most dimensions that the image of a layer has: its width, and one for the normaliser."""
    return int(head.weight.shape[1]) + 1


def distance(
    head: Head, logprobs: NDArray[np.floating], tokens: Indices, precision: Precision, rng: np.random.Generator
) -> list[Distance] | str:
    """How far each position's log-probabilities lie from an output layer's image; words where they cannot.

    A right model's residual is under the threshold, as projecting shortens: each number is off by its half step at
    most, and float32 dot products of length d by √d·u·Σ|w·h|, with rounding errors that average to zero.

    Args:
        logprobs: (positions, tokens), finite.
        tokens: their ids, (tokens,).

    Source: Finlayson, Ren & Swayamdipta 2024, section 4; Higham & Mary 2019, theorem 3.1 (λ = 1) for dot products.

    >>> rng = np.random.default_rng(0)
    >>> right, wrong = (Head(rng.normal(size=(300, 20)).astype(np.float32)) for _ in range(2))
    >>> logits = right.logits(rng.normal(size=(1, 20)))
    >>> logprobs = logits - np.log(np.exp(logits.astype(float)).sum())
    >>> found = [distance(h, logprobs, np.arange(300), Precision(23), rng)[0] for h in (right, wrong)]
    >>> [one.residual <= one.threshold for one in found]
    [True, False]
    """
    values = np.asarray(logprobs, np.float64)
    if head.softcap:
        return _capped_distance(head, values, tokens, precision, rng)
    steps = precision.half_steps(logprobs)
    offset = 0.0 if head.bias is None else head.scale * head.bias[tokens].astype(np.float64)
    own = values - offset
    shuffled = rng.permuted(own, axis=1)
    residual, hidden = _project(head, np.concatenate([own, shuffled]), tokens, constant=True)
    count = len(values)
    threshold = _threshold(head, hidden[:count], tokens, steps, np.ones_like(steps))
    return _distances(head, [residual[:count], threshold, residual[count:], _spread(own)], len(tokens))


def _spread(values: Float64) -> Float64:
    return np.asarray(np.linalg.norm(values - values.mean(axis=1, keepdims=True), axis=1))


def _distances(head: Head, parts: ArrayLike, tokens: int) -> list[Distance]:
    freedom = max(0, tokens - columns_of(head))
    return [
        Distance(float(residual), float(threshold), float(unrelated), float(spread), tokens, freedom)
        for residual, threshold, unrelated, spread in np.asarray(parts).T
    ]


def _blocks(head: Head, tokens: Indices) -> Iterator[tuple[slice, Float64]]:
    for start in range(0, len(tokens), _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        yield part, head.scale * head.weight[tokens[part]].astype(np.float64)


def _project(head: Head, values: Float64, tokens: Indices, *, constant: bool) -> tuple[Float64, Float64]:
    """Residual norms (rows,) and coefficients (rows, columns) of least squares on the image.

    A QR decomposition of the layer beside the values, a block of tokens at a time: its triangle is all that is kept,
    and the values' own corner of it has the residuals' norms.

    Source: Golub & Van Loan 2013, section 5.3 (the augmented matrix); Demmel et al. 2012 for the blocks.
    """
    width = head.weight.shape[1]
    triangle = np.empty((0, width + constant + len(values)))
    for part, weight in _blocks(head, tokens):
        ones = np.ones((len(weight), int(constant)))
        stacked = np.vstack([triangle, np.hstack([weight, ones, values[:, part].T])])
        triangle = np.asarray(np.linalg.qr(stacked, mode="r"))
    columns = width + constant
    residual = np.linalg.norm(triangle[columns:, columns:], axis=0)
    hidden = np.linalg.lstsq(triangle[:columns, :columns], triangle[:columns, columns:], rcond=None)[0]
    return residual, hidden.T


def _threshold(head: Head, hidden: Float64, tokens: Indices, steps: Float64, gain: Float64) -> Float64:
    """The norm of everything that rounding may have added, by row.

    Args:
        steps: half a step of each given number, (rows, tokens).
        gain: how much larger an error becomes on the way to the logits, (rows, tokens).
    """
    width = head.weight.shape[1]
    total = np.zeros(len(hidden))
    for part, weight in _blocks(head, tokens):
        products = np.abs(hidden[:, :width]) @ np.abs(weight).T
        arithmetic = FLOAT32_ROUNDOFF * (math.sqrt(width) + _OPERATIONS) * products
        total += ((arithmetic + gain[:, part] * steps[:, part]) ** 2).sum(axis=1)
    return np.sqrt(total)


def _capped_distance(
    head: Head, values: Float64, tokens: Indices, precision: Precision, rng: np.random.Generator
) -> list[Distance] | str:
    cap = head.softcap
    widest = float(np.ptp(values, axis=1).max())
    if widest >= 2 * cap:
        return f"its logits are capped at ±{cap:g}, and these spread over {widest:.1f} nats"
    offset = 0.0 if head.bias is None else head.scale * head.bias[tokens].astype(np.float64)
    found = []
    for row in values:
        at, residual, hidden = _solve_normaliser(head, row, offset, tokens)
        order = rng.permutation(len(row))
        _, unrelated, _ = _solve_normaliser(head, row[order], offset, tokens)
        gain = 1 / (1 - ((row + at) / cap) ** 2)
        # The cap's own arithmetic: a division, a tanh, a product, and the normaliser.
        steps = precision.half_steps(row) + _CAP_OPERATIONS * FLOAT32_ROUNDOFF * cap
        threshold = _threshold(head, hidden, tokens, steps[None], gain[None])[0]
        found.append((residual, threshold, unrelated, _spread(_uncapped(row[None], at, cap))[0]))
    return _distances(head, np.array(found).T, len(tokens))


def _uncapped(row: Float64, normaliser: float | Float64, cap: float) -> Float64:
    return np.asarray(cap * np.arctanh((row + normaliser) / cap))


def _solve_normaliser(
    head: Head, row: Float64, offset: float | Float64, tokens: Indices
) -> tuple[float, float, Float64]:
    """The normaliser with the least residual, that residual, and its coefficients (1, d)."""
    low, high = -head.softcap - float(row.min()), head.softcap - float(row.max())
    at, residual, hidden = low, math.inf, np.zeros((1, head.weight.shape[1]))
    for _ in range(_ROUNDS):
        candidates = np.linspace(low, high, _CANDIDATES + 2)[1:-1]
        logits = _uncapped(row[None], candidates[:, None], head.softcap) - offset
        residuals, coefficients = _project(head, logits, tokens, constant=False)
        best = int(np.argmin(residuals))
        if residuals[best] < residual:
            at, residual, hidden = float(candidates[best]), float(residuals[best]), coefficients[best][None]
        step = float(candidates[1] - candidates[0])
        low, high = max(low, at - 2 * step), min(high, at + 2 * step)
    return at, residual, hidden
