"""The output layer that a truth gives away: what of it, up to which symmetry, and how far from the true one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretell import __version__
from foretell.base.interval import Unscored
from foretell.base.progress import Progress, quiet
from foretell.distributions import Distributions, FactoredBlock, Head
from foretell.information.layer.hidden_width import HiddenWidth
from foretell.information.layer.layer_bits import LayerBits, layer_bits
from foretell.information.layer.norm_sphere import (
    SphereLayer,
    orthogonal_error,
    positions_needed,
    rms_gain,
    sphere_layer,
)
from foretell.information.layer.output_layer import (
    Error,
    RecoveredLayer,
    linear_error,
    recovered_layer,
    visible_layer,
    with_states,
)
from foretell.information.layer.singular_values import Float64, Rows
from foretell.information.layer.spectrum import Computed
from foretell.information.layer.truth_rows import TruthRows, truth_rows
from foretell.information.layer.width_report import measure_width

SCHEMA = "foretell.layer/1"
#: So many times the positions that an ellipsoid has numbers are taken for it, where there are as many.
_SPARE = 1.4


@dataclass(frozen=True)
class KnownLayer:
    """A true output layer to compare with.

    Attributes:
        name: whose it is.
        states: true hidden states (positions, d), where they are at hand: they show the norm's gain.
    """

    name: str
    head: Head
    states: Float64 | None = None


@dataclass(frozen=True)
class LayerReport:
    """All about one truth.

    Attributes:
        width: what the rank was, and the widths that have it.
        directions: columns of the recovered layer; with an offset one of them is the part that is always the same.
        sphere: the layer up to a rotation, where the positions suffice.
        linear: the distance from the known layer after the best linear map.
        orthogonal: the distance of the known layer, with its norm's gain folded in, after the best rotation.
        bits: of the two, where there is a distance.
    """

    truth: str
    known: str | None
    width: HiddenWidth
    tokens: int
    positions: int
    directions: int
    sphere: SphereLayer | Unscored
    linear: Error | Unscored
    orthogonal: Error | Unscored

    def bits(self, error: Error | Unscored, *, norm_known: bool) -> LayerBits | Unscored:
        """What an error means in bits."""
        return error if isinstance(error, Unscored) else layer_bits(error, self.tokens, norm_known=norm_known)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        linear, turned = (
            _recorded(error, self.bits(error, norm_known=known))
            for error, known in ((self.linear, False), (self.orthogonal, True))
        )
        return {
            "schema": SCHEMA,
            "made_by": f"foretell {__version__}",
            **{name: getattr(self, name) for name in ("truth", "known", "tokens", "positions", "directions")},
            "width": self.width.record(),
            "symmetry": {"linear": self.directions**2, "norm_known": self._rotations()},
            "sphere": _sphere_record(self.sphere),
            "after_linear_map": linear,
            "after_rotation": turned,
            "sentences": self.sentences(),
        }

    def _rotations(self) -> int:
        moving = self.directions - bool(self.width.offset)
        return moving * (moving - 1) // 2

    def sentences(self) -> list[str]:
        """What was found, in words."""
        if self.width.found.rank is None:
            return [*self.width.sentences(), "Without a rank no output layer is recovered."]
        told = [
            f"Output layer: {self.directions:,} columns over {self.tokens:,} tokens from {self.positions:,} positions, "
            f"up to an invertible matrix ({self.directions**2:,} numbers) and its mean over the vocabulary, which no "
            "log-probability shows.",
            _error_sentence("After the best linear map", self.linear, self.bits(self.linear, norm_known=False)),
        ]
        if isinstance(self.sphere, Unscored):
            return [*told, f"Up to a rotation only: not determined: {self.sphere.reason}."]
        told.append(
            f"The hidden states lie on an ellipsoid (off by {self.sphere.residual:.1e} over {self.sphere.positions:,} "
            f"positions), as a norm puts them: the layer with the norm's gain folded in is known up to a rotation "
            f"({self._rotations():,} numbers)."
        )
        bits = self.bits(self.orthogonal, norm_known=True)
        return [*told, _error_sentence("With the gain folded in, after the best rotation", self.orthogonal, bits)]


def measure_layer(
    truth: Distributions,
    known: KnownLayer | None = None,
    *,
    positions: int,
    computed: Computed = "float32",
    error_nats: float = 0.0,
    progress: Progress = quiet,
) -> LayerReport:
    """Recover the output layer from a truth's log-probabilities, and compare it with the true one where that is known.

    Args:
        known: the true layer; only the comparison sees it.
        positions: different contexts that the layer is recovered from, at most; the norm's ellipsoid takes as many as
            it needs, where the truth has them.
    """
    width = measure_width(
        truth, positions=positions, rules=(), computed=computed, error_nats=error_nats, fewest=False, progress=progress
    ).width
    rank = width.found.rank
    if rank is None:
        none = Unscored(f"the rank is not determined: {width.found.reason}")
        return LayerReport(truth.name, _name(known), width, truth.vocabulary.size, 0, 0, none, none, none)
    given = truth_rows(truth, positions, progress)
    found = recovered_layer(_rows(given, progress), len(given.tokens), len(given), rank)
    true = _true_layer(known, given)
    linear = true if isinstance(true, Unscored) else linear_error(found.basis, true)
    sphere = _sphere(truth, found, width, progress)
    orthogonal = _orthogonal(sphere, true, known)
    names = truth.name, _name(known)
    return LayerReport(*names, width, len(given.tokens), len(given), rank, sphere, linear, orthogonal)


def known_layer(truth: Distributions, most: int) -> KnownLayer | None:
    """The layer and hidden states that a factored truth is stored as; None for others."""
    if truth.head is None:
        return None
    blocks = []
    for index in range(len(truth.prompts)):
        block = truth.block(index)
        assert isinstance(block, FactoredBlock)
        blocks.append(np.asarray(block.hidden, np.float64))
        if sum(map(len, blocks)) >= most:
            break
    return KnownLayer(truth.name, truth.head, np.concatenate(blocks))


def _name(known: KnownLayer | None) -> str | None:
    return None if known is None else known.name


def _rows(given: TruthRows, progress: Progress) -> Rows:
    return lambda: given.blocks(progress, "reading log-probabilities")


def _true_layer(known: KnownLayer | None, given: TruthRows) -> Float64 | Unscored:
    if known is None:
        return Unscored("no true layer was given to compare with (--against TARGET, or a factored truth)")
    if known.head.softcap:
        return Unscored("a soft cap stands between this layer and its log-probabilities")
    chosen = given.tokens
    bias = None if known.head.bias is None else known.head.bias[chosen]
    return visible_layer(Head(known.head.weight[chosen], bias, known.head.scale))


def _sphere(
    truth: Distributions, found: RecoveredLayer, width: HiddenWidth, progress: Progress
) -> SphereLayer | Unscored:
    if width.offset is None:
        return Unscored("whether a part of the logits is the same at every position cannot be told")
    needed = positions_needed(found.basis.shape[1] - width.offset, width.offset)
    more = truth_rows(truth, int(_SPARE * needed), progress)
    if len(more) < needed:
        return Unscored(f"it takes {needed:,} different positions, and the truth has {len(more):,}")
    found = with_states(found.basis, _rows(more, progress))
    return sphere_layer(found, offset=width.offset, progress=progress)


def _orthogonal(sphere: SphereLayer | Unscored, true: Float64 | Unscored, known: KnownLayer | None) -> Error | Unscored:
    if isinstance(sphere, Unscored):
        return sphere
    if isinstance(true, Unscored) or known is None:
        return true if isinstance(true, Unscored) else Unscored("no true layer was given")
    if known.states is None:
        return Unscored("the norm's gain is read from true hidden states, which only a factored truth has")
    gain = rms_gain(known.states)
    if isinstance(gain, Unscored):
        return gain
    if len(gain) != sphere.layer.shape[1]:
        return Unscored(f"{len(gain):,} columns of the true layer against {sphere.layer.shape[1]:,} recovered")
    return orthogonal_error(sphere.with_radius(len(gain)), true[:, : len(gain)] * gain)


def _recorded(error: Error | Unscored, bits: LayerBits | Unscored) -> dict[str, Any]:
    if isinstance(error, Unscored) or isinstance(bits, Unscored):
        return {"unscored": error.reason if isinstance(error, Unscored) else ""}
    return {**vars(error), "relative": error.relative, "bits": bits.record()}


def _sphere_record(sphere: SphereLayer | Unscored) -> dict[str, Any]:
    if isinstance(sphere, Unscored):
        return {"unscored": sphere.reason}
    return {"residual": sphere.residual, "positions": sphere.positions}


def _error_sentence(after: str, error: Error | Unscored, bits: LayerBits | Unscored) -> str:
    if isinstance(error, Unscored) or isinstance(bits, Unscored):
        return f"{after}: not determined: {error.reason if isinstance(error, Unscored) else ''}."
    return (
        f"{after}: RMS error {error.rms:.1e}, {error.relative:.1e} of the true layer's own {error.scale:.2g}; "
        f"{bits.per_number:.1f} bits of each of {bits.free_numbers:,} free numbers, {bits.total / 8e6:,.1f} MB."
    )
