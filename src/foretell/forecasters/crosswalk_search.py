"""Summing over the ways in which another model can write on: a best-first walk through its token sequences.

The other model writes tokens; what counts is their bytes. From a history of its own tokens on, every sequence of tokens
is a node. A node's text must agree with the bytes that are known to come first (the end of the prompt, which is taken
back so that a token of the other model may reach over it) and goes on from there. Children of one node exclude each
other and their probabilities sum to the node's, so no mass is lost or counted twice, whatever is expanded.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foretell.forecasters.crosswalk_reading import UNFIT, UNREADABLE, Readings

_Floats = NDArray[np.float64]
#: Nodes that are expanded in one call of the model.
_AT_ONCE = 4
#: Continuations of a smaller share than this of what is known to have begun are not read one by one.
_SMALL_SHARE = 1e-5
#: The walk ends early when no more than this share is open.
_OPEN_ENOUGH = 1e-3
#: Nodes that are expanded beyond the budget where nothing was found at all: the known bytes can be hard to reach.
EXTRA_NODES = 32
_AFTER_ALL = b"\xff" * 64


class Pieces:
    """The bytes of a vocabulary's tokens, with look-up by prefix.

    Attributes:
        texts: of each token id; b"" for special tokens.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.texts = list(texts)
        self._order = sorted((text, token) for token, text in enumerate(texts) if text)
        self._sorted = [text for text, _ in self._order]
        self.written = np.array([token for _, token in self._order], np.int64)
        self.special = np.array([token for token, text in enumerate(texts) if not text], np.int64)

    def beginning_with(self, start: bytes) -> NDArray[np.int64]:
        """The tokens whose bytes begin with these (and may go on).

        >>> Pieces([b"", b"ab", b"a", b"b", b"abc"]).beginning_with(b"ab").tolist()
        [1, 4]
        """
        first = bisect_left(self._sorted, start)
        return self.written[first : bisect_left(self._sorted, start + _AFTER_ALL, lo=first)]

    def inside(self, text: bytes) -> list[int]:
        """The tokens whose bytes are a beginning of the text, but not the whole of it.

        >>> Pieces([b"", b"ab", b"a", b"b", b"abc"]).inside(b"abc")
        [2, 1]
        """
        found = []
        for stop in range(1, len(text)):
            at = bisect_left(self._sorted, text[:stop])
            while at < len(self._sorted) and self._sorted[at] == text[:stop]:
                found.append(int(self.written[at]))
                at += 1
        return found


@dataclass(order=True)
class _Node:
    """A sequence of the other model's tokens after the history; nodes of the path first, then the heaviest."""

    rank: tuple[bool, float, tuple[int, ...]]
    mass: float = field(compare=False)
    tokens: tuple[int, ...] = field(compare=False)
    text: bytes = field(compare=False)
    reading: int = field(compare=False, default=UNREADABLE)


@dataclass(frozen=True)
class Question:
    """What a walk is about.

    Attributes:
        known: bytes that are known to come first; b"" when nothing was taken back.
        path: the other model's own tokens of `known`: they are expanded first and cost nothing. Where `known` ends
            within a character they may cover less than all of it.
        alone: what each of its tokens reads as without the prompt, UNFIT or UNREADABLE: for tokens of small mass.
        ends: of its special tokens, the target's special token with the same spelling, or UNFIT.
    """

    known: bytes
    path: tuple[int, ...]
    pieces: Pieces
    alone: NDArray[np.int64]
    ends: NDArray[np.int64]
    vocabulary: int


@dataclass(frozen=True)
class Continuations:
    """The mass of what comes next, as far as it was followed; in shares of the mass at the history.

    Attributes:
        settled: (vocabulary,), mass of continuations whose first token is settled.
        open: (vocabulary,), mass of continuations that read so if the text ended there.
        pending: all mass that is not settled: `open`, and what may turn out to fit the prompt or not.
        expanded: nodes that were asked for beyond the path.
    """

    settled: _Floats
    open: _Floats
    pending: float
    expanded: int

    @property
    def tv_bound(self) -> float:
        """How far settled + open, normalised, can be from the sum over everything: in total variation, at most.

        Both contain the settled mass S, and neither has more than S + pending, so their normalised minimum has at
        least S / (S + pending).
        """
        settled = float(self.settled.sum())
        return self.pending / (settled + self.pending) if settled + self.pending > 0 else 1.0


Ask = Callable[[list[tuple[int, ...]]], NDArray[np.floating]]
Read = Callable[[Sequence[bytes]], Readings]


