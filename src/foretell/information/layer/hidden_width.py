"""The hidden width of a model from its log-probabilities: a rank, and the widths that have it.

The rank is where the singular values drop from the model's own to the noise of rounding. Which width a rank means
depends on the architecture, by one:

    last norm                     bias in norm or head    rank    all-ones among the directions of the positions
    RMSNorm, or none              no                      d       no
    RMSNorm, or none              yes                     d + 1   yes
    LayerNorm                     no                      d − 1   no
    LayerNorm                     yes                     d       yes

LayerNorm takes the mean off each hidden state, which costs a direction; a bias is the same at every position, which
adds one (unless it lies among the others already: a LayerNorm's bias whose quotients by the gain sum to zero). Whether
a part is the same at every position can be seen (the rank falls by one when the mean over positions is taken off too),
so two of the four stay, and those two cannot be told apart by any number of log-probabilities: RMSNorm of width d and
LayerNorm of width d + 1 put hidden states on the same sphere in d dimensions.

Source: Carlini et al. 2024, "Stealing part of a production language model", section 4.1 and appendix on LayerNorm;
Finlayson, Ren & Swayamdipta 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from foretell.information.layer.singular_values import Float64, singular_values
from foretell.information.layer.spectrum import Spectrum

#: So many singular values below the rank have to be seen, which show the noise.
BEYOND = 8
#: A drop counts from this on, in nats: a factor of 2. Within noise drops are below 0.1.
LEAST_GAP_NATS = 0.7
#: And it must be so many times the drops shortly before and after it, or a weak direction may have sunk into the noise;
#: from so many nats on it counts anyway.
STANDS_OUT, _SHORTLY, SURE_GAP_NATS = 4.0, 8, 4.0
#: From here on a drop to something that is no rounding noise is worth a word, in nats.
_WORTH_A_WORD = 1.0
_PLAIN = "RMSNorm or no norm before the output layer, and no bias in it"
_BIASED = "RMSNorm or no norm before the output layer, and a bias in it"
_LAYER = "LayerNorm before the output layer, and no bias in either"
_LAYER_BIASED = "LayerNorm before the output layer, and a bias in either"


@dataclass(frozen=True)
class Rank:
    """Where singular values drop to noise.

    Attributes:
        status: 'not determined' is never a number that looks sure.
        rank: singular values before the drop.
        gap_nats: log of the ratio of the neighbours there; where the lower one is below rounding, rounding counts.
        at_least: what the rank is at least, whether or not it was found.
        reason: why, where not determined.
    """

    status: Literal["found", "not determined"]
    rank: int | None = None
    gap_nats: float | None = None
    at_least: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Reading:
    """A width that the rank is consistent with, and for which architectures."""

    width: int
    architecture: str


@dataclass(frozen=True)
class HiddenWidth:
    """A rank and what it means.

    Attributes:
        offset: whether a part of the logits is the same at every position (a bias); None where that cannot be told.
        positions: different ones; what was given more often counts once.
        given: positions that were given.
        tokens: that were looked at.
        precision: how the numbers are written, in words.
    """

    found: Rank
    offset: bool | None
    positions: int
    given: int
    tokens: int
    precision: str

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The widths that have this rank, with the architectures under which they do."""
        rank = self.found.rank
        if rank is None:
            return ()
        without = (Reading(rank, _PLAIN), Reading(rank + 1, _LAYER))
        with_bias = (Reading(rank, _LAYER_BIASED), Reading(rank - 1, _BIASED))
        if self.offset is None:
            return (*without, *with_bias)
        return with_bias if self.offset else without

    def record(self) -> dict[str, Any]:
        """For JSON."""
        own = {name: getattr(self, name) for name in ("offset", "positions", "given", "tokens", "precision")}
        return dict(vars(self.found)) | own | {"widths": [dict(vars(one)) for one in self.readings]}

    def sentences(self) -> list[str]:
        """What was found, in words."""
        seen = f"{self.positions:,} different positions and {self.tokens:,} tokens, written in {self.precision}"
        if self.found.rank is None:
            told = f"Rank: not determined in {seen}: {self.found.reason}."
            return [told, f"It is at least {self.found.at_least:,}."] if self.found.at_least else [told]
        widths = ", or ".join(f"{one.width:,} ({one.architecture})" for one in self.readings)
        offset = {
            True: "A part of the logits is the same at every position",
            False: "No part of the logits is the same at every position",
            None: "Whether a part of the logits is the same at every position cannot be told here",
        }[self.offset]
        return [
            f"Rank: {self.found.rank:,} in {seen}; the singular values fall by {self.found.gap_nats:.1f} nats there.",
            f"{offset}: so the hidden width is {widths}. Log-probabilities alone cannot tell these apart.",
        ]


