"""Text that references learn from: the standard library's own source, a file, or a folder."""

from __future__ import annotations

import hashlib
import json
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from foretell.base.errors import InputError

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
STDLIB = "stdlib"
_TEXT_COLUMN = "text"
#: Rows of a Parquet file that are held in memory at a time.
_PARQUET_ROWS = 1024


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


@dataclass(frozen=True)
class Corpus:
    """Documents that can be read more than once, one after the other, with their licence.

    Attributes:
        name: what it was asked for by: 'stdlib' or a path.
        licence: SPDX name, or 'not stated'.
        documents: starts reading from the beginning at each call.
    """

    name: str
    licence: str
    documents: Callable[[], Iterator[Document]]

    @cached_property
    def measure(self) -> tuple[str, int, int]:
        """Digest of names and texts in order, number of documents, and bytes of text in UTF-8; reads everything once.

        >>> Corpus("two", "CC0-1.0", lambda: iter([Document("a", "é"), Document("b", "")])).measure[1:]
        (2, 2)
        """
        digest = hashlib.sha256()
        count = size = 0
        for document in self.documents():
            text = document.text.encode()
            for part in (document.name.encode(), text):
                digest.update(len(part).to_bytes(8, "big"))
                digest.update(part)
            count, size = count + 1, size + len(text)
        return "sha256:" + digest.hexdigest(), count, size


def open_corpus(spec: str) -> Corpus:
    """The corpus that a spec names: 'stdlib' (held-out files left out), a file, or a folder.

    A `.jsonl` or `.parquet` file is one document a row, from its `text`; any other file is one document, in UTF-8. A
    folder is all its files, in order of name, hidden ones left out.

    Raises:
        InputError: there is no such file; while reading: a file that is not text, a row without `text`.

    >>> open_corpus("stdlib").licence
    'PSF-2.0'
    """
    if spec == STDLIB:
        return Corpus(STDLIB, "PSF-2.0", lambda: (d for d in stdlib_documents() if not d.held_out))
    path = Path(spec)
    if not path.exists():
        raise InputError(
            "no such corpus",
            where=spec,
            got="neither a file nor a folder",
            expected="'stdlib', 'tiny', a text file, a .jsonl or .parquet file with `text`, a folder, or a built table",
            fix="Check the path.",
        )
    return Corpus(spec, "not stated", lambda: _read(path))


def _read(path: Path) -> Iterator[Document]:
    if path.is_file():
        yield from _file_documents(path, path.name)
        return
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            yield from _file_documents(file, name.as_posix())


def _file_documents(path: Path, name: str) -> Iterator[Document]:
    reader = {".jsonl": _jsonl_texts, ".parquet": _parquet_texts}.get(path.suffix)
    if reader is None:
        try:
            yield Document(name, path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise _unreadable(f"{path}", str(error), "text in UTF-8") from error
        return
    for row, text in enumerate(reader(path)):
        yield Document(f"{name}#{row}", text)


def _jsonl_texts(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            where = f"{path} line {number}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise _unreadable(where, str(error), "one JSON object a line") from error
            text = row.get(_TEXT_COLUMN) if isinstance(row, dict) else None
            if not isinstance(text, str):
                raise _unreadable(where, repr(text), f"an object with a string {_TEXT_COLUMN!r}")
            yield text


def _parquet_texts(path: Path) -> Iterator[str]:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise _unreadable(str(path), str(error), "a Parquet file") from error
    with file:
        if _TEXT_COLUMN not in file.schema_arrow.names:
            raise _unreadable(str(path), f"columns {file.schema_arrow.names}", f"a column {_TEXT_COLUMN!r}")
        row = 0
        for batch in file.iter_batches(_PARQUET_ROWS, columns=[_TEXT_COLUMN]):
            for text in batch.column(0).to_pylist():
                if not isinstance(text, str):
                    raise _unreadable(f"{path} row {row}", repr(text), f"a string in {_TEXT_COLUMN!r}")
                yield text
                row += 1


def _unreadable(where: str, got: str, expected: str) -> InputError:
    return InputError(
        "cannot read the corpus",
        where=where,
        got=got,
        expected=expected,
        fix="Correct this place, or leave the file out of the corpus.",
    )
