"""Bytes of tokens as text: nothing hidden, nothing lost."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.reports.pieces import piece, running_text, slot_text

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.binary(min_size=1, max_size=40))
def test_no_hidden_character_is_left(data: bytes) -> None:
    assert not [c for c in piece(data, 1) if unicodedata.category(c) in HIDDEN or c.isspace()]
    for text in (running_text(data), slot_text(data, 1)):
        assert not [c for c in text if unicodedata.category(c) in HIDDEN and c not in "\n\t\u200c\u200d"]
        text.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert running_text(text.encode()) == text


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\xe2\x82", "⟨E2⟩⟨82⟩"),
        ("€".encode(), "€"),
        (b"a\r\n", "a␍↵"),
        ("\u00a0x".encode(), "⟨U+00A0⟩x"),
        ("\u0301".encode(), "◌\u0301"),
        ("\u202eabc".encode(), "⟨U+202E⟩abc"),
        (b"<b>", "<b>"),
    ],
)
def test_pieces(data: bytes, shown: str) -> None:
    assert piece(data, 0) == shown
