"""Positions of a truth drawn at random, and what each release rule's channel can carry about them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Unscored
from foretell.distributions import Distributions, TopKBlock
from foretell.distributions.release import Float16, Noise, ReleaseRule, Round, Temperature, TopK
from foretell.information.release.channel import (
    Bits,
    Channel,
    jackknife,
    left_out,
    list_bits,
    open_channel,
    order_bits,
    rounding_variance,
)

Float64 = NDArray[np.float64]
#: Positions that bits are measured on at most, and numbers that are held for it: 1 GiB in float32.
MOST_POSITIONS, _MOST_CELLS = 1536, 2**28
#: Positions of which released sizes are counted at once.
_ROWS = 64


@dataclass
class Sample:
    """Positions drawn at random, filled with their exact log-probabilities as a truth is read prompt by prompt.

    Attributes:
        chosen: the offsets of each prompt's drawn positions, by prompt.
        rows: float32 (positions, vocabulary).
        dtype: the precision that the truth is stored in.
        documents: of the rows that are there.
    """

    chosen: dict[int, NDArray[np.intp]]
    rows: NDArray[np.float32]
    dtype: str
    documents: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, truth: Distributions, positions: int, rng: np.random.Generator) -> Sample:
        """Draw positions of a truth, at most so many and as many as memory should hold."""
        sizes = [len(prompt.positions) for prompt in truth.prompts]
        owner = np.repeat(np.arange(len(sizes)), sizes)
        offset = np.concatenate([np.arange(size) for size in sizes])
        most = min(positions, _MOST_CELLS // truth.vocabulary.size)
        drawn = np.sort(rng.permutation(len(owner))[:most])
        chosen = {int(index): offset[drawn[owner[drawn] == index]] for index in np.unique(owner[drawn])}
        dtype = str(truth.manifest.get("dtype", "float32")) if truth.kind == "dense" else "float32"
        return cls(chosen, np.empty((len(drawn), truth.vocabulary.size), np.float32), dtype)

    def add(self, index: int, document: str, logs: Float64, start: int) -> None:
        """Take the drawn ones of a prompt's positions, whose log-probabilities from offset `start` on are given."""
        mine = self.chosen.get(index, np.empty(0, np.intp))
        mine = mine[(mine >= start) & (mine < start + len(logs))] - start
        at = len(self.documents)
        self.rows[at : at + len(mine)] = logs[mine]
        self.documents += [document] * len(mine)

    def channel(self) -> Channel:
        """The signal in the rows."""
        return open_channel(self.rows, self.documents, rounding_variance(self.rows, self.dtype) ** 0.5)

    def noise_variance(self, rule: ReleaseRule) -> float:
        """Mean variance an entry that a rule adds, on the scale of the exact log-probabilities: with its storage.

        Rounding to a step counts as uniform noise, of variance step²/12. A temperature scales all numbers, so that
        the rounding of what is stored counts T² times, for whoever knows T.
        """
        stored = rounding_variance(self.rows, self.dtype)
        match rule:
            case Round():
                return stored + rule.step_nats**2 / 12
            case Noise(sigma):
                return stored + sigma**2
            case Float16():
                return max(stored, rounding_variance(self.rows, "float16"))
            case Temperature(temperature):
                warm = rounding_variance(self.rows, "float32", 1 / temperature)
                return max(stored, temperature**2 * warm)
            case _:
                return stored

    def state_bits(self, rule: ReleaseRule, channel: Channel, rng: np.random.Generator) -> Bits:
        """Bits that a rule lets through about one position's state, at most.

        A list is a function of the exact numbers, so it tells no more than they do.
        """
        everything = channel.state_bits(self.noise_variance(rule))
        if not isinstance(rule, TopK):
            return everything
        listed, documents = self._lists(rule, rng)
        if len(listed) <= 2 * listed.shape[1]:
            return everything
        variance, tokens = rounding_variance(listed, self.dtype), self.rows.shape[1]
        whole = list_bits(listed, tokens, variance)
        if not isinstance(everything.bits, Unscored) and everything.bits <= whole:
            return everything
        without = [list_bits(listed[kept], tokens, variance) for kept in left_out(documents)]
        return Bits(whole, jackknife(whole, without))

    def _lists(self, rule: TopK, rng: np.random.Generator) -> tuple[Float64, list[str]]:
        """What a list says in numbers, (positions, k + 1), at the positions where something is left unlisted."""
        parts = []
        for start in range(0, len(self.rows), _ROWS):
            block = rule.release(self.rows[start : start + _ROWS].astype(np.float64), rng)
            assert isinstance(block, TopKBlock)
            parts.append(np.column_stack([block.logprobs, block.rest_logprob]).astype(np.float64))
        listed = np.concatenate(parts)
        finite = np.flatnonzero(np.isfinite(listed).all(axis=1))
        return listed[finite], [self.documents[place] for place in finite]

    def size_bits(self, rule: ReleaseRule) -> float:
        """Bits that what is released of one position takes, so that it cannot tell more: mean over the rows.

        A rounded number is one of the multiples of the step between the position's least and largest.
        """
        tokens, wide = self.rows.shape[1], 8 * np.dtype(self.dtype).itemsize
        match rule:
            case TopK(k):
                return order_bits(tokens, k) + wide * (k + 1)
            case Float16():
                return float(tokens * 8 * np.dtype(np.float16).itemsize)
            case Round():
                finite = np.isfinite(self.rows)
                high = self.rows.max(axis=1, where=finite, initial=-np.inf).astype(np.float64)
                span = high - self.rows.min(axis=1, where=finite, initial=np.inf)
                return float(min(tokens * np.log2(span / rule.step_nats + 1).mean(), tokens * wide))
            case _:
                return float(tokens * wide)
