"""Texts of studies: read whole, in order, and counted as the panel counts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import InputError
from foretell.distributions import TokenizedPrompt, Vocabulary
from foretell.forecasters.corpus import Corpus, Document, open_corpus
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.specs import open_forecaster
from foretell.studies.texts import TextPanel, english, installed_library
from foretell.targets.specs import open_target
from foretell.targets.tiny import checkpoint_folder
from tests.studies.conftest import LAMPS


def test_an_installed_library_is_its_source_without_tests() -> None:
    corpus = installed_library("altair")
    names = [document.name for document in corpus.documents()]
    assert "altair/__init__.py" in names
    assert names == sorted(names)
    assert not any("tests" in Path(name).parts for name in names)
    assert corpus.measure[1] == len(names) > 50


def test_a_library_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"no such library.*no-such-library is not installed"):
        installed_library("no-such-library")


def test_english_text_is_used_where_it_is_and_cut_into_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert english() is None
    (tmp_path / "build" / "text").mkdir(parents=True)
    whole = "It was a lamp. " * 4000
    (tmp_path / "build" / "text" / "lamp.txt").write_text(whole, encoding="utf-8")
    corpus = english()
    assert corpus is not None
    parts = list(corpus.documents())
    assert [part.name for part in parts] == ["lamp.txt#0", "lamp.txt#1", "lamp.txt#2"]
    assert "".join(part.text for part in parts) == whole


def test_a_panel_counts_as_the_specs_do(tmp_path: Path) -> None:
    text = tmp_path / "lamps.txt"
    text.write_text("\n".join(document.text for document in LAMPS.documents()), encoding="utf-8")
    vocabulary = Vocabulary.load(checkpoint_folder())
    corpus = open_corpus(str(text))
    panel = TextPanel(Corpus("lamps", corpus.licence, corpus.documents), vocabulary)
    context = tuple(vocabulary.tokenizer.encode("The lamp 7 in").ids)
    prompt = TokenizedPrompt("a", "all", 1.0, "a", "The lamp 7 in", context, tuple(range(len(context))))
    for name, opener in panel.every((1, 2, 3)):
        spec = name.replace("lamps", str(text))
        own, theirs = opener(), open_forecaster(spec, vocabulary, open_target=open_target)
        assert own.name == name
        mine, expected = (dense_logprobs(one.forecast(prompt), vocabulary.size) for one in (own, theirs))
        np.testing.assert_array_equal(mine, expected)
    assert panel.describe().startswith("Text 'lamps': 1 documents")


def test_a_panel_tokenises_its_text_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def documents() -> list[Document]:
        read.append(1)
        return list(LAMPS.documents())

    panel = TextPanel(Corpus("lamps", "CC0-1.0", lambda: iter(documents())), Vocabulary.load(checkpoint_folder()))
    for _, opener in panel.every((1, 2)):
        opener()
    first = len(read)
    for _, opener in panel.every((1, 2)):
        opener()
    assert len(read) == first > 0
