"""Tests of reading texts: each kind of file, and what is wrong with others."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foretell.base.errors import InputError
from foretell.forecasters.corpus import HELD_OUT_ONE_IN, Document, open_corpus, stdlib_documents


def read(path: Path) -> list[Document]:
    return list(open_corpus(str(path)).documents())


def test_the_standard_library_without_what_is_held_out() -> None:
    documents = list(open_corpus("stdlib").documents())
    every = list(stdlib_documents())
    names = {document.name for document in documents}
    assert "json/decoder.py" in names
    assert not any(name.startswith(("test/", "encodings/")) for name in names)
    held_out = [document.name for document in every if document.held_out]
    assert names.isdisjoint(held_out)
    assert len(names) + len(held_out) == len(every)
    assert 0.3 / HELD_OUT_ONE_IN < len(held_out) / len(every) < 3 / HELD_OUT_ONE_IN


def test_a_text_file_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("één\n\ntwo", encoding="utf-8")
    assert read(tmp_path / "a.txt") == [Document("a.txt", "één\n\ntwo")]


def test_rows_are_documents(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one", "id": 3}\n{"text": "two"}\n')
    pq.write_table(pa.table({"text": ["one", "two"], "n": [1, 2]}), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        assert read(tmp_path / name) == [Document(f"{name}#0", "one"), Document(f"{name}#1", "two")]


def test_a_folder_is_its_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "z.md").write_text("last")
    (tmp_path / "a.txt").write_text("first")
    (tmp_path / ".hidden").write_bytes(b"\xff")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x").write_bytes(b"\xff")
    assert read(tmp_path) == [Document("a.txt", "first"), Document("b/z.md", "last")]


def test_the_digest_tells_names_texts_and_their_boundary_apart(tmp_path: Path) -> None:
    digests = set()
    for number, (one, other) in enumerate([("ab", "c"), ("a", "bc"), ("c", "ab")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "1.txt").write_text(one)
        (folder / "2.txt").write_text(other)
        digest, count, size = open_corpus(str(folder)).measure
        digests.add(digest)
        assert (count, size) == (2, 3)
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"ab\xff", r"a\.txt: cannot read the corpus: got 'utf-8' codec"),
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', r"a\.jsonl line 2: cannot read the corpus"),
        ("a.jsonl", b'{"text": "x"}\n{"body": "y"}\n', r"line 2: .*got None, expected an object with a string 'text'"),
        ("a.jsonl", b'["text"]\n', r"line 1: .*expected an object with a string 'text'"),
        ("a.parquet", b"PAR0", r"a\.parquet: cannot read the corpus"),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path)


def test_parquet_without_texts(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"got columns \['body'\], expected a column 'text'"):
        read(tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": ["x", None]}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b\.parquet row 1: cannot read the corpus: got None"):
        read(tmp_path / "b.parquet")


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such corpus: got neither a file nor a folder"):
        open_corpus(json.dumps("nowhere"))
