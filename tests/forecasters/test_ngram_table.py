"""Tests of built tables: exact when read back, refused for another tokenizer, found out when damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as with_data
from hypothesis import strategies as st
from safetensors.numpy import save_file

from foretell.base.errors import DamageError, InputError, VocabularyError
from foretell.distributions import Vocabulary
from foretell.forecasters.ngram import KneserNey
from foretell.forecasters.ngram_counts import NgramCounts, count_ngrams
from foretell.forecasters.ngram_table import NgramTable
from foretell.forecasters.tokenized_corpus import TokenizedCorpus

Build = Callable[..., TokenizedCorpus]
DOCUMENTS = st.lists(st.lists(st.integers(0, 6), max_size=15), min_size=1, max_size=6)


def assert_same(one: NgramCounts, other: NgramCounts) -> None:
    assert one.order == other.order
    for mine, theirs in zip(one.levels, other.levels, strict=True):
        for name in ("first", "tokens", "suffix", "raw", "starts"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@with_data(DOCUMENTS, st.integers(0, 2), st.integers(1, 5))
def test_a_table_read_back_is_the_same(
    tmp_path: Path, lay_out: Build, vocabulary: Vocabulary, documents: list[list[int]], opening: int, order: int
) -> None:
    corpus = lay_out([*documents, [1, 2, 3]], opening, vocabulary.digest)
    counts = count_ngrams(corpus, vocabulary.size, order)
    NgramTable(counts, corpus.describe()).save(tmp_path / "t.safetensors")
    loaded = NgramTable.load(tmp_path / "t.safetensors", vocabulary)
    assert_same(counts, loaded.counts)
    assert loaded.facts == corpus.describe()
    before, after = KneserNey(counts, order), KneserNey(loaded.counts, order)
    for context in ([], [1], [1, 2], documents[0]):
        np.testing.assert_array_equal(before.log_probabilities(context), after.log_probabilities(context))


def test_counts_beyond_a_byte_survive(tmp_path: Path, lay_out: Build, vocabulary: Vocabulary) -> None:
    rng = np.random.default_rng(3)
    corpus = lay_out([rng.integers(0, 3, 70_000).tolist(), rng.integers(0, 280, 5_000).tolist()], 1, vocabulary.digest)
    counts = count_ngrams(corpus, vocabulary.size, 2)
    assert counts.level(2).raw.max() > 2**12
    NgramTable(counts, corpus.describe()).save(tmp_path / "t.safetensors")
    assert_same(counts, NgramTable.load(tmp_path / "t.safetensors", vocabulary).counts)


@pytest.fixture
def saved(tmp_path: Path, lay_out: Build, vocabulary: Vocabulary) -> Path:
    corpus = lay_out([[0, 1, 2, 1, 2, 3]], 1, vocabulary.digest)
    path = tmp_path / "table.safetensors"
    NgramTable(count_ngrams(corpus, vocabulary.size, 3), corpus.describe()).save(path)
    return path


def test_a_table_for_another_tokenizer_is_refused(saved: Path, bare_vocabulary: Vocabulary) -> None:
    with pytest.raises(VocabularyError, match="a table for another tokenizer: got sha256"):
        NgramTable.load(saved, bare_vocabulary)


def test_a_table_for_another_number_of_ids_is_refused(saved: Path, vocabulary: Vocabulary) -> None:
    padded = Vocabulary(vocabulary.path, vocabulary.size + 6)
    with pytest.raises(VocabularyError, match=f"expected {vocabulary.digest} with {padded.size} ids"):
        NgramTable.load(saved, padded)


def test_every_damaged_byte_is_found(saved: Path, vocabulary: Vocabulary) -> None:
    whole = saved.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for place in range(header, len(whole), 7):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamageError, match="damaged file"):
            NgramTable.load(saved, vocabulary)
    saved.write_bytes(whole[:-1])
    with pytest.raises(DamageError, match="damaged file"):
        NgramTable.load(saved, vocabulary)


def test_other_files_are_no_tables(tmp_path: Path, vocabulary: Vocabulary) -> None:
    with pytest.raises(InputError, match="no n-gram table: got no such file"):
        NgramTable.load(tmp_path / "none.safetensors", vocabulary)
    save_file({"x": np.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="no n-gram table: got schema None"):
        NgramTable.load(tmp_path / "other.safetensors", vocabulary)


def test_a_table_has_the_name_of_one(tmp_path: Path, lay_out: Build) -> None:
    table = NgramTable(count_ngrams(lay_out([[0, 1]]), 2, 1), {})
    with pytest.raises(InputError, match=r"bad name for a table: got '.bin'.*Write to t\.safetensors"):
        table.save(tmp_path / "t.bin")
