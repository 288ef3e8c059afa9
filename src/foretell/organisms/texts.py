"""Text that organisms are trained on: the standard library, numpy's own source, a file or a folder; no torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foretell.base.errors import InputError
from foretell.forecasters.corpus import HELD_OUT_ONE_IN, STDLIB, Corpus, Document, open_corpus, stdlib_documents

NUMPY = "numpy"
_NUMPY_LICENCE = "BSD-3-Clause"
_TESTS = frozenset({"tests", "__pycache__"})


@dataclass(frozen=True)
class Text:
    """A text in two parts.

    Attributes:
        training: what is learnt from.
        held_out: one document in sixteen, by a hash of its name; may be none.
    """

    training: Corpus
    held_out: Callable[[], Iterator[Document]]


def open_text(spec: str) -> Text:
    """The text that a recipe names: 'stdlib', 'numpy', a file or a folder.

    Raises:
        InputError: there is no such file, or all its documents are held out.

    >>> open_text("numpy").training.licence
    'BSD-3-Clause'
    """
    if spec == STDLIB:
        return Text(open_corpus(STDLIB), lambda: (one for one in stdlib_documents() if one.held_out))
    whole = Corpus(NUMPY, _NUMPY_LICENCE, numpy_documents) if spec == NUMPY else open_corpus(spec)
    training = Corpus(spec, whole.licence, lambda: (one for one in whole.documents() if not one.held_out))
    if next(training.documents(), None) is None:
        raise InputError(
            "nothing to train on",
            where=spec,
            got="no document, or held-out ones only",
            expected=f"documents, of which one in {HELD_OUT_ONE_IN} (by a hash of its name) is held out",
            fix="Give a folder of more files, or rename the file.",
        )
    return Text(training, lambda: (one for one in whole.documents() if one.held_out))


def numpy_documents() -> Iterator[Document]:
    """The Python source of the installed numpy, file by file in order of name, without tests.

    Licence of the text: BSD-3-Clause. It differs between versions of numpy, so its digest is recorded.
    """
    root = Path(np.__file__).parent
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root.parent)
        if not _TESTS.intersection(relative.parts):
            yield Document(relative.as_posix(), path.read_text(encoding="utf-8", errors="replace"))
