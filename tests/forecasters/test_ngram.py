"""Tests of Kneser-Ney against the textbook: dictionaries, fractions, recursion, one token at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given as with_data
from hypothesis import strategies as st

from foretell.base.errors import InputError, VocabularyError
from foretell.distributions import TokenizedPrompt, check_block
from foretell.forecasters.ngram import KneserNey, NgramForecaster, discount
from foretell.forecasters.ngram_counts import count_ngrams
from foretell.forecasters.tokenized_corpus import TokenizedCorpus

SIZE = 5
Build = Callable[..., TokenizedCorpus]
Gram = tuple[int, ...]
DOCUMENTS = st.lists(st.lists(st.integers(0, SIZE - 1), max_size=14), min_size=1, max_size=5)


class Textbook:
    """Interpolated Kneser-Ney as it is written in papers."""

    def __init__(self, documents: Sequence[Sequence[int]], opening: int, order: int) -> None:
        self.order = order
        events: dict[Gram, int] = {}
        predecessors: dict[Gram, set[object]] = {}
        for number, document in enumerate(documents):
            for end in range(opening, len(document)):
                for length in range(1, order + 1):
                    begin = end - length + 1
                    if begin < 0:
                        continue
                    gram = tuple(document[begin : end + 1])
                    events[gram] = events.get(gram, 0) + 1
                    # what stands before it: a token, or the beginning of this very document
                    before = document[begin - 1] if begin else ("beginning", number)
                    predecessors.setdefault(gram, set()).add(before)
        self.count = {gram: raw if len(gram) == order else len(predecessors[gram]) for gram, raw in events.items()}
        self.cut = [self._cut(length) for length in range(order + 1)]

    def _cut(self, length: int) -> Fraction:
        of_length = [value for gram, value in self.count.items() if len(gram) == length]
        once, twice = of_length.count(1), of_length.count(2)
        if not once or not twice:
            once, twice = once + 1, twice + 1
        return Fraction(once, once + 2 * twice)

    def probability(self, context: Gram, token: int) -> Fraction:
        followers = {gram[-1]: n for gram, n in self.count.items() if gram[:-1] == context}
        shorter = self.probability(context[1:], token) if context else Fraction(1, SIZE)
        if not followers:
            return shorter
        total, cut = sum(followers.values()), self.cut[len(context) + 1]
        own = max(followers.get(token, 0) - cut, Fraction(0))
        return own / total + cut * len(followers) / total * shorter

    def distribution(self, context: Sequence[int]) -> list[float]:
        used = tuple(context[max(len(context) - self.order + 1, 0) :])
        return [float(self.probability(used, token)) for token in range(SIZE)]


def has_events(documents: Sequence[Sequence[int]], opening: int) -> bool:
    return any(len(document) > opening for document in documents)


@with_data(DOCUMENTS, st.integers(0, 2), st.integers(1, 5), st.lists(st.integers(0, SIZE - 1), max_size=7))
def test_probabilities_are_the_textbooks(
    lay_out: Build, documents: list[list[int]], opening: int, order: int, context: list[int]
) -> None:
    if not has_events(documents, opening):
        documents = [*documents, [0, 1, 2, 3]]
    model = KneserNey(count_ngrams(lay_out(documents, opening), SIZE, order), order)
    got = np.exp(model.log_probabilities(context))
    np.testing.assert_allclose(got, Textbook(documents, opening, order).distribution(context), rtol=1e-10)
    assert abs(got.sum() - 1) < 1e-9


@with_data(DOCUMENTS, st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=9), st.data())
def test_positions_of_a_prompt_are_its_prefixes(
    lay_out: Build, documents: list[list[int]], prompt: list[int], data: st.DataObject
) -> None:
    positions = sorted(data.draw(st.sets(st.integers(0, len(prompt) - 1), min_size=1)))
    model = KneserNey(count_ngrams(lay_out([*documents, [0, 1, 1]]), SIZE, 3), 3)
    rows = model.at(prompt, positions)
    for row, position in zip(rows, positions, strict=True):
        np.testing.assert_array_equal(row, model.log_probabilities(prompt[: position + 1]))


@with_data(DOCUMENTS, st.integers(0, 2), st.integers(1, 5))
def test_a_lower_order_of_a_table_is_counting_at_that_order(
    lay_out: Build, documents: list[list[int]], opening: int, order: int
) -> None:
    corpus = lay_out([*documents, [0, 1, 2, 3]], opening)
    cut = KneserNey(count_ngrams(corpus, SIZE, 5), order)
    counted = KneserNey(count_ngrams(corpus, SIZE, order), order)
    for context in ([], [0], [0, 1], [1, 2, 3, 4], [0, 1, 2, 3]):
        np.testing.assert_array_equal(cut.log_probabilities(context), counted.log_probabilities(context))


def test_hand_value_of_a_bigram(lay_out: Build) -> None:
    # "0 1 2 1 2 3": 01 ×1, 12 ×2, 21 ×1, 23 ×1, so D₂ = 3/5; predecessors 0: the beginning, 1: two, 2: one, 3: one,
    # so D₁ = 3/5 and p₁ = (0.4, 1.4, 0.4, 0.4)/5 + 0.6·4/5/4 = (0.2, 0.4, 0.2, 0.2).
    model = KneserNey(count_ngrams(lay_out([[0, 1, 2, 1, 2, 3]]), 4, 2), 2)
    expected = [0.3 * 0.2, 0.3 * 0.4, 0.7 + 0.3 * 0.2, 0.3 * 0.2]
    np.testing.assert_allclose(np.exp(model.log_probabilities([1])), expected, rtol=1e-12)


def test_nothing_is_learnt_across_the_boundary_of_documents(lay_out: Build) -> None:
    apart = KneserNey(count_ngrams(lay_out([[0, 1], [2, 3]]), SIZE, 2), 2)
    together = KneserNey(count_ngrams(lay_out([[0, 1, 2, 3]]), SIZE, 2), 2)
    np.testing.assert_allclose(apart.log_probabilities([1]), apart.log_probabilities([]))
    assert together.log_probabilities([1])[2] > apart.log_probabilities([1])[2]


def test_a_start_token_is_context_and_never_predicted(lay_out: Build) -> None:
    documents = [[0, 1, 2], [0, 1, 3], [0, 2, 3]]
    model = KneserNey(count_ngrams(lay_out(documents, given=1), 4, 3), 3)
    unigram = KneserNey(count_ngrams(lay_out(documents, given=1), 4, 1), 1)
    assert unigram.counts.level(1).raw.tolist() == [0, 2, 2, 2]
    # after the start token: 1 twice, 2 once, by raw counts because nothing precedes a beginning
    after = np.exp(model.log_probabilities([0]))
    assert after[1] > after[2] > after[3]
    assert after[0] == min(after)


@pytest.mark.parametrize(
    ("once", "twice", "expected"),
    [(6, 2, 0.6), (0, 0, 1 / 3), (0, 3, 1 / 9), (3, 0, 4 / 6)],
)
def test_a_discount_is_never_zero_or_one(once: int, twice: int, expected: float) -> None:
    assert discount(once, twice) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("document", [[2], [2, 2], [0, 0, 0, 0], [0, 1, 0, 1, 0, 1, 0, 1]])
def test_tiny_corpora_leave_every_token_mass(lay_out: Build, document: list[int]) -> None:
    model = KneserNey(count_ngrams(lay_out([document]), SIZE, 4), 4)
    for context in ([], document, document[:1], [4, 4]):
        probabilities = np.exp(model.log_probabilities(context))
        assert probabilities.min() > 0
        assert abs(probabilities.sum() - 1) < 1e-12


def test_a_large_vocabulary(lay_out: Build) -> None:
    size = 262_144
    rng = np.random.default_rng(1)
    documents = [rng.integers(size - 50, size, 400).tolist() for _ in range(3)]
    model = KneserNey(count_ngrams(lay_out(documents), size, 4), 4)
    row = model.log_probabilities(documents[0][10:13])
    assert row.argmax() == documents[0][13]
    assert abs(np.exp(row).sum() - 1) < 1e-9


def test_the_forecaster_gives_checked_float32_rows(lay_out: Build, ask: Callable[..., TokenizedPrompt]) -> None:
    corpus = lay_out([[0, 1, 2, 3, 1, 2]])
    forecaster = NgramForecaster("ngram:3:x", count_ngrams(corpus, SIZE, 3), 3, corpus.describe())
    block = forecaster.forecast(ask([1, 2, 4], [0, 2]))
    check_block(block, SIZE, "n-gram")
    assert block.logprobs.dtype == np.float32
    np.testing.assert_allclose(block.logprobs[1], forecaster.model.log_probabilities([1, 2, 4]), rtol=1e-6)
    described = forecaster.describe()
    assert described["text"]["tokens"] == 6
    assert len(described["discounts"]) == 3


def test_an_order_above_the_tables_is_refused(lay_out: Build) -> None:
    with pytest.raises(InputError, match=r"too short: got order 3, expected an order up to the table's 2"):
        KneserNey(count_ngrams(lay_out([[0, 1]]), SIZE, 2), 3)


@pytest.mark.parametrize("wrong", [SIZE, -1])
def test_a_prompt_of_another_vocabulary_is_refused(lay_out: Build, wrong: int) -> None:
    model = KneserNey(count_ngrams(lay_out([[0, 1]]), SIZE, 2), 2)
    with pytest.raises(VocabularyError, match=f"unknown token id in a prompt: got {wrong}, expected ids from 0 to 4"):
        model.log_probabilities([0, wrong])
