"""How many bits can pass: released log-probabilities as a noisy channel, and the most that it can carry.

A model's log-probabilities, less the mean of each position and of each token, are X = H·Wᵀ: states of the positions
times rows of the output layer, so X has few singular values sᵢ. A rule releases Y = X + noise of variance σ² an
entry. Whoever knows W and the covariance of the states learns of each position's state at most

    state bits = ½ Σ log₂(1 + sᵢ² / (n·σ²)),

because no signal of that covariance tells more through Gaussian noise than a Gaussian one. Turned round, whoever
knows the states learns of each token's row of W at most ½ Σ log₂(1 + sᵢ² / (V·σ²)), and of W V times that. And
whoever knows neither learns at most n times the first and V times the second, if states and rows are independent
beforehand: I(H, W; Y) = I(H; Y | W) + I(W; Y) ≤ I(H; Y | W) + I(W; Y | H).

Source: Cover & Thomas 2006, theorem 8.6.5 (Gaussian maximises entropy) and section 9.4 (parallel Gaussian channels).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Interval, Unscored

Float64 = NDArray[np.float64]
#: What h(uniform) lacks to h(Gaussian) of the same variance: ½·log₂(2πe/12) bits a number.
SHAPE_BITS = 0.5 * math.log2(2 * math.pi * math.e / 12)
#: Under the singular values there is a floor if the lower half of them is no larger than this, in nats an entry:
#: float32 arithmetic of models makes 1e-6 to 1e-5.
_ROUNDING_FLOOR = 1e-4
#: Singular values that count, in multiples of the largest that the numbers' own noise makes.
_ABOVE_NOISE = 10.0
#: Groups of documents that are left out in turn, and the normal quantile of the bounds made from them.
_GROUPS, _NORMAL = 10, 1.9600
_TOKENS_AT_ONCE, _NUMBERS_AT_ONCE = 4096, 2**22


@dataclass(frozen=True)
class Signal:
    """The singular values of centred log-probabilities, squared.

    Attributes:
        squares: sᵢ², descending; 0 where they are the numbers' own noise.
        positions, tokens: n and V.
        floor_nats: standard deviation an entry of what the lower half of the singular values holds.
    """

    squares: Float64
    positions: int
    tokens: int
    floor_nats: float

    def state_bits(self, variance: float) -> float:
        """Bits about one position's state, at most, through noise of that variance an entry."""
        return _parallel_bits(self.squares / self.positions, variance)

    def layer_bits(self, variance: float) -> float:
        """Bits about the whole output layer, at most, from all these positions."""
        return self.tokens * _parallel_bits(self.squares / self.tokens, variance)


def _parallel_bits(variances: Float64, noise: float) -> float:
    """½ Σ log₂(1 + vᵢ/σ²): parallel Gaussian channels.

    >>> _parallel_bits(np.array([3.0, 15.0]), 1.0)
    3.0
    """
    return float(0.5 * np.log2(1 + variances / noise).sum())


def gram(rows: NDArray[np.floating]) -> Float64:
    """Inner products (positions, positions) of rows that are centred over the vocabulary first, in double precision.

    Args:
        rows: finite log-probabilities (positions, vocabulary).
    """
    total = np.zeros((len(rows), len(rows)))
    means = rows.mean(axis=1, keepdims=True, dtype=np.float64)
    for start in range(0, rows.shape[1], _TOKENS_AT_ONCE):
        part = rows[:, start : start + _TOKENS_AT_ONCE].astype(np.float64) - means
        total += part @ part.T
    return total


