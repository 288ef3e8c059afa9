"""Measuring a target's Fisher information on draws of prompts, and whether the quadratic approximation holds there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError
from foretell.distributions import TokenizedPrompt
from foretell.information.directions.curvature import Exact, Probe, Sketch, Spectrum
from foretell.information.directions.direction_settings import Effort
from foretell.information.directions.lanczos import Krylov, lanczos

Vector = NDArray[np.floating[Any]]
#: Up to so many weights the matrix is formed and all its eigenvalues are taken.
EXACT_WEIGHTS = 2_500
#: Rounding of exact eigenvalues, relative to the largest, in multiples of the products' own.
_EXACT_ROUNDINGS = 64.0
#: Lanczos keeps a vector a step; more than this is refused, since the machine would swap.
MOST_BYTES = 8_000_000_000
#: The quadratic approximation counts as holding where the true KL is within this factor of what it predicts.
HOLDS_WITHIN = 2.0
Kind = Literal["threshold", "draw"]


class Fisher(Protocol):
    """σ F σ of a target on some prompts: see `targets.torch_fisher.TorchFisher`."""

    @property
    def size(self) -> int: ...
    @property
    def weights(self) -> int: ...
    @property
    def positions(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def product(self, vector: Vector) -> Vector:
        """The matrix times a vector."""
        ...

    def kl_nats(self, vector: Vector) -> float:
        """The true mean KL after a change of the weights by σ times the vector."""
        ...


@dataclass(frozen=True)
class Move:
    """The weights were really moved: what the quadratic approximation predicts, and what happened.

    Attributes:
        kind: 'threshold': along a direction of exactly the least curvature that counts as pinned, by the stated size;
            'draw': to a random model of the prior that is, by the approximation, about as far off as the tolerance.
        tolerance: nats.
        size: of the change, as a share of the weights' norm.
        predicted_nats, true_nats: mean KL; of a direction the worse of both senses.
    """

    kind: Kind
    tolerance: float
    size: float
    predicted_nats: float
    true_nats: float

    @property
    def ratio(self) -> float:
        """True over predicted."""
        return self.true_nats / self.predicted_nats

    @property
    def holds(self) -> bool:
        """Whether the approximation does, within a factor of two."""
        return 1 / HOLDS_WITHIN <= self.ratio <= HOLDS_WITHIN

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self)) | {"ratio": self.ratio, "holds": self.holds}


def different_prompts(prompts: Sequence[TokenizedPrompt]) -> list[TokenizedPrompt]:
    """Prompts that ask the same (same tokens, same positions) as one, whose weight is the sum of theirs."""
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], TokenizedPrompt] = {}
    for prompt in prompts:
        key = prompt.token_ids, prompt.positions
        same = found.get(key)
        found[key] = prompt if same is None else replace(same, weight=same.weight + prompt.weight)
    return list(found.values())


def take_spectrum(
    fisher: Fisher, effort: Effort, rng: np.random.Generator, after: Callable[[], None]
) -> tuple[Spectrum, Krylov, float]:
    """The spectrum on one draw of prompts: all of it for small models, else a sketch.

    Args:
        after: called after each product.

    Returns:
        The spectrum, the last Lanczos run with its basis, and the length of its start vector.

    Raises:
        InputError: the basis would take more memory than is allowed.
    """
    _require_memory(fisher, effort)
    probes = []
    for _ in range(effort.probes):
        start = rng.standard_normal(fisher.size).astype(fisher.dtype)
        length = float(np.linalg.norm(start.astype(np.float64)))
        krylov = lanczos(fisher.product, start, effort.steps, after=lambda done: after())
        probes.append(Probe.of(krylov, length**2))
    rounding = float(np.finfo(fisher.dtype).eps)
    if fisher.size <= EXACT_WEIGHTS:
        dense = np.stack([fisher.product(row) for row in np.eye(fisher.size, dtype=fisher.dtype)]).astype(np.float64)
        values = np.linalg.eigvalsh((dense + dense.T) / 2).astype(np.float64)
        return Exact(values[None], _EXACT_ROUNDINGS * rounding * float(values[-1])), krylov, length
    return Sketch(fisher.size, (tuple(probes),), rounding), krylov, length


def _require_memory(fisher: Fisher, effort: Effort) -> None:
    each = fisher.size * fisher.dtype.itemsize
    if each * effort.steps > MOST_BYTES:
        raise InputError(
            "the vectors would take too much memory",
            where="--steps",
            got=f"{effort.steps} vectors of {each / 1e9:.2g} GB",
            expected=f"{MOST_BYTES / 1e9:g} GB at most",
            fix=f"Give --steps {max(2, MOST_BYTES // each)}, or a smaller model.",
        )


def pooled(spectra: Sequence[Spectrum]) -> Spectrum:
    """One spectrum whose figures are means over the draws."""
    exact = [one for one in spectra if isinstance(one, Exact)]
    if exact:
        return Exact(np.concatenate([one.values for one in exact]), max(one.floor for one in exact))
    sketches = [one for one in spectra if isinstance(one, Sketch)]
    groups = tuple(group for one in sketches for group in one.groups)
    return Sketch(sketches[0].size, groups, sketches[0].rounding)


def move_to_threshold(fisher: Fisher, krylov: Krylov, tolerance: float, size: float) -> Move | None:
    """Move along a direction whose predicted KL at this size is exactly the tolerance; None where none is known.

    Two Ritz vectors on either side are mixed: their images under the matrix are orthogonal to each other, so that the
    mixture's curvature is the mixture of theirs.

    Args:
        size: of the change, as a share of the weights' norm, which is √weights in units of σ.
    """
    assert krylov.basis is not None
    cut = 2 * tolerance / (size**2 * fisher.weights)
    values, rotations = np.linalg.eigh(krylov.matrix)
    below = int(np.searchsorted(values, cut, side="right"))
    if not 0 < below < len(values):
        return None
    low, high = max(float(values[below - 1]), 0.0), float(values[below])
    share = (cut - low) / (high - low)
    mixture = math.sqrt(1 - share) * rotations[:, below - 1] + math.sqrt(share) * rotations[:, below]
    vector = mixture.astype(krylov.basis.dtype) @ krylov.basis
    length = size * math.sqrt(fisher.weights)
    true = [fisher.kl_nats(sign * length * vector) for sign in (1.0, -1.0)]
    worse = max(true, key=lambda nats: abs(math.log(max(nats, np.finfo(float).tiny) / tolerance)))
    return Move("threshold", tolerance, size, tolerance, worse)


def move_to_draw(
    fisher: Fisher, krylov: Krylov, length: float, tilt: float, tolerance: float, prior: float
) -> Move | None:
    """Move to a random model of the prior, weighed by e^(−tQ): u = ρ (I + tρ² A)^(−1/2) z with Lanczos' start vector z.

    Source: the Krylov approximation of a function of a matrix times a vector (Higham 2008, section 13.2).
    """
    assert krylov.basis is not None
    values, rotations = np.linalg.eigh(krylov.matrix)
    values = np.maximum(values, 0.0)
    along = length * rotations[0] * prior / np.sqrt(1 + tilt * prior**2 * values)
    predicted = 0.5 * float(np.sum(along**2 * values))
    if predicted <= 0:
        return None
    vector = (rotations @ along).astype(krylov.basis.dtype) @ krylov.basis
    size = float(np.linalg.norm(vector)) / math.sqrt(fisher.weights)
    return Move("draw", tolerance, size, predicted, fisher.kl_nats(vector))
