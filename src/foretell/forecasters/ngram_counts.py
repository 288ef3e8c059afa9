"""Counts of token n-grams of a corpus, as a trie by levels: what Kneser-Ney and the built tables are made from.

A node of level k is an n-gram of k tokens that occurs within one document; n-grams never straddle documents. Nodes of a
level lie in order of their tokens, so the children of a node are neighbours on the next level, and the n-gram without
its first token is a node one level up (its *suffix*).

Two counts a node, both of *events*, tokens that had to be predicted (the start tokens that a tokenizer's template adds
are context, never events):
- raw: how often the n-gram occurs with an event at its end;
- starts: how many documents begin with it so. Nothing precedes those occurrences, so a beginning counts as a
  predecessor unlike any other. For n-grams that open with a start token this makes the adjusted count the raw one.

Source: adjusted counts as in Heafield et al. 2013, "Scalable Modified Kneser-Ney", section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError
from foretell.forecasters.tokenized_corpus import TokenizedCorpus

MAX_ORDER = 8
_Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Level:
    """The n-grams of one length.

    Attributes:
        first: (parents + 1,): the children of parent p are the nodes first[p] to first[p + 1].
        tokens: (nodes,): the last token.
        suffix: (nodes,): the node of the level above that lacks the first token (0, the root, on level 1).
        raw: (nodes,): occurrences as events.
        starts: (nodes,): documents that begin with it, as an event.
    """

    first: NDArray[np.int64]
    tokens: _Ints
    suffix: _Ints
    raw: _Ints
    starts: _Ints

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class NgramCounts:
    """All n-grams of a corpus up to an order. Level 1 has a node for every token of the vocabulary, seen or not."""

    vocabulary: int
    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """The longest n-grams' length."""
        return len(self.levels)

    def level(self, length: int) -> Level:
        """The n-grams of that length, from 1."""
        return self.levels[length - 1]

    def adjusted(self, length: int, top: int) -> _Ints:
        """Counts that Kneser-Ney of order `top` uses for n-grams of that length: (nodes,).

        Raw for the top order; below it the number of different tokens that precede the n-gram, plus the documents
        that begin with it.
        """
        level = self.level(length)
        if length == top:
            return level.raw
        longer = self.level(length + 1)
        distinct = np.bincount(longer.suffix[longer.raw > 0], minlength=len(level))
        return (distinct + level.starts).astype(np.int32)

    def nodes(self, tokens: NDArray[np.int64], length: int) -> list[NDArray[np.int64]]:
        """For each length up to the given, the node of the n-gram that *begins* at each token, -1 where unseen.

        Args:
            tokens: (tokens,), ids below the vocabulary's size.

        Returns:
            Arrays of (tokens − k + 1,) for k = 1 … length (empty where the text is shorter).
        """
        found = [tokens]
        for k in range(2, length + 1):
            parents = found[-1][: max(len(tokens) - k + 1, 0)]
            found.append(_child(self.level(k), parents, tokens[k - 1 :]))
        return found


