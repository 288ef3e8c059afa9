"""A suffix array over a corpus's tokens, and the kernels that read longest matches and their followers from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydivsufsort import divsufsort

from foretell.forecasters.tokenized_corpus import TokenizedCorpus

#: Stands after every document, below every token: a match never goes past it, and it is no follower.
_END = 0


@dataclass(frozen=True)
class SuffixIndex:
    """All suffixes of all documents in order, so that the occurrences of any token string are neighbours.

    Attributes:
        sequence: (tokens + documents,): token id + 1, and 0 after every document.
        order: (tokens + documents,): where each suffix begins, in order of the suffixes.
        common: (tokens + documents,): tokens that a suffix shares with the one before it, up to a document's end.
        first: (vocabulary + 2,): the suffixes that begin with symbol s are first[s] to first[s + 1].
    """

    sequence: NDArray[Any]
    order: NDArray[np.int32]
    common: NDArray[np.int32]
    first: NDArray[np.int64]


def index_corpus(corpus: TokenizedCorpus, vocabulary: int) -> SuffixIndex:
    """Sort the suffixes of a corpus: about 4 s for 3 million tokens.

    Source: libdivsufsort (Mori) for the order; Kasai et al. 2001 for the common prefixes.
    """
    ends = corpus.offsets[1:]
    symbols = np.insert(corpus.tokens.astype(np.int64) + 1, ends, _END)
    sequence = symbols.astype(np.uint16 if vocabulary <= np.iinfo(np.uint16).max else np.uint32)
    order = divsufsort(sequence).astype(np.int32)
    first = np.concatenate([[0], np.cumsum(np.bincount(symbols, minlength=vocabulary + 1))])
    return SuffixIndex(sequence, order, _common_prefixes(sequence, order), first)


@njit(cache=True, nogil=True)
def _common_prefixes(sequence: NDArray[Any], order: NDArray[np.int32]) -> NDArray[np.int32]:
    """Kasai's algorithm; a document's end matches nothing, not even another end."""
    size = len(order)
    rank = np.empty(size, np.int32)
    for index in range(size):
        rank[order[index]] = index
    common = np.zeros(size, np.int32)
    shared = 0
    for begin in range(size):
        if rank[begin] == 0:
            shared = 0
            continue
        other = order[rank[begin] - 1]
        while sequence[begin + shared] == sequence[other + shared] and sequence[begin + shared] != _END:
            shared += 1
        common[rank[begin]] = shared
        shared = max(shared - 1, 0)
    return common


@njit(cache=True, nogil=True)
def _bound(sequence: NDArray[Any], order: NDArray[np.int32], lo: int, hi: int, depth: int, symbol: int) -> int:
    """The first suffix from lo to hi whose token at that depth is at least the symbol."""
    while lo < hi:
        middle = (lo + hi) // 2
        if sequence[order[middle] + depth] < symbol:
            lo = middle + 1
        else:
            hi = middle
    return lo


@njit(cache=True, nogil=True)
def _mix_in(
    index: tuple[Any, ...], lo: int, hi: int, depth: int, passed_on: float, row: NDArray[np.float64], scratch: Any
) -> float:
    """Interpolate one context's followers into a row that is kept relative to `passed_on`.

    Args:
        row: (vocabulary,): log p(w) − passed_on.
        scratch: room for followers and their counts.

    Returns:
        The new `passed_on`: log of the product of the weights that shorter contexts have.
    """
    sequence, order, common = index
    tokens, counts = scratch
    types = total = 0
    begin = lo
    while begin < hi:
        end = begin + 1
        while end < hi and common[end] > depth:
            end += 1
        symbol = sequence[order[begin] + depth]
        if symbol != _END:
            tokens[types] = symbol - 1
            counts[types] = end - begin
            total += end - begin
            types += 1
        begin = end
    if total == 0:
        return passed_on
    passed_on += np.log(types / (total + types))
    for slot in range(types):
        own = np.log(counts[slot] / (total + types)) - passed_on
        old = row[tokens[slot]]
        top = max(own, old)
        row[tokens[slot]] = top + np.log1p(np.exp(-abs(own - old)))
    return passed_on


@njit(cache=True, nogil=True)
def fill_rows(
    index: tuple[Any, ...],
    first: NDArray[np.int64],
    prompt: NDArray[np.int64],
    positions: NDArray[np.int64],
    base: NDArray[np.float64],
    rows: NDArray[Any],
) -> None:
    """Walk along a prompt with the occurrences of all its matching suffixes, and write a row at each position.

    The suffixes that occur in the corpus are those that begin at `oldest` or later: if a string occurs, so does it
    without its first token. Each step reads one more token and narrows every interval by binary search, so a match of
    length L costs L narrowings a token, most of them of intervals of one. A suffix that occurs at the same places as
    the one shorter by a token is passed over.

    Args:
        index: sequence, order and common prefixes of a SuffixIndex.
        prompt: symbols (token id + 1).
        positions: ascending.
        base: (vocabulary,): log-probabilities without context.
        rows: (positions, vocabulary), written.
    """
    sequence, order, _ = index
    lows = np.zeros(len(prompt), np.int64)
    highs = np.zeros(len(prompt), np.int64)
    scratch = (np.empty(len(base), np.int64), np.empty(len(base), np.int64))
    row = np.empty(len(base))
    oldest = slot = 0
    for place in range(positions[-1] + 1):
        symbol = prompt[place]
        lows[place], highs[place] = first[symbol], first[symbol + 1]
        for begin in range(oldest, place):
            depth = place - begin
            lo = _bound(sequence, order, lows[begin], highs[begin], depth, symbol)
            highs[begin] = _bound(sequence, order, lo, highs[begin], depth, symbol + 1)
            lows[begin] = lo
            if lo == highs[begin]:
                oldest = begin + 1
        if lows[place] == highs[place]:
            oldest = place + 1
        if place == positions[slot]:
            row[:] = base
            passed_on, occurrences = 0.0, -1
            for begin in range(place, oldest - 1, -1):
                if highs[begin] - lows[begin] == occurrences:
                    continue  # the same places as the shorter suffix: no evidence of its own
                occurrences = highs[begin] - lows[begin]
                passed_on = _mix_in(index, lows[begin], highs[begin], place - begin + 1, passed_on, row, scratch)
            rows[slot] = row + passed_on
            slot += 1
