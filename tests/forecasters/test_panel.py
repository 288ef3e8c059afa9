"""The panel: what is made of which text, each text once; what is made of which target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import InputError
from foretell.distributions import DenseBlock, TokenizedPrompt, Vocabulary
from foretell.forecasters import panel
from foretell.forecasters.panel import own_rungs, text_references
from foretell.forecasters.specs import build_table, is_reference, open_forecaster
from foretell.targets.specs import open_target

TEXT = "The lamp in the hall was lit. Nobody said why, and nobody asked. The lamp in the hall went out.\n"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "lamp.txt"
    path.write_text(TEXT * 3)
    return path


def names(corpora: list[str], vocabulary: Vocabulary) -> list[list[str]]:
    return [[one.name for one in group] for group in text_references(corpora, vocabulary)]


def test_a_text_gives_every_order_and_an_infinigram(vocabulary: Vocabulary, text: Path) -> None:
    made = names([str(text)], vocabulary)
    orders = [f"unigram:{text}", *(f"ngram:{order}:{text}" for order in (2, 3, 4, 5))]
    assert made == [["uniform"], [*orders, f"infinigram:{text}"]]
    assert all(is_reference(name) for group in made for name in group)


def test_counted_once_they_say_what_each_alone_says(vocabulary: Vocabulary, text: Path) -> None:
    tokens = vocabulary.encode("Nobody said that the lamp")
    prompt = TokenizedPrompt("a", "all", 1.0, "a", "", tokens, tuple(range(len(tokens))))
    for group in text_references([str(text)], vocabulary):
        for one in group:
            alone = open_forecaster(one.name, vocabulary, open_target=open_target)
            mine, other = one.forecast(prompt), alone.forecast(prompt)
            assert isinstance(mine, DenseBlock)
            assert isinstance(other, DenseBlock)
            np.testing.assert_array_equal(mine.logprobs, other.logprobs)


def test_a_table_gives_the_orders_that_it_has(vocabulary: Vocabulary, text: Path, tmp_path: Path) -> None:
    table = tmp_path / "lamp.safetensors"
    build_table(str(text), vocabulary, 2, table)
    assert names([str(table)], vocabulary)[1] == [f"unigram:{table}", f"ngram:2:{table}"]


def test_a_corpus_twice_is_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(InputError, match="a corpus twice"):
        names(["tiny", "tiny"], vocabulary)


def test_what_is_made_from_a_target_itself() -> None:
    specs, missing = own_rungs("tiny")
    assert specs == [*(f"model:tiny@{step}" for step in (96, 192, 384, 768, 1536)), "model:int8:tiny"]
    assert missing == ["a sibling", "a twin"]
    assert own_rungs("tiny@96")[0] == ["model:int8:tiny@96"]
    assert own_rungs("hf:models/x")[0] == ["model:int8:hf:models/x"]
    assert own_rungs("endpoint:http://127.0.0.1#m")[0] == []


def test_an_int8_copy_needs_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "find_spec", lambda name: None)
    specs, missing = own_rungs("tiny@192")
    assert specs == ["model:tiny@96"]
    assert missing[-1] == "an int8 copy (pip install 'foretell[models]')"
