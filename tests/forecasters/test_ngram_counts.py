"""Tests of the counting trie against counts kept in dictionaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given as with_data
from hypothesis import strategies as st

from foretell.base.errors import InputError
from foretell.forecasters.ngram_counts import NgramCounts, count_ngrams
from foretell.forecasters.tokenized_corpus import TokenizedCorpus

SIZE = 4
Build = Callable[..., TokenizedCorpus]
DOCUMENTS = st.lists(st.lists(st.integers(0, SIZE - 1), max_size=12), min_size=1, max_size=5)


def spelled(counts: NgramCounts, length: int) -> list[tuple[int, ...]]:
    """The n-gram of every node of a level."""
    if length == 0:
        return [()]
    level, shorter = counts.level(length), spelled(counts, length - 1)
    return [
        (*shorter[parent], int(level.tokens[child]))
        for parent in range(len(shorter))
        for child in range(level.first[parent], level.first[parent + 1])
    ]


@with_data(DOCUMENTS, st.integers(0, 2), st.integers(1, 5))
def test_counts_are_those_of_a_dictionary(lay_out: Build, documents: list[list[int]], opening: int, order: int) -> None:
    counts = count_ngrams(lay_out(documents, opening), SIZE, order)
    for length in range(1, order + 1):
        raw: Counter[tuple[int, ...]] = Counter()
        starts: Counter[tuple[int, ...]] = Counter()
        for document in documents:
            for begin in range(len(document) - length + 1):
                event = begin + length - 1 >= opening
                raw[tuple(document[begin : begin + length])] += event
                starts[tuple(document[begin : begin + length])] += event and begin == 0
        names = spelled(counts, length)
        level = counts.level(length)
        assert len(names) == len(set(names))
        assert set(raw) <= set(names)
        assert dict(zip(names, level.raw.tolist(), strict=True)) == {name: raw[name] for name in names}
        assert dict(zip(names, level.starts.tolist(), strict=True)) == {name: starts[name] for name in names}
        if length > 1:
            assert set(names) == set(raw)
            shorter = spelled(counts, length - 1)
            assert [shorter[node] for node in level.suffix] == [name[1:] for name in names]


def test_ngrams_do_not_straddle_documents(lay_out: Build) -> None:
    counts = count_ngrams(lay_out([[0, 1], [2, 3]]), SIZE, 2)
    assert spelled(counts, 2) == [(0, 1), (2, 3)]


@with_data(DOCUMENTS, st.lists(st.integers(0, SIZE - 1), max_size=8))
def test_nodes_of_a_prompt_spell_it(lay_out: Build, documents: list[list[int]], prompt: list[int]) -> None:
    counts = count_ngrams(lay_out(documents), SIZE, 3)
    for length, found in enumerate(counts.nodes(np.array(prompt, np.int64), 3), 1):
        names = spelled(counts, length)
        expected = [tuple(prompt[i : i + length]) for i in range(len(prompt) - length + 1)]
        assert [names[node] if node >= 0 else None for node in found] == [
            name if name in names else None for name in expected
        ]


@pytest.mark.parametrize("order", [0, 9])
def test_an_order_out_of_range_is_refused(lay_out: Build, order: int) -> None:
    with pytest.raises(InputError, match=f"bad order: got {order}, expected an n-gram order from 1 to 8"):
        count_ngrams(lay_out([[0, 1]]), SIZE, order)
