"""Bytes of tokens as text that a reader can see: spaces, line ends, lone bytes and hidden characters have a sign."""

from __future__ import annotations

import unicodedata

_SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"}
#: Joiners inside emoji and some scripts: invisible and harmless in running text.
_JOINERS = "\u200c\u200d\ufe0f"
_LONE_BYTES = range(0xDC80, 0xDD00)
_BYTE_OFFSET = 0xDC00


def _hidden(character: str) -> str:
    """A character that is not drawn, or that would reorder its neighbours, as its code; others unchanged."""
    code = ord(character)
    if code in _LONE_BYTES:
        return f"⟨{code - _BYTE_OFFSET:02X}⟩"
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return f"⟨U+{code:04X}⟩"
    return character


def running_text(data: bytes) -> str:
    r"""Bytes of several tokens as running text: spaces and line ends stay, bytes that are no UTF-8 become ⟨E2⟩.

    >>> running_text("a\n b".encode() + bytes([0xE2]))
    'a\n b⟨E2⟩'
    """
    text = data.decode("utf-8", errors="surrogateescape")
    return "".join(c if c in "\n\t" or c in _JOINERS else _SIGNS["\r"] if c == "\r" else _hidden(c) for c in text)


def slot_text(data: bytes, token_id: int) -> str:
    r"""Bytes of one token inside running text: line ends get a sign in front, blanks alone become signs.

    >>> slot_text(b" the", 5), slot_text(b"\n", 6), slot_text(b"  ", 7), slot_text(b"", 0)
    (' the', '↵\n', '␣␣', '⟨special 0⟩')
    """
    if not data.strip(b" \t"):
        return piece(data, token_id)
    return running_text(data).replace("\n", "↵\n")


def piece(data: bytes, token_id: int) -> str:
    r"""Bytes of one token on their own, everything visible.

    >>> piece(b" the", 5), piece(b"\n\t", 6), piece(bytes([0xF0, 0x9F]), 7), piece(b"", 0)
    ('␣the', '↵⇥', '⟨F0⟩⟨9F⟩', '⟨special 0⟩')
    """
    if not data:
        return f"⟨special {token_id}⟩"
    text = data.decode("utf-8", errors="surrogateescape")
    shown = "".join(_SIGNS.get(c) or (f"⟨U+{ord(c):04X}⟩" if _odd_space(c) else _hidden(c)) for c in text)
    # A combining mark alone would be drawn on top of the quotation mark before it.
    return "◌" + shown if unicodedata.combining(text[0]) else shown


def _odd_space(character: str) -> bool:
    return unicodedata.category(character) == "Zs"
