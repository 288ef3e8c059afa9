"""Tests of the infinigram against a search through lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given as with_data
from hypothesis import strategies as st

from foretell.base.errors import VocabularyError
from foretell.distributions import TokenizedPrompt, check_block
from foretell.forecasters.infinigram import InfinigramForecaster
from foretell.forecasters.suffix_index import index_corpus
from foretell.forecasters.tokenized_corpus import TokenizedCorpus

SIZE = 4
Build = Callable[..., TokenizedCorpus]
DOCUMENTS = st.lists(st.lists(st.integers(0, SIZE - 1), max_size=25), min_size=1, max_size=5)
PROMPT = st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=10)


def searched(documents: Sequence[Sequence[int]], opening: int, context: Sequence[int]) -> list[float]:
    """Witten-Bell by definition: find the places of each suffix, skip one whose places are the shorter one's."""
    events = [token for document in documents for token in document[opening:]]
    counts = Counter(events)
    row = [(counts[w] + len(counts) / SIZE) / (len(events) + len(counts)) for w in range(SIZE)]
    before: int | None = None
    for length in range(1, len(context) + 1):
        suffix = list(context[-length:])
        places = [
            (d, i + length)
            for d, document in enumerate(documents)
            for i in range(len(document) - length + 1)
            if list(document[i : i + length]) == suffix
        ]
        if len(places) == before:
            continue
        before = len(places)
        followers = Counter(documents[d][end] for d, end in places if end < len(documents[d]))
        if followers:
            total, types = sum(followers.values()), len(followers)
            row = [(followers[w] + types * row[w]) / (total + types) for w in range(SIZE)]
    return row


@with_data(DOCUMENTS, PROMPT, st.integers(0, 1))
def test_probabilities_are_those_of_a_search(
    lay_out: Build, documents: list[list[int]], prompt: list[int], opening: int
) -> None:
    documents = [*documents, [0, 1, 2]]
    model = InfinigramForecaster("i", lay_out(documents, opening), SIZE)
    rows = np.exp(model.at(prompt, range(len(prompt))))
    for position, row in enumerate(rows):
        np.testing.assert_allclose(row, searched(documents, opening, prompt[: position + 1]), rtol=1e-10)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-9)


@with_data(DOCUMENTS)
def test_suffixes_are_in_order_with_their_common_prefixes(lay_out: Build, documents: list[list[int]]) -> None:
    index = index_corpus(lay_out([*documents, [0]]), SIZE)
    symbols = index.sequence.tolist()
    suffixes = [symbols[begin:] for begin in index.order]
    assert suffixes == sorted(suffixes)
    for (one, other), common in zip(pairwise(suffixes), index.common[1:], strict=True):
        shared = 0
        while one[shared] == other[shared] != 0:
            shared += 1
        assert common == shared


def test_a_repeated_long_match_keeps_every_token_mass(lay_out: Build) -> None:
    rng = np.random.default_rng(2)
    document = rng.integers(0, SIZE, 3000).tolist()
    # each longer match has fewer places, down to one: the mass of the others shrinks as far as doubles go and beyond
    nested = [document[begin:] for begin in range(0, 3000, 3)]
    model = InfinigramForecaster("i", lay_out(nested), SIZE)
    row = model.log_probabilities(document[:2999])
    assert np.isfinite(row).all()
    assert row.argmax() == document[2999]
    assert abs(np.exp(row).sum() - 1) < 1e-9


def test_one_place_counts_once_however_long_the_match(lay_out: Build) -> None:
    rng = np.random.default_rng(5)
    document = rng.integers(0, SIZE, 300).tolist()
    model = InfinigramForecaster("i", lay_out([document]), SIZE)
    rows = model.at(document[:200], [20, 199])
    assert np.exp(rows[:, document[21]])[0] < 0.99
    assert np.exp(rows[:, document[200]])[1] < 0.99


@pytest.mark.parametrize("size", [255, 65_535, 65_536, 262_144])
def test_ids_of_any_width_sort(lay_out: Build, size: int) -> None:
    documents = [[size - 1, 0, size - 1, 1], [size - 2, 0, size - 1, 1, 256 % size]]
    model = InfinigramForecaster("i", lay_out(documents), size)
    assert model.log_probabilities([0, size - 1]).argmax() == 1
    assert abs(np.exp(model.log_probabilities([1])).sum() - 1) < 1e-9


def test_no_match_runs_past_a_document(lay_out: Build) -> None:
    apart = InfinigramForecaster("i", lay_out([[0, 1], [2, 3]]), SIZE)
    np.testing.assert_allclose(apart.log_probabilities([0, 1]), apart.log_probabilities([]))


def test_the_forecaster_gives_checked_float32_rows(lay_out: Build, ask: Callable[..., TokenizedPrompt]) -> None:
    forecaster = InfinigramForecaster("i", lay_out([[0, 1, 2, 3, 1, 2]]), SIZE)
    block = forecaster.forecast(ask([1, 2, 3], [0, 2]))
    check_block(block, SIZE, "infinigram")
    assert block.logprobs.dtype == np.float32
    np.testing.assert_allclose(block.logprobs[1], forecaster.log_probabilities([1, 2, 3]), rtol=1e-6)
    assert forecaster.describe()["text"]["tokens"] == 6


def test_a_prompt_of_another_vocabulary_is_refused(lay_out: Build) -> None:
    with pytest.raises(VocabularyError, match="unknown token id in a prompt: got 7"):
        InfinigramForecaster("i", lay_out([[0, 1]]), SIZE).log_probabilities([0, 7])
