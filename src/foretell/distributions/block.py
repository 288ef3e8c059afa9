"""Blocks: next-token distributions of a few positions in memory, in one of three kinds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import DistributionError

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]


@dataclass(frozen=True)
class Head:
    """An output layer: how final hidden states become logits.

    logits = softcap·tanh(z / softcap) with z = scale · (hidden @ weight.T + bias); softcap 0 means none.

    Attributes:
        weight: float32 (vocabulary, d).
        bias: float32 (vocabulary,) or None.
    """

    weight: FloatArray
    bias: FloatArray | None = None
    scale: float = 1.0
    softcap: float = 0.0

    def logits(self, hidden: FloatArray) -> FloatArray:
        """Logits, float32 (positions, vocabulary), from hidden states (positions, d)."""
        logits = np.asarray(hidden, np.float32) @ self.weight.T
        if self.bias is not None:
            logits += self.bias
        if self.scale != 1.0:
            logits *= np.float32(self.scale)
        if self.softcap:
            logits /= np.float32(self.softcap)
            np.tanh(logits, out=logits)
            logits *= np.float32(self.softcap)
        return logits


@dataclass(frozen=True)
class DenseBlock:
    """Natural-log probabilities (positions, vocabulary), float32, float16 or float64; -inf is probability zero."""

    logprobs: FloatArray

    def __len__(self) -> int:
        return len(self.logprobs)


@dataclass(frozen=True)
class TopKBlock:
    """The k listed tokens of each position and the log of the mass that is not listed.

    Attributes:
        token_ids: (positions, k), different within a row; rows that list fewer are padded with -1.
        logprobs: (positions, k); -inf where padded.
        rest_logprob: (positions,), log(1 − Σ listed); -inf where nothing is left.
    """

    token_ids: IntArray
    logprobs: FloatArray
    rest_logprob: FloatArray

    def __len__(self) -> int:
        return len(self.token_ids)


@dataclass(frozen=True)
class FactoredBlock:
    """Final hidden states (positions, d) and the output layer that turns them into logits."""

    hidden: FloatArray
    head: Head

    def __len__(self) -> int:
        return len(self.hidden)


Block = DenseBlock | TopKBlock | FactoredBlock


def rows(block: Block, start: int, stop: int) -> Block:
    """Positions start to stop of a block, without copying."""
    match block:
        case DenseBlock(logprobs):
            return DenseBlock(logprobs[start:stop])
        case TopKBlock(ids, logprobs, rest):
            return TopKBlock(ids[start:stop], logprobs[start:stop], rest[start:stop])
        case FactoredBlock(hidden, head):
            return FactoredBlock(hidden[start:stop], head)


def concatenate(blocks: list[Block]) -> Block:
    """Blocks of one kind, one after the other; a single block is returned as it is.

    Raises:
        DistributionError: the blocks are of different kinds.
    """
    if len(blocks) == 1:
        return blocks[0]
    kinds = {type(block) for block in blocks}
    if kinds == {DenseBlock}:
        return DenseBlock(np.concatenate([b.logprobs for b in blocks if isinstance(b, DenseBlock)]))
    if kinds == {FactoredBlock}:
        hidden = [b for b in blocks if isinstance(b, FactoredBlock)]
        return FactoredBlock(np.concatenate([b.hidden for b in hidden]), hidden[0].head)
    if kinds == {TopKBlock}:
        return _concatenate_top_k([b for b in blocks if isinstance(b, TopKBlock)])
    raise DistributionError(
        "blocks of different kinds",
        where="the distributions of several prompts",
        got=" and ".join(sorted(kind.__name__ for kind in kinds)),
        expected="one kind for all prompts",
        fix="Give a full vector at every position, or k tokens and the rest at every position.",
    )


def _concatenate_top_k(blocks: list[TopKBlock]) -> TopKBlock:
    width = max(block.token_ids.shape[1] for block in blocks)

    def pad(array: np.ndarray, filler: float) -> np.ndarray:
        return np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=filler)

    return TopKBlock(
        np.concatenate([pad(b.token_ids, -1) for b in blocks]),
        np.concatenate([pad(b.logprobs, -np.inf) for b in blocks]),
        np.concatenate([b.rest_logprob for b in blocks]),
    )


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Natural-log probabilities, float32, normalised in double precision.

    Args:
        logits: (positions, vocabulary).

    >>> np.exp(log_softmax(np.zeros((1, 4), np.float32))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    top = logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(axis=1, keepdims=True, dtype=np.float64))
    return np.asarray((logits - top - total).astype(np.float32))
