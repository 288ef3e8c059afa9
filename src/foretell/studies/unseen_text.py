"""Prompts from text that neither a base nor its fine-tune was trained on, cut from installed source at run time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from foretell.forecasters.corpus import Document, stdlib_documents
from foretell.organisms.texts import open_text
from foretell.suites import Prompt, Suite
from foretell.suites.passages import passages

#: Scored positions at the end of each passage, and characters of one.
_SCORED, _LENGTH, _SHORTEST = 8, 400, 160
#: Passages of a file at most: held out of the fine-tune's text, of its tests, held out of the base's text.
OF_HELD_OUT, _OF_TESTS, _OF_STDLIB = 6, 1, 8


def numpy_suite() -> Suite:
    """Passages of numpy's own source that the fine-tune never saw: held-out files, and the files of its tests."""
    held_out = [(document, OF_HELD_OUT, "held-out source") for document in open_text("numpy").held_out()]
    tests = [(document, _OF_TESTS, "tests") for document in _numpy_tests()]
    return Suite("unseen-numpy", tuple(_prompts([*held_out, *tests])))


def stdlib_suite() -> Suite:
    """Passages of files of the standard library that the base never saw, to fit and to log on."""
    return Suite(
        "held-out-stdlib",
        tuple(_prompts([(one, _OF_STDLIB, "stdlib") for one in stdlib_documents() if one.held_out])),
    )


def _numpy_tests() -> Iterator[Document]:
    """Test files of the installed numpy, which `numpy_documents` leaves out."""
    root = Path(np.__file__).parent
    for path in sorted(root.rglob("tests/test_*.py")):
        yield Document(path.relative_to(root.parent).as_posix(), path.read_text(encoding="utf-8", errors="replace"))


def _prompts(documents: Sequence[tuple[Document, int, str]]) -> Iterator[Prompt]:
    for document, most, part in documents:
        found = [text for text in passages(document.text, _LENGTH) if len(text) >= _SHORTEST]
        chosen = [found[index * len(found) // most] for index in range(most)] if len(found) > most else found
        for number, text in enumerate(chosen):
            scored = tuple(range(-_SCORED, 0))
            yield Prompt(f"{document.name}#{number}", text, part, document=document.name, scored=scored)
