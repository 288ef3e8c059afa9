"""Tests of encoding a corpus and of its cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import DamageError, InputError, VocabularyError
from foretell.distributions import Vocabulary
from foretell.forecasters.corpus import Corpus, Document, open_corpus
from foretell.forecasters.tokenized_corpus import cache_folder, leading_special_tokens, tokenize_corpus


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, text in (("a.txt", "one two three"), ("b.txt", ""), ("c.txt", "été 🙂")):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_each_document_is_encoded_as_a_prompt(texts: Path, vocabulary: Vocabulary) -> None:
    corpus = tokenize_corpus(open_corpus(str(texts)), vocabulary)
    documents = [corpus.tokens[a:b].tolist() for a, b in zip(corpus.offsets, corpus.offsets[1:], strict=False)]
    assert documents == [list(vocabulary.encode(text)) for text in ("one two three", "", "été 🙂")]
    assert corpus.given == 1
    assert corpus.describe() == {
        "corpus": str(texts),
        "digest": open_corpus(str(texts)).measure[0],
        "licence": "not stated",
        "tokenizer": vocabulary.digest,
        "documents": 3,
        "bytes": 13 + len("été 🙂".encode()),
        "tokens": len(corpus.tokens),
    }


def test_start_tokens_are_counted(vocabulary: Vocabulary, bare_vocabulary: Vocabulary) -> None:
    assert (leading_special_tokens(vocabulary), leading_special_tokens(bare_vocabulary)) == (1, 0)


def test_the_cache_is_used_and_gives_the_same(
    texts: Path, vocabulary: Vocabulary, bare_vocabulary: Vocabulary, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == cache
    first = tokenize_corpus(open_corpus(str(texts)), vocabulary)
    (kept,) = cache.iterdir()
    calls: list[int] = []
    again = tokenize_corpus(open_corpus(str(texts)), vocabulary, lambda done, total: calls.append(done))
    assert calls == []
    np.testing.assert_array_equal(first.tokens, again.tokens)
    np.testing.assert_array_equal(first.offsets, again.offsets)
    assert (first.given, first.describe()) == (again.given, again.describe())
    tokenize_corpus(open_corpus(str(texts)), bare_vocabulary)
    (texts / "a.txt").write_text("one two three four")
    tokenize_corpus(open_corpus(str(texts)), vocabulary)
    assert len(list(cache.iterdir())) == 3
    assert kept.exists()
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "foretell" / "corpora"


def test_a_damaged_cache_is_found(texts: Path, vocabulary: Vocabulary, cache: Path) -> None:
    tokenize_corpus(open_corpus(str(texts)), vocabulary)
    (kept,) = cache.iterdir()
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    with pytest.raises(DamageError, match="damaged file: got sha256"):
        tokenize_corpus(open_corpus(str(texts)), vocabulary)
    kept.write_bytes(b"short")
    with pytest.raises(DamageError, match=r"expected a file of schema foretell\.tokens/1"):
        tokenize_corpus(open_corpus(str(texts)), vocabulary)


def test_a_cache_that_cannot_be_written_is_done_without(
    texts: Path, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("foretell.forecasters.tokenized_corpus.save_file", no_room)
    assert len(tokenize_corpus(open_corpus(str(texts)), vocabulary)) > 3


def test_progress_counts_bytes(texts: Path, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretell.forecasters.tokenized_corpus._BATCH_BYTES", 1)
    calls: list[tuple[int, int]] = []
    corpus = open_corpus(str(texts))
    tokenize_corpus(corpus, vocabulary, lambda done, total: calls.append((done, total)))
    size = corpus.measure[2]
    assert calls == [(13, size), (size, size)]


@pytest.mark.parametrize("text", [None, ""])
def test_an_empty_corpus_is_refused(tmp_path: Path, vocabulary: Vocabulary, text: str | None) -> None:
    (tmp_path / "empty").mkdir()
    if text is not None:
        (tmp_path / "empty" / "a.txt").write_text(text)
    with pytest.raises(InputError, match=r"empty corpus: got . documents without text"):
        tokenize_corpus(open_corpus(str(tmp_path / "empty")), vocabulary)


@pytest.mark.parametrize("readings", [["one", "one two", "one two"], ["one", "two", "two"]])
def test_a_corpus_that_changes_while_it_is_read_is_refused(vocabulary: Vocabulary, readings: list[str]) -> None:
    left = iter(readings)
    corpus = Corpus("moving", "CC0-1.0", lambda: iter([Document("a", next(left))]))
    with pytest.raises(InputError, match="moving: the corpus changed"):
        tokenize_corpus(corpus, vocabulary)


def test_ids_beyond_the_vocabulary_are_refused(texts: Path, vocabulary: Vocabulary) -> None:
    with pytest.raises(VocabularyError, match=r"unknown token id: got .*, expected ids from 0 to 99"):
        tokenize_corpus(open_corpus(str(texts)), Vocabulary(vocabulary.path, 100))
