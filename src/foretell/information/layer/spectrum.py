"""The singular values of centred log-probabilities, with what rounding alone would make of them.

Log-probabilities are logits less a normaliser of each position. Less their mean over the vocabulary they are the
centred logits, whatever the normaliser: logits = H Wᵀ + 1 bᵀ, so centred H W_cᵀ + 1 b_cᵀ, the columns of W_c and b_c
being those of W and b less their means. Their rank is the width, give or take what `hidden_width` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foretell.forecasters.lowrank_algebra import centred
from foretell.information.fingerprint.precision import FLOAT32_ROUNDOFF, Precision, precision_of
from foretell.information.layer.singular_values import Float64, Rows, Sketch, first_rows, noise_edge, triangle

Computed = Literal["float32", "float16", "bfloat16"]

#: What a computation may be off by, as a share of a log-probability: float32 sums of hundreds of products lose up to
#: 4 bits more than one rounding (SmolLM2: 11 times the rounding, tiny: 4), here 6 bits; in half precision the products
#: are summed in float32 and rounded once, here 2 bits.
COMPUTING: Mapping[str, float] = {"float32": 64 * FLOAT32_ROUNDOFF, "float16": 4 * 2.0**-11, "bfloat16": 4 * 2.0**-8}
#: Rows in which the rounding is looked for, and tokens of each, evenly spread: more would take memory and tell no more.
_SAMPLE, _SAMPLE_TOKENS = 64, 4096
#: An error that is uniform over a step has half a step over √3 as its standard deviation.
_UNIFORM = math.sqrt(3)
#: Rounding is not alike for all entries: large log-probabilities have larger steps. Its largest singular value stays
#: below so many times that of even noise (tiny in float16: 1.1).
_UNEVEN = 2.0
#: One context asked twice gives log-probabilities that differ by float32 computing, and by rounding in few entries.
_SAME_COMPUTING, _SAME_STORED = 2.0, 0.25


@dataclass(frozen=True)
class Noise:
    """What rounding does to each log-probability, as standard deviations in nats.

    Attributes:
        stored: by how the numbers are written, and by noise that somebody says was added.
        computing: at most, by the computation that they come from.
        same: differences of one context that was asked twice are below it.
        precision: how the numbers are written.
    """

    stored: float
    computing: float
    same: float
    precision: Precision

    @property
    def most(self) -> float:
        """Of even noise, at most, that would have singular values as large."""
        return math.hypot(_UNEVEN * self.stored, self.computing)


def noise_of(rows: NDArray[np.floating], computed: Computed = "float32", error_nats: float = 0.0) -> Noise:
    """Read the rounding from the numbers themselves, and add what computing may have done.

    Args:
        rows: a sample of log-probabilities (positions, vocabulary), in the type that they are stored in.
        error_nats: standard deviation of noise that was added to each, where somebody says so.

    >>> exact = -np.random.default_rng(0).exponential(5, (4, 100))
    >>> noise = noise_of(exact.round(1).astype(np.float32))
    >>> round(noise.stored, 4), noise.precision.words()
    (0.0289, '1 decimal')
    """
    precision = precision_of(rows)
    steps = precision.half_steps(rows) / _UNIFORM
    size = math.sqrt(float(np.mean(np.asarray(rows, np.float64) ** 2)))
    stored = math.hypot(math.sqrt(float(np.mean(steps**2))), error_nats)
    same = max(_SAME_COMPUTING * COMPUTING["float32"] * size, _SAME_STORED * stored)
    return Noise(stored, COMPUTING[computed] * size, same, replace(precision, error_nats=error_nats))


@dataclass(frozen=True)
class Spectrum:
    """Centred log-probabilities as far as their singular values go.

    Attributes:
        low: the `triangle` of the different positions.
        kept: which of the given positions are different from all before, ascending.
        given: how many were given.
        tokens: of the vocabulary, less those left out.
        width: numbers that were kept of each row.
    """

    low: Float64
    kept: NDArray[np.intp]
    given: int
    tokens: int
    width: int
    noise: Noise

    def __len__(self) -> int:
        return len(self.kept)

    def first(self, count: int) -> Float64:
        """A matrix with the singular values of the first different positions."""
        return first_rows(self.low, count)

    def edge(self, deviation: float, count: int) -> float:
        """The largest singular value of so much noise in so many positions."""
        return noise_edge(deviation * math.sqrt(self.tokens / self.width), count, self.width)


@dataclass
class SpectrumReader:
    """Takes blocks of log-probabilities and ends in their Spectrum.

    Args:
        tokens: of the vocabulary.
        positions: how many will come.
        computed: the arithmetic that the log-probabilities come from.
        error_nats: standard deviation of noise that was added to them.
        kept_as: float32 takes half the memory, for log-probabilities that are rounded more coarsely.
    """

    tokens: int
    positions: int
    computed: Computed = "float32"
    error_nats: float = 0.0
    kept_as: type[np.floating] = np.float64
    _parts: list[NDArray[np.floating]] = field(default_factory=list)
    _sample: list[NDArray[np.floating]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sketch = Sketch(self.tokens, self.positions)

    def add(self, rows: NDArray[np.floating]) -> None:
        """Take the next positions, (positions, tokens), finite."""
        self._parts.append(self._sketch.of(centred(rows)).astype(self.kept_as, copy=False))
        taken = sum(map(len, self._sample))
        if taken < _SAMPLE:
            self._sample.append(rows[: _SAMPLE - taken, :: -(-self.tokens // _SAMPLE_TOKENS)].copy())

    def spectrum(self) -> Spectrum:
        """All that came."""
        noise = noise_of(np.concatenate(self._sample), self.computed, self.error_nats)
        short = np.concatenate(self._parts, dtype=np.float64)
        self._parts.clear()
        kept = different(short, noise.same * math.sqrt(self.tokens))
        return Spectrum(triangle(short[kept]), kept, len(short), self.tokens, self._sketch.width, noise)


def spectrum_of(
    rows: Rows, tokens: int, positions: int, computed: Computed = "float32", error_nats: float = 0.0
) -> Spectrum:
    """The Spectrum of all rows."""
    reader = SpectrumReader(tokens, positions, computed, error_nats)
    for part in rows():
        reader.add(part)
    return reader.spectrum()


def different(rows: Float64, distance: float) -> NDArray[np.intp]:
    """Which rows are farther than a distance from every one before them.

    >>> different(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.1]]), 1.0).tolist()
    [0, 1]
    """
    squares = np.sum(rows**2, axis=1)
    far = squares[:, None] + squares[None] - 2 * rows @ rows.T > distance**2
    first = np.argmin(far, axis=1)  # the first row that it is near to, at the latest itself
    return np.asarray(np.flatnonzero(first >= np.arange(len(rows))))