def signal(products: Float64, tokens: int) -> Signal:
    """The singular values of the rows behind a Gram matrix, centred over positions.

    What the lower half of the singular values holds is noise of the numbers themselves. Singular values below ten
    times the largest that so much white noise makes count as noise too (float32 arithmetic is not white), and so do
    those below what rounding of the Gram matrix makes.

    Source of that edge: √V·σ·(1 + √(n/V)) (Marchenko & Pastur 1967).

    >>> rng = np.random.default_rng(0)
    >>> found = signal(gram(rng.normal(size=(60, 3)) @ rng.normal(size=(3, 400))), 400)
    >>> int((found.squares > 0).sum()), found.floor_nats < 1e-6
    (3, True)
    """
    n = len(products)
    centred = products - products.mean(axis=0)
    centred -= centred.mean(axis=1, keepdims=True)
    squares = np.maximum(np.linalg.eigvalsh(centred)[::-1], 0.0)
    floor = float(squares[n // 2 :].mean() / tokens) if n > 1 else 0.0
    edge = tokens * floor * (1 + math.sqrt(n / tokens)) ** 2
    noise = max(_ABOVE_NOISE**2 * edge, n * np.finfo(np.float64).eps * float(squares[0]))
    return Signal(np.where(squares > noise, squares, 0.0), n, tokens, math.sqrt(floor))


@dataclass(frozen=True)
class Bits:
    """An upper bound in bits, with approximate bounds over draws of documents (grouped jackknife).

    Attributes:
        bits: the most, or why it is not known.
        bounds: of that number.
    """

    bits: float | Unscored
    bounds: Interval | Unscored

    def record(self) -> dict[str, Any]:
        """For JSON."""
        if isinstance(self.bits, Unscored):
            return {"unscored": self.bits.reason}
        if isinstance(self.bounds, Unscored):
            return {"at_most": self.bits, "bounds": {"unscored": self.bounds.reason}}
        return {"at_most": self.bits, "lo": self.bounds.lo, "hi": self.bounds.hi}


@dataclass(frozen=True)
class Channel:
    """The signal of sampled positions, whole and with each group of documents left out.

    Attributes:
        precise_nats: standard deviation of the rounding that the numbers themselves are stored with.
    """

    whole: Signal
    without: tuple[Signal, ...]
    precise_nats: float

    @property
    def trouble(self) -> Unscored | None:
        """Why no signal is told from the numbers' own noise, or None where one is."""
        allowed = max(_ROUNDING_FLOOR, 3 * self.precise_nats)
        if self.whole.floor_nats <= allowed:
            return None
        return Unscored(
            f"the lower half of the {self.whole.positions:,} positions' singular values still holds "
            f"{self.whole.floor_nats:.2g} nats an entry: fewer positions than twice the width, or no output layer"
        )

    def state_bits(self, variance: float) -> Bits:
        """Bits about one position's state, at most."""
        return self._bits([one.state_bits(variance) for one in (self.whole, *self.without)])

    def layer_bits(self, variance: float) -> Bits:
        """Bits about the output layer, at most, from the sampled positions."""
        return self._bits([one.layer_bits(variance) for one in (self.whole, *self.without)])

    def _bits(self, values: Sequence[float]) -> Bits:
        return Bits(self.trouble, self.trouble) if self.trouble else Bits(values[0], jackknife(values[0], values[1:]))


def open_channel(rows: NDArray[np.floating], documents: Sequence[str], precise_nats: float) -> Channel:
    """Measure the signal in log-probabilities.

    Args:
        rows: (positions, vocabulary); tokens with probability zero somewhere are left out.
        documents: of each position; groups of them are left out in turn for the bounds.
        precise_nats: standard deviation of the rounding that the rows are stored with.
    """
    finite = np.isfinite(rows).all(axis=0)
    products, tokens = gram(rows if finite.all() else rows[:, finite]), int(finite.sum())
    without = [signal(products[np.ix_(kept, kept)], tokens) for kept in left_out(documents)]
    return Channel(signal(products, tokens), tuple(without), precise_nats)


def left_out(documents: Sequence[str]) -> list[NDArray[np.intp]]:
    """For each group of documents, the places that are left when it is gone; none for fewer than two documents.

    >>> [kept.tolist() for kept in left_out(["a", "b", "a"])]
    [[1], [0, 2]]
    """
    _, index = np.unique(np.asarray(documents), return_inverse=True)
    groups = min(_GROUPS, int(index.max()) + 1) if len(index) else 0
    return [np.flatnonzero(index % groups != group) for group in range(groups)] if groups > 1 else []


def jackknife(whole: float, without: Sequence[float]) -> Interval | Unscored:
    """Approximate 95% bounds of a figure from its values with each group left out.

    Source: the delete-a-group jackknife, variance (g − 1)/g · Σ (θ₋ᵢ − mean)² (Efron & Tibshirani 1993, chapter 11).

    >>> jackknife(2.0, [2.0, 2.0, 2.0])
    Interval(lo=2.0, hi=2.0)
    """
    if len(without) < 2:
        return Unscored("fewer than two documents")
    values = np.asarray(without)
    half = _NORMAL * math.sqrt((len(values) - 1) / len(values) * float(((values - values.mean()) ** 2).sum()))
    return Interval(max(0.0, whole - half), whole + half)


def rounding_variance(values: NDArray[np.floating], dtype: str, scale: float = 1.0) -> float:
    """Mean variance of what storing finite values times a scale in a binary precision adds: spacing²/12.

    >>> rounding_variance(np.array([-1.5]), "float16") == (2**-10) ** 2 / 12
    True
    """
    flat, total, count = values.reshape(-1), 0.0, 0
    for start in range(0, len(flat), _NUMBERS_AT_ONCE):
        part = flat[start : start + _NUMBERS_AT_ONCE]
        part = np.abs(scale * part[np.isfinite(part)]).astype(dtype)
        total += float(np.sum(np.spacing(part).astype(np.float64) ** 2))
        count += len(part)
    return total / count / 12


def order_bits(vocabulary: int, k: int) -> float:
    """Bits of naming the k likeliest of a vocabulary in order: log₂(V! / (V − k)!).

    >>> round(order_bits(4, 2), 6) == round(math.log2(12), 6)
    True
    """
    return float(math.lgamma(vocabulary + 1) - math.lgamma(vocabulary - k + 1)) / math.log(2)


def list_bits(listed: Float64, vocabulary: int, variance: float) -> float:
    """Bits that a list of the likeliest tokens carries about a position's state, at most.

    Which tokens and in which order: log₂(V!/(V−k)!). Their log-probabilities and the rest's: those of a Gaussian with
    their covariance through noise of that variance, and what a uniform rounding error lacks to a Gaussian one.

    Args:
        listed: (positions, k + 1) of finite numbers: the listed ones, likeliest first, and the rest's.
    """
    covariance = np.atleast_2d(np.cov(listed, rowvar=False, bias=True))
    numbers = listed.shape[1]
    values = _parallel_bits(np.maximum(np.linalg.eigvalsh(covariance), 0.0), variance) + numbers * SHAPE_BITS
    return float(order_bits(vocabulary, numbers - 1) + values)