class Walk:
    """One walk: expand the heaviest open node until little is open or the budget is spent.

    Args:
        ask: log-probabilities (sequences, other vocabulary) after the history and each of these sequences.
        read: which token the target reads first, for texts that come after the prompt.
        budget: nodes beyond the path that may be expanded; some more only until anything is found.
    """

    def __init__(self, question: Question, ask: Ask, read: Read, budget: int) -> None:
        self.question, self.ask, self.read, self.budget = question, ask, read, budget
        self.settled = np.zeros(question.vocabulary)
        self.open = np.zeros(question.vocabulary)
        self.small = 0.0  # pending mass that is in no node
        self.begun = 0.0  # mass that is known to have written the known bytes
        self.heap: list[_Node] = []

    def run(self) -> Continuations:
        """Walk."""
        self._push(1.0, (), b"", UNREADABLE)
        expanded = 0
        while self.heap:
            batch = [heapq.heappop(self.heap)]
            on_path = self._on_path(batch[0].tokens)
            if not on_path:
                if self._enough(batch[0], expanded):
                    heapq.heappush(self.heap, batch[0])
                    break
                while self.heap and len(batch) < min(_AT_ONCE, self.budget - expanded):
                    batch.append(heapq.heappop(self.heap))
                expanded += len(batch)
            rows = np.exp(np.asarray(self.ask([node.tokens for node in batch]), np.float64))
            for node, row in zip(batch, rows, strict=True):
                self._expand(node, row)
        pending = self._pending([])
        for node in self.heap:
            if node.reading >= 0:
                self.open[node.reading] += node.mass
        return Continuations(self.settled, self.open, pending, expanded)

    def _enough(self, next_node: _Node, expanded: int) -> bool:
        if expanded < self.budget:
            return self._pending([next_node]) <= _OPEN_ENOUGH * float(self.settled.sum())
        found = self.settled.any() or any(node.reading >= 0 for node in (next_node, *self.heap))
        return bool(found) or expanded >= self.budget + EXTRA_NODES

    def _on_path(self, tokens: tuple[int, ...]) -> bool:
        return self.question.path[: len(tokens)] == tokens

    def _pending(self, more: list[_Node]) -> float:
        return self.small + sum(node.mass for node in self.heap) + sum(node.mass for node in more)

    def _push(self, mass: float, tokens: tuple[int, ...], text: bytes, reading: int) -> None:
        if mass > 0:
            heapq.heappush(self.heap, _Node((not self._on_path(tokens), -mass, tokens), mass, tokens, text, reading))

    def _expand(self, node: _Node, row: _Floats) -> None:
        known, pieces = self.question.known, self.question.pieces
        missing = known[len(node.text) :]
        if not missing:
            if len(node.text) == len(known):
                self.begun += node.mass
            self._end(node, row)
            self._read(node, row, pieces.written)
            return
        for token in pieces.inside(missing):
            self._push(node.mass * row[token], (*node.tokens, token), node.text + pieces.texts[token], UNREADABLE)
        reaching = pieces.beginning_with(missing)
        whole = np.array([len(pieces.texts[token]) == len(missing) for token in reaching], bool)
        for token in reaching[whole]:
            self._push(node.mass * row[token], (*node.tokens, int(token)), known, UNREADABLE)
        self.begun += node.mass * float(row[reaching[~whole]].sum())
        self._read(node, row, reaching[~whole])

    def _end(self, node: _Node, row: _Floats) -> None:
        """The text ends here: the target's special token of that name, or what stands at the end is settled."""
        special = self.question.pieces.special
        if node.reading == UNREADABLE and len(node.text) == len(self.question.known):
            named = self.question.ends[special]
            np.add.at(self.settled, named[named >= 0], node.mass * row[special[named >= 0]])
        elif node.reading >= 0:
            self.settled[node.reading] += node.mass * row[special].sum()

    def _read(self, node: _Node, row: _Floats, tokens: NDArray[np.int64]) -> None:
        """Children that reach beyond the known bytes: the large ones are read, the small ones taken as their start."""
        texts, known = self.question.pieces.texts, len(self.question.known)
        masses = node.mass * row[tokens]
        large = masses >= _SMALL_SHARE * self.begun
        chosen = tokens[large].tolist()
        written = [node.text + texts[token] for token in chosen]
        found = self.read([text[known:] for text in written])
        settled = found.settled & (found.tokens >= 0)
        np.add.at(self.settled, found.tokens[settled], masses[large][settled])
        for at in np.flatnonzero(~found.settled).tolist():
            self._push(float(masses[large][at]), (*node.tokens, chosen[at]), written[at], int(found.tokens[at]))
        self._lump(node, tokens[~large], masses[~large])

    def _lump(self, node: _Node, tokens: NDArray[np.int64], masses: _Floats) -> None:
        self.small += float(masses.sum())
        if node.reading >= 0:
            self.open[node.reading] += masses.sum()
        elif node.reading == UNREADABLE and len(node.text) == len(self.question.known):
            alone = self.question.alone[tokens]
            np.add.at(self.open, alone[alone >= 0], masses[alone >= 0])


__all__ = ["UNFIT", "UNREADABLE", "Continuations", "Pieces", "Question", "Walk"]
