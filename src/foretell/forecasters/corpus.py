"""Text that references learn from: the standard library's own source, a file, or a folder."""

from __future__ import annotations

import hashlib
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Folders of the standard library that are not its source: tests, installed packages, and generated tables.
_NOT_SOURCE = frozenset(
    {
        "test",
        "tests",
        "idle_test",
        "site-packages",
        "dist-packages",
        "__pycache__",
        "_bundled",
        "encodings",
        "pydoc_data",
    }
)
#: One file in this many is held out from everything that is trained on the standard library.
HELD_OUT_ONE_IN = 16


@dataclass(frozen=True)
class Document:
    """One text with the name that it goes by, relative to where it was found."""

    name: str
    text: str

    @property
    def held_out(self) -> bool:
        """Whether the document is kept from training: decided by a hash of its name alone, so it never changes.

        >>> Document("json/decoder.py", "").held_out
        False
        """
        return hashlib.sha256(self.name.encode()).digest()[0] % HELD_OUT_ONE_IN == 0


def stdlib_documents() -> Iterator[Document]:
    """The running Python's standard library, file by file in order of name, without tests and generated tables.

    Licence of the text: PSF-2.0. The text differs between Python versions, so whatever is built from it records its
    digest.
    """
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        generated = relative.name.startswith("_sysconfigdata") or relative.parts[0].startswith("config-")
        if generated or _NOT_SOURCE.intersection(relative.parts):
            continue
        yield Document(relative.as_posix(), path.read_text(encoding="utf-8", errors="replace"))
