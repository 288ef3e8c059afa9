"""What is known of the eigenvalues of a large positive semidefinite matrix A: all of them, or a sketch with bounds.

The sketch starts Lanczos from Gaussian vectors z. Two errors are bounded, neither is hidden:

- *Of the quadrature.* For f whose even derivatives are negative and odd ones positive, such as log(1 + tλ) and
  tλ/(1 + tλ), the Gauss rule is an upper bound of zᵀ f(A) z and the Gauss–Radau rule with a node at 0 a lower one
  (Golub & Meurant 2010, chapter 6). The share of z above a cut lies between two sums of the rule's weights
  (the Chebyshev–Markov–Stieltjes inequalities; Szegő 1939, theorem 3.41.1).
- *Of the probes.* For 0 ≤ f ≤ b, the sum of zᵀ f(A) z over n probes is a weighted sum of χ² variables with mean
  n tr f(A), whose tails Laurent & Massart (2000, lemma 1) bound: with K = n tr f(A) / b and probability 1 − 2 e^−x,
  K − 2 √(x K) ≤ (Σ zᵀ f(A) z) / b ≤ K + 2 √(x K) + 2 x. Solved for K this is `trace_bounds`.

The largest eigenvalue, which b needs, is bounded from the largest Ritz value by Kuczyński & Woźniakowski (1992,
theorem 4.2): θ after m steps falls short of λ by a share above ε with probability at most 1.648 √P e^(−√ε (2m − 1)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Interval
from foretell.information.directions.lanczos import Krylov

Float64 = NDArray[np.float64]
#: A function of eigenvalues, elementwise.
Function = Callable[[Float64], Float64]
_KW_FACTOR = 1.648
#: Products in float32 are off by some tens of its rounding, relative to the largest eigenvalue.
_ROUNDINGS = 64.0
#: Share of the failure probability that is spent on the largest eigenvalue, and the confidence of its own bounds.
_FOR_LARGEST, _LARGEST_LEVEL = 0.1, 0.995


class Spectrum(Protocol):
    """Eigenvalues, known exactly or within bounds.

    Attributes:
        size: how many eigenvalues there are.
        floor: what is smaller is rounding.
        largest: the largest eigenvalue.
        alone: where the figures are means over several matrices, each by itself.
    """

    @property
    def size(self) -> int: ...
    @property
    def floor(self) -> float: ...
    @property
    def largest(self) -> Interval: ...
    @property
    def alone(self) -> Sequence[Spectrum]: ...

    def above(self, cut: float, level: float) -> Interval:
        """How many eigenvalues are above a cut."""
        ...

    def trace(self, function: Function, level: float) -> Interval:
        """The sum of a function of the eigenvalues: rising from f(0) = 0, its derivatives alternating in sign."""
        ...

    def point(self, function: Function) -> float:
        """The estimate of that sum."""
        ...


@dataclass(frozen=True)
class Exact:
    """All eigenvalues of one matrix, or of several of the same size, (matrices, size), ascending.

    >>> Exact(np.array([[0.0, 0.5, 2.0]]), 1e-12).above(0.1, 0.95)
    Interval(lo=2.0, hi=2.0)
    """

    values: Float64
    floor: float

    @property
    def size(self) -> int:
        """How many a matrix has."""
        return int(self.values.shape[1])

    @property
    def alone(self) -> list[Exact]:
        """Each matrix by itself."""
        return [Exact(row[None], self.floor) for row in self.values]

    @property
    def largest(self) -> Interval:
        """The largest of all."""
        return Interval(float(self.values.max()), float(self.values.max()))

    def above(self, cut: float, level: float) -> Interval:
        """How many are above a cut, on average over the matrices; the level does not matter."""
        count = float(np.mean(np.sum(self.values > cut, axis=1)))
        return Interval(count, count)

    def trace(self, function: Function, level: float) -> Interval:
        """The sum of a function over them, on average over the matrices; the level does not matter."""
        return Interval(self.point(function), self.point(function))

    def point(self, function: Function) -> float:
        """The same as a number."""
        return float(np.mean(np.sum(function(np.maximum(self.values, 0.0)), axis=1)))


@dataclass(frozen=True)
class Probe:
    """One Gaussian start vector's quadrature.

    Attributes:
        length2: the start vector's squared length.
        nodes, weights: Gauss rule, ascending; the weights add up to 1.
        radau_nodes, radau_weights: the rule with a node at (or, where rounding made a node negative, under) 0.
        steps: products taken.
        complete: whether the Krylov space is, so that the rule is exact.
    """

    length2: float
    nodes: Float64
    weights: Float64
    radau_nodes: Float64
    radau_weights: Float64
    steps: int
    complete: bool

    @classmethod
    def of(cls, krylov: Krylov, length2: float) -> Probe:
        """The rules of a Lanczos run."""
        matrix = krylov.matrix
        nodes, vectors = np.linalg.eigh(matrix)
        weights = np.asarray(vectors[0] ** 2)
        complete = krylov.residual == 0
        ends = (nodes, weights) if complete else _radau(matrix, krylov.residual, min(0.0, float(nodes[0])))
        return cls(length2, nodes, weights, ends[0], ends[1], len(nodes), complete)

    def share_above(self, cut: float) -> Interval:
        """Bounds on the share of the start vector that lies in eigenvectors above a cut."""
        if self.complete:
            share = float(self.weights[self.nodes > cut].sum())
            return Interval(share, share)
        below = int(np.searchsorted(self.nodes, cut, side="right"))
        # Node `below` − 1 is at or under the cut, node `below` above it; each weight may belong to either side.
        return Interval(float(self.weights[below + 1 :].sum()), float(self.weights[max(below - 1, 0) :].sum()))

    def quadratic_form(self, function: Function) -> Interval:
        """Bounds on zᵀ f(A) z."""
        upper = float(self.weights @ function(np.maximum(self.nodes, 0.0)))
        lower = float(self.radau_weights @ function(np.maximum(self.radau_nodes, 0.0)))
        return Interval(self.length2 * min(lower, upper), self.length2 * upper)


def _radau(matrix: Float64, residual: float, end: float) -> tuple[Float64, Float64]:
    """Nodes and weights of the rule with one more node, placed at `end` (Golub & Meurant 2010, chapter 6)."""
    steps = len(matrix)
    # A node of the Gauss rule at the very end would make this singular; rounding puts it there, not mathematics.
    end -= np.finfo(np.float64).eps * float(np.abs(matrix).max())
    right = np.zeros(steps)
    right[-1] = residual**2
    last = end + float(np.linalg.solve(matrix - end * np.eye(steps), right)[-1])
    extended = np.zeros((steps + 1, steps + 1))
    extended[:steps, :steps] = matrix
    extended[steps, steps] = last
    extended[steps, steps - 1] = extended[steps - 1, steps] = residual
    nodes, vectors = np.linalg.eigh(extended)
    return nodes, np.asarray(vectors[0] ** 2)


def trace_bounds(observed: Interval, bound: float, probes: int, level: float) -> Interval:
    """Bounds on tr f(A) for 0 ≤ f ≤ bound from Σ zᵀ f(A) z over Gaussian probes z; they hold for any spectrum.

    Args:
        observed: the sum, known within an interval.
        level: two-sided confidence.

    Source: Laurent & Massart 2000, lemma 1.

    >>> found = trace_bounds(Interval(2000.0, 2000.0), 1.0, 2, 0.95)
    >>> round(found.lo), round(found.hi)
    (914, 1090)
    """
    if observed.hi <= 0 or bound <= 0:
        return Interval(0.0, 0.0) if bound <= 0 else Interval(0.0, 4 * _tail(level) * bound / probes)
    x, low, high = _tail(level), observed.lo / bound, observed.hi / bound
    lo = max(math.sqrt(max(low - x, 0.0)) - math.sqrt(x), 0.0) ** 2
    hi = (math.sqrt(x) + math.sqrt(x + high)) ** 2
    return Interval(lo * bound / probes, hi * bound / probes)


def _tail(level: float) -> float:
    """The x with 2 e^−x = 1 − level."""
    return math.log(2 / (1 - level))


@dataclass(frozen=True)
class Sketch:
    """What Gaussian probes tell of the eigenvalues of one matrix, or on average of several of the same size.

    Attributes:
        size: how many eigenvalues a matrix has.
        groups: of each matrix, as many probes: one Lanczos run each, of independent start vectors.
        rounding: relative rounding of a product.
    """

    size: int
    groups: tuple[tuple[Probe, ...], ...]
    rounding: float

    @property
    def alone(self) -> list[Sketch]:
        """A sketch of each matrix by itself."""
        return [Sketch(self.size, (group,), self.rounding) for group in self.groups]

    @cached_property
    def floor(self) -> float:
        """What is smaller is rounding: of products, and so far below 0 as nodes lie, which mathematics forbids."""
        nodes = [float(node) for group in self.groups for probe in group for node in probe.nodes[[0, -1]]]
        return max(_ROUNDINGS * self.rounding * max(nodes), -min(nodes))

    @property
    def largest(self) -> Interval:
        """The largest eigenvalue of all: no smaller than the largest Ritz value, and no larger at 99.5%."""
        ritz = max(float(probe.nodes[-1]) for group in self.groups for probe in group)
        return Interval(ritz, max(ritz, self._largest_at_most(1 - _LARGEST_LEVEL)))

    def _largest_at_most(self, failure: float) -> float:
        """A bound on the largest eigenvalue of every matrix, at this failure probability."""
        return max(_largest_at_most(group, self.size, failure / len(self.groups)) for group in self.groups)

    def above(self, cut: float, level: float) -> Interval:
        """How many eigenvalues are above a cut, on average over the matrices.

        At least as many as Ritz values of one run are (interlacing), and at most twice Σ λ/(λ + cut).
        """
        if self._largest_at_most((1 - level) * _FOR_LARGEST) <= cut:
            return Interval(0.0, 0.0)
        part = 1 - (1 - level) * (1 - _FOR_LARGEST) / 2
        probes = [probe for group in self.groups for probe in group]
        shares = [probe.share_above(cut) for probe in probes]
        lo = sum(share.lo * probe.length2 for share, probe in zip(shares, probes, strict=True))
        hi = sum(share.hi * probe.length2 for share, probe in zip(shares, probes, strict=True))
        counted = trace_bounds(Interval(lo, hi), 1.0, len(probes), part)
        seen = [max(int(np.sum(probe.nodes > cut)) for probe in group) for group in self.groups]
        least = max(float(np.mean(seen)), counted.lo)
        most = min(float(self.size), counted.hi, 2 * self.trace(pinned_share(1 / cut), part).hi)
        return Interval(least, max(least, most))

    def trace(self, function: Function, level: float) -> Interval:
        """The sum of a function of the eigenvalues, on average over the matrices."""
        failure = 1 - level
        bound = float(function(np.array([self._largest_at_most(failure * _FOR_LARGEST)]))[0])
        forms = [probe.quadratic_form(function) for group in self.groups for probe in group]
        observed = Interval(sum(form.lo for form in forms), sum(form.hi for form in forms))
        return trace_bounds(observed, bound, len(forms), 1 - failure * (1 - _FOR_LARGEST))

    def point(self, function: Function) -> float:
        """The estimate that the bounds of `trace` are around."""
        forms = [probe.quadratic_form(function) for group in self.groups for probe in group]
        return float(np.mean([(form.lo + form.hi) / 2 for form in forms]))


def _largest_at_most(probes: Sequence[Probe], size: int, failure: float) -> float:
    """An upper bound on a matrix's largest eigenvalue that fails with this probability at most."""
    ritz = max(float(probe.nodes[-1]) for probe in probes)
    if any(probe.complete for probe in probes):
        return ritz
    # Every probe has to fall short for their largest to do so.
    chance = failure ** (1 / len(probes))
    needed = math.log(_KW_FACTOR * math.sqrt(size) / chance) / (2 * min(probe.steps for probe in probes) - 1)
    by_steps = ritz / (1 - needed**2) if needed < 1 else math.inf
    # The largest eigenvalue b alone gives zᵀ A z ≥ b χ² of one degree of freedom, and P(χ² ≤ c) ≤ √(2c/π).
    seen = max(probe.length2 * float(probe.weights @ probe.nodes) for probe in probes)
    return float(min(by_steps, seen / (math.pi * chance**2 / 2)))


def log_volume(scale: float) -> Function:
    """λ ↦ ½ log2(1 + scale · λ), in bits."""
    return lambda values: np.asarray(np.log1p(scale * values) / (2 * math.log(2)))


def pinned_share(scale: float) -> Function:
    """λ ↦ scale · λ / (1 + scale · λ), from 0 (free) to 1 (pinned)."""
    return lambda values: np.asarray(scale * values / (1 + scale * values))
