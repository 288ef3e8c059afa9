"""Which bytes a token stands for, checked by decoding texts back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models

from foretell.base.errors import InputError
from foretell.distributions import Vocabulary
from foretell.targets.target import Target


@given(text=st.text(st.characters(blacklist_categories=["Cs"]), max_size=80))
def test_tokens_of_a_text_stand_for_its_bytes(text: str, tiny: Target) -> None:
    pieces = tiny.vocabulary.token_bytes
    ids = tiny.vocabulary.encode(text)
    assert b"".join(pieces[token] for token in ids) == text.encode()
    assert sum(tiny.vocabulary.token_lengths[token] for token in ids) == len(text.encode())


def test_padding_of_the_output_layer_stands_for_nothing(words: Vocabulary) -> None:
    padded = Vocabulary(words.path, words.size + 3)
    assert padded.token_bytes == [*words.token_bytes, b"", b"", b""]
    assert padded.token_lengths.shape == (words.size + 3,)
    assert padded.digest == words.digest


def test_sentencepiece_spelling(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.BPE({"<0x0A>": 0, "▁a": 1, "é": 2, "<s>": 3}, []))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback()])
    tokenizer.add_special_tokens(["<s>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert Vocabulary.load(tmp_path).token_bytes == [b"\n", b" a", "é".encode(), b""]


def test_truncation_and_padding_of_the_file_are_ignored(words: Vocabulary, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(words.path))
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert Vocabulary.load(tmp_path).encode("a b c") == words.encode("a b c")


@pytest.mark.parametrize("content", [None, "{", json.dumps({"model": 1})])
def test_what_is_no_tokenizer(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"tokenizer.json: cannot read the tokenizer"):
        Vocabulary.load(tmp_path)
