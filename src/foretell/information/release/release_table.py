"""Release rules side by side: what each leaks, what it costs the score, and which tolerances it still can judge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell import __version__
from foretell.base.interval import Interval, Unscored
from foretell.information.layer.hidden_width import Rank
from foretell.information.layer.layer_bits import LayerBits
from foretell.information.release.channel import Bits
from foretell.information.release.release_error import SHARE, Changes, ScoreError, raised_noise
from foretell.scoring.confidence import mean_bounds

SCHEMA = "foretell.release/1"
#: What the panel calls the target when it stands for a perfect forecast.
ITSELF = "the target itself"


@dataclass(frozen=True)
class Told:
    """How far one prompt's answers tell the target from a family of known models.

    A member remains on a prompt if its loss there is no larger than the target's own against what was released, and
    the truth's noise. Bits are log2(family) − log2(remaining).

    Attributes:
        family: models, the target among them.
        bits: mean over prompts.
        bounds: of that mean over draws of prompts (betting).
        remaining: members that remain by their mean over all prompts, the target among them.
    """

    family: int
    bits: float
    bounds: Interval
    remaining: int

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "family": self.family,
            "bits_a_prompt": self.bits,
            "lo": self.bounds.lo,
            "hi": self.bounds.hi,
            "remaining_after_all": self.remaining,
        }


def told(itself: NDArray[np.float64], members: NDArray[np.float64], noise_nats: float, level: float) -> Told | Unscored:
    """Count the members that each prompt leaves.

    Args:
        itself: the target's own losses (prompts,), upper ends.
        members: of the other models (members, prompts), lower ends.

    >>> told(np.zeros(2), np.array([[0.0, 0.5], [1.0, 1.0], [2.0, 2.0]]), 1e-9, 0.95).bits
    1.5
    """
    if not len(members):
        return Unscored("no model beside the target was given (--with model:TARGET)")
    family = 1 + len(members)
    left = 1 + (members <= itself + noise_nats).sum(axis=0)
    bits = math.log2(family) - np.log2(left)
    remaining = 1 + int((members.mean(axis=1) <= itself.mean() + noise_nats).sum())
    return Told(family, float(bits.mean()), mean_bounds(bits, math.log2(family), level), remaining)


@dataclass(frozen=True)
class Release:
    """What is known of one rule.

    Attributes:
        rule: its spec; meaning: in words.
        normalised: whether what it releases is a distribution as it stands.
        distortion: KL divergence from the exact distributions to the released ones as they are read, in nats: mean
            over prompts, and of the position that is farthest off.
        errors: of each forecast of the panel, the target itself among them.
        changes: of verdicts and orders.
        judgeable: the tolerance from which on every tolerance can be judged, in nats.
        state_bits: about one position's hidden state, at most.
        layer_bits: about the output layer from the sampled positions, at most.
        recovered: what an attack recovers of the output layer from them.
        size_bits: of what is released of one position.
        told: which of the known models it is.
        rank: what is found of the hidden width (`foretell information width` says which widths a rank can mean).
        most_nats: the largest loss that counts, log(vocabulary): no tolerance lies above.
    """

    rule: str
    meaning: str
    normalised: bool
    distortion: tuple[float, float] | Unscored
    errors: tuple[ScoreError, ...]
    changes: Changes
    judgeable: float
    state_bits: Bits
    layer_bits: Bits
    recovered: LayerBits | Unscored
    size_bits: float
    told: Told | Unscored
    rank: Rank
    most_nats: float

    @property
    def worst(self) -> ScoreError:
        """The forecast whose score is farthest off."""
        return max(self.errors, key=lambda one: one.error)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rule": self.rule,
            "meaning": self.meaning,
            "normalised": self.normalised,
            "distortion_kl_nats": {"unscored": self.distortion.reason}
            if isinstance(self.distortion, Unscored)
            else {"mean": self.distortion[0], "largest": self.distortion[1]},
            "error_nats": self.worst.error,
            "worst_forecast": self.worst.forecast,
            "judgeable_from_nats": self.judgeable,
            "state_bits": self.state_bits.record(),
            "layer_bits": self.layer_bits.record(),
            "recovered": {"unscored": self.recovered.reason}
            if isinstance(self.recovered, Unscored)
            else self.recovered.record(),
            "size_bits": self.size_bits,
            "told": {"unscored": self.told.reason} if isinstance(self.told, Unscored) else self.told.record(),
            "rank": dict(vars(self.rank)),
            "changes": self.changes.record(),
            "forecasts": [one.record() for one in self.errors],
        }

    def noise_floor(self, exact: Mapping[str, Any]) -> dict[str, Any]:
        """The noise floor of a truth released so; a list's stays what it is, since its intervals hold the exact score.

        Args:
            exact: noise floor of the exact truth.
        """
        return (
            dict(exact) if isinstance(self.distortion, Unscored) else raised_noise(exact, *self.distortion, self.errors)
        )

    def sentence(self) -> str:
        """What is known of it, in words."""
        changes = self.changes
        moved = (
            f"scores move by at most {self.worst.error:.2g} nats ({self.worst.forecast})"
            if self.worst.error
            else "no score moves"
        )
        swapped = f", {changes.swapped} of {changes.pairs} pairs of forecasts swap" if changes.swapped else ""
        unknown = f", {changes.undecided} of {changes.pairs} can't be ordered" if changes.undecided else ""
        return (
            f"{self.rule}: {_bits(self.state_bits)} a position; {_ranked(self.rank)}{_layer(self.recovered)}; {moved}; "
            f"{changes.changed / changes.verdicts:.1%} of verdicts change, "
            f"{changes.reversed / changes.verdicts:.1%} from pass to fail or back{swapped}{unknown}; "
            f"{_judged(self.judgeable, self.most_nats)}."
        )


@dataclass(frozen=True)
class Releases:
    """All rules on one truth.

    Attributes:
        truth: its name; prompts, documents, positions, vocabulary: of it.
        noise_nats: its noise floor.
        sampled: positions that bits were measured on.
        rules: in the order they were asked for.
        notes: what was left out, and why.
    """

    truth: str
    prompts: int
    documents: int
    positions: int
    vocabulary: int
    noise_nats: float
    sampled: int
    rules: tuple[Release, ...]
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """For JSON."""
        plain = ("truth", "prompts", "documents", "positions", "vocabulary", "noise_nats", "sampled")
        return {
            "schema": SCHEMA,
            "made_by": f"foretell {__version__}",
            **{name: getattr(self, name) for name in plain},
            "share_of_tolerance": SHARE,
            "rules": [one.record() for one in self.rules],
            "notes": list(self.notes),
            "sentences": self.sentences(),
        }

    def sentences(self) -> list[str]:
        """What was found, in words."""
        return [*(one.sentence() for one in self.rules), *self.notes, *meaning(self.sampled)]


def meaning(sampled: int) -> Sequence[str]:
    """How the figures are to be read, in words."""
    return (
        f"Bits: at most so many about one position's hidden state, for whoever knows the output layer; measured on "
        f"{sampled:,} positions, bounds approximate. Rounding counts as noise of step/√12.",
        "Rank: the hidden width, give or take one. Layer: bits of each of its free numbers that an attack recovers "
        "(foretell information layer). Told: bits that a prompt's answers tell of which model of the panel it is.",
        f"A tolerance can be judged if no score within it is off by more than {SHARE:.0%} of it; errors are upper "
        "bounds of the mean (95%, approximate), of lists the interval that they leave.",
    )


def _ranked(rank: Rank) -> str:
    if rank.rank is not None:
        return f"the hidden width shows (rank {rank.rank:,})"
    return "the hidden width is not determined" + (f" (at least {rank.at_least:,})" if rank.at_least else "")


def _layer(recovered: LayerBits | Unscored) -> str:
    if isinstance(recovered, Unscored):
        return ""
    return f", the output layer to {recovered.per_number:.1f} bits a number"


def _judged(least: float, most: float) -> str:
    if least == 0:
        return "every tolerance can be judged"
    if least > most:
        return f"no tolerance can be judged ({least:.2g} nats would be needed, and {most:.2g} is the most one can lose)"
    return f"tolerances from {least:.2g} nats on can be judged"


def _bits(value: Bits) -> str:
    if isinstance(value.bits, Unscored):
        return f"bits not determined ({value.bits.reason})"
    bounds = "" if isinstance(value.bounds, Unscored) else f" ({value.bounds.lo:,.0f} to {value.bounds.hi:,.0f})"
    return f"at most {value.bits:,.0f} bits{bounds}"