def width_of(spectrum: Spectrum) -> HiddenWidth:
    """Find the rank in a Spectrum, and whether a part is the same at every position.

    Directions below the rounding noise, and directions that no given position reaches, are not seen: the width can
    then only be larger than what is said.

    >>> from foretell.information.layer.spectrum import spectrum_of
    >>> rng = np.random.default_rng(0)
    >>> logits = (rng.normal(size=(300, 20)) @ rng.normal(size=(20, 500))).astype(np.float32)
    >>> found = width_of(spectrum_of(lambda: iter([logits]), 500, 300))
    >>> found.found.rank, found.offset, [one.width for one in found.readings]
    (20, False, [20, 21])
    """
    count = len(spectrum)
    found = rank_of_first(spectrum, count)
    offset = None
    if found.rank is not None:
        without = _rank(singular_values(spectrum.low - spectrum.low.mean(axis=0)), spectrum, count)
        if without.rank in (found.rank, found.rank - 1):
            offset = without.rank < found.rank
    words = spectrum.noise.precision.words()
    return HiddenWidth(found, offset, count, spectrum.given, spectrum.tokens, words)


def rank_of_first(spectrum: Spectrum, count: int) -> Rank:
    """The rank of the first different positions."""
    return _rank(singular_values(spectrum.first(count)), spectrum, count)


def fewest_positions(spectrum: Spectrum, rank: int) -> int:
    """The smallest number of first positions that give this rank, which all of them give.

    By doubling and bisection: as if more positions never took the answer away.

    >>> from foretell.information.layer.spectrum import spectrum_of
    >>> rng = np.random.default_rng(0)
    >>> logits = (rng.normal(size=(300, 20)) @ rng.normal(size=(20, 500))).astype(np.float32)
    >>> fewest_positions(spectrum_of(lambda: iter([logits]), 500, 300), 20) == 20 + BEYOND
    True
    """

    def enough(count: int) -> bool:
        return count >= len(spectrum) or rank_of_first(spectrum, count).rank == rank

    low, more = rank + BEYOND, BEYOND
    if enough(low):
        return min(low, len(spectrum))
    while not enough(low + more):
        low, more = low + more, 2 * more
    high = min(low + more, len(spectrum))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _rank(singular: Float64, spectrum: Spectrum, count: int) -> Rank:
    stored, most = (spectrum.edge(own, count) for own in (spectrum.noise.stored, spectrum.noise.most))
    visible = min(count, spectrum.tokens - 1) - BEYOND
    if visible < 1:
        return Rank("not determined", reason=f"{count} different positions and {spectrum.tokens} tokens are too few")
    above = int(np.sum(singular > most))
    gaps = np.log(np.maximum(singular[:-1], stored) / np.maximum(singular[1:], stored))
    if above > visible:
        reason = _all_above(gaps[:visible], singular, most, count, spectrum.tokens)
        return Rank("not determined", at_least=min(above, visible), reason=reason)
    # The upper neighbour may be below `most`, which allows for more than most computations do.
    place = max(above, 1) - 1
    place += int(np.argmax(gaps[place:visible]))
    if above == 0 or gaps[place] < _least_gap(gaps, place):
        words = spectrum.noise.precision.words()
        reason = (
            f"the singular values run into the noise of {words} without a drop that stands out: too low a precision"
        )
        return Rank("not determined", at_least=above, reason=reason)
    return Rank("found", place + 1, float(gaps[place]), place + 1)


def _least_gap(gaps: Float64, place: int) -> float:
    """How large a drop has to be, in nats, to stand out among its neighbours."""
    before = gaps[max(place - _SHORTLY, (place + 1) // 2) : place].max(initial=0.0)
    after = gaps[place + 1 : place + 1 + _SHORTLY].max(initial=0.0)
    return max(LEAST_GAP_NATS, min(SURE_GAP_NATS, STANDS_OUT * float(max(before, after))))


def _all_above(gaps: Float64, singular: Float64, most: float, count: int, tokens: int) -> str:
    """Why there is no drop to rounding noise."""
    place = int(np.argmax(gaps))
    if place and gaps[place] >= max(_WORTH_A_WORD, _least_gap(gaps, place)):
        return (
            f"after a drop of {gaps[place]:.1f} nats at {place + 1:,} the singular values stay "
            f"{singular[place + 1] / most:,.0f} times above what rounding makes: a computation in lower precision "
            "(say so with --computed), noise, a soft cap on the logits or probabilities that were mixed"
        )
    if tokens - 1 <= count:
        return "no drop below the size of the vocabulary: no output layer narrower than it, or one behind a soft cap"
    return (
        f"the singular values of {count:,} positions all stand above rounding noise: too few positions (--positions), "
        "or no output layer that gives the logits as they are (a soft cap, probabilities that were mixed, noise)"
    )