def _child(level: Level, parents: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Binary search of each token among the children of its parent, all at once; -1 where there is none."""
    known = parents >= 0
    lo = np.where(known, level.first[parents], 0)
    hi = end = np.where(known, level.first[parents + 1], 0)
    while np.any(open_ := lo < hi):
        middle = (lo + hi) // 2
        less = open_ & (level.tokens[np.minimum(middle, len(level) - 1)] < tokens)
        lo = np.where(less, middle + 1, lo)
        hi = np.where(open_ & ~less, middle, hi)
    if not len(level):
        return np.full(len(parents), -1, np.int64)
    hit = (lo < end) & (level.tokens[np.minimum(lo, len(level) - 1)] == tokens)
    return np.where(hit, lo, -1)


def check_order(order: int, where: str) -> None:
    """Raise an InputError unless the order is from 1 to MAX_ORDER."""
    if not 1 <= order <= MAX_ORDER:
        raise InputError(
            "bad order",
            where=where,
            got=str(order),
            expected=f"an n-gram order from 1 to {MAX_ORDER}",
            fix="Orders 3 to 5 are usual; `infinigram:` has no limit.",
        )


def count_ngrams(corpus: TokenizedCorpus, vocabulary: int, order: int) -> NgramCounts:
    """Count the n-grams of a corpus.

    One sort of 8-byte keys a level: about 0.7 s a level for 3 million tokens.

    Args:
        vocabulary: number of token ids.
        order: length of the longest n-grams, 1 to 8.
    """
    check_order(order, str(corpus.facts.get("corpus")))
    counting = _Counting(corpus, vocabulary)
    return NgramCounts(vocabulary, tuple(counting.level(k) for k in range(1, order + 1)))


class _Counting:
    """The state of a count: for each place of the corpus, the node of the n-gram that begins there."""

    def __init__(self, corpus: TokenizedCorpus, vocabulary: int) -> None:
        self.tokens, self.vocabulary = corpus.tokens.astype(np.int64), vocabulary
        lengths = np.diff(corpus.offsets)
        self.beginnings, self.lengths = corpus.offsets[:-1], lengths
        #: distance from each place to its document's end, and whether the token there is an event
        self.left = np.repeat(corpus.offsets[1:], lengths) - np.arange(len(self.tokens))
        self.event = np.repeat(lengths, lengths) - self.left >= corpus.given
        self.given = corpus.given
        self.node = self.tokens
        self.parents = 1

    def level(self, length: int) -> Level:
        """The next level; called for 1, 2, 3 …"""
        level = self._level_one() if length == 1 else self._longer(length)
        self.parents = len(level)
        return level

    def _starts(self, length: int, nodes: int) -> _Ints:
        if length <= self.given:  # the end of such a beginning is no event
            return np.zeros(nodes, np.int32)
        begin = self.beginnings[self.lengths >= length]
        return np.bincount(self.node[begin], minlength=nodes).astype(np.int32)

    def _level_one(self) -> Level:
        size = self.vocabulary
        raw = np.bincount(self.tokens[self.event], minlength=size).astype(np.int32)
        first = np.array([0, size])
        return Level(first, np.arange(size, dtype=np.int32), np.zeros(size, np.int32), raw, self._starts(1, size))

    def _longer(self, length: int) -> Level:
        places = np.flatnonzero(self.left >= length)
        keys = self.node[places] * self.vocabulary + self.tokens[places + length - 1]
        order = np.argsort(keys)
        keys, places = keys[order], places[order]
        new = np.ones(len(keys), bool)
        new[1:] = keys[1:] != keys[:-1]
        rank = np.cumsum(new) - 1
        representative = places[new]
        suffix = self.node[representative + 1].astype(np.int32)
        parents, tokens = np.divmod(keys[new], self.vocabulary)
        raw = np.bincount(rank[self.event[places + length - 1]], minlength=len(parents)).astype(np.int32)
        self.node = np.full(len(self.tokens), -1, np.int64)
        self.node[places] = rank
        first = np.searchsorted(parents, np.arange(self.parents + 1))
        return Level(first, tokens.astype(np.int32), suffix, raw, self._starts(length, len(parents)))


def raw_from_longer(longer: Level, starts: _Ints) -> _Ints:
    """Raw counts of a level from those one longer: what is preceded, plus what begins a document: (nodes,).

    Sums are exact: float64 holds integers to 2⁵³.
    """
    preceded = np.bincount(longer.suffix, weights=longer.raw, minlength=len(starts))
    return (preceded + starts).astype(np.int32)


def children_sums(level: Level, values: NDArray[Any]) -> NDArray[np.int64]:
    """Sum of the values of each parent's children: (parents,)."""
    total = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
    return np.asarray(total[level.first[1:]] - total[level.first[:-1]], np.int64)
