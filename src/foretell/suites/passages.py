"""Cutting a text into passages at natural places: between paragraphs, else sentences, else lines, else words."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PARAGRAPH = re.compile(r"\n\s*\n")
#: Places where a text may be cut, from the most natural to the least, each just before white space.
_PLACES = (re.compile(r"[.!?…。！？][\"'”’)\]]*(?=\s)"), re.compile(r"\S(?=\n)"), re.compile(r"\S(?=\s)"))
_SHORTEST = 40


def passages(text: str, length: int, most: int = 0) -> list[str]:
    """Passages of at most `length` characters that start where a paragraph or the last passage's rest starts.

    Args:
        most: how many, spread evenly over the text; 0 means all. Passages under 40 characters are left out.

    >>> passages("A first sentence that is long enough to keep. A second one that does not fit.", 60)
    ['A first sentence that is long enough to keep.']
    """
    found = [passage for passage in _all_passages(text, length) if len(passage) >= _SHORTEST]
    if most and len(found) > most:
        found = [found[index * len(found) // most] for index in range(most)]
    return found


def _all_passages(text: str, length: int) -> Iterator[str]:
    for paragraph in _PARAGRAPH.split(text):
        rest = paragraph.strip("\n").rstrip()
        while rest:
            cut = _cut(rest, length)
            yield rest[:cut].rstrip()
            rest = rest[cut:].lstrip()


def _cut(text: str, length: int) -> int:
    if len(text) <= length:
        return len(text)
    for place in _PLACES:
        ends = [match.end() for match in place.finditer(text, 0, length + 1) if match.end() <= length]
        if ends and ends[-1] >= _SHORTEST:
            return ends[-1]
    return length
