"""Suites from JSONL, Parquet, folders of texts and dataset folders; bad rows are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foretell.base.errors import SuiteError
from foretell.suites import Prompt, ReadOptions, Suite, load_suite, save_suite

FULL = Suite(
    "full",
    (
        Prompt("a", "One\u2028line", "s", 0.5, "d", "last"),
        Prompt("b", "Zwei 世界 🙂", "t", 1.0, "b", "all"),
        Prompt("c", 'a,"b"\n\tc', "t", 2.0, "d", (-2, 0)),
    ),
)


@pytest.mark.parametrize("name", ["full.jsonl", "full.parquet"])
def test_round_trip(name: str, tmp_path: Path) -> None:
    save_suite(FULL, tmp_path / name)
    read = load_suite(tmp_path / name)
    assert read.prompts == FULL.prompts
    assert (read.name, read.digest) == ("full", FULL.digest)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"unknown suite format: got the ending '.csv'"):
        save_suite(FULL, tmp_path / "full.csv")
    assert list(tmp_path.iterdir()) == []


def jsonl(folder: Path, *rows: Any) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_what_a_row_leaves_out_is_filled_in(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"text": "one"}, "", {"id": 0, "text": "two", "slice": 0, "weight": None, "extra": 1})
    assert load_suite(path).prompts == (Prompt("mine.jsonl-line-1", "one"), Prompt("0", "two", slice="0"))
    other = load_suite(jsonl(tmp_path, {"q": "one", "kind": "k"}), ReadOptions("q", "kind", scored=(-1,)))
    assert other.prompts == (Prompt("mine.jsonl-line-1", "one", "k", scored=(-1,)),)


GOOD = {"text": "one"}
BAD_ROWS = {
    "no json": ("{", "mine.jsonl line 3: not a prompt"),
    "no object": ("[1]", "line 3: not a prompt: got list, expected a JSON object"),
    "no text": ({"txt": "x"}, r"line 3: not a prompt: got text = None, .*--text-column.*\['txt'\]"),
    "text is no text": ({"text": 5}, "line 3: not a prompt: got text = 5"),
    "weight is no number": ({"text": "x", "weight": "heavy"}, "line 3: not a prompt: got could not convert"),
    "weight is empty": ({"text": "x", "weight": ""}, "line 3: not a prompt: got could not convert"),
    "weight is a list": ({"text": "x", "weight": [1]}, "line 3: not a prompt"),
    "scored is a word": ({"text": "x", "scored": "first"}, "line 3: not a prompt: got scored 'first' is none of"),
    "scored is a number": ({"text": "x", "scored": 3}, "line 3: not a prompt: got scored 3"),
    "scored is half a list": ({"text": "x", "scored": "[1,"}, "line 3: not a prompt"),
    "scored has words": ({"text": "x", "scored": ["a"]}, "line 3: not a prompt"),
    "weight is zero": ({"text": "x", "weight": 0}, r"item 2 \(prompt 'mine.jsonl-line-3'\): bad weight"),
    "text is empty": ({"text": ""}, "item 2 .*: empty prompt"),
    "id is empty": ({"text": "x", "id": ""}, "item 2 .*: a prompt without an id"),
    "id again": ({"text": "x", "id": "mine.jsonl-line-1"}, "item 2 .*: duplicate id"),
    "nothing scored": ({"text": "x", "scored": []}, "item 2 .*: no scored positions"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_of_jsonl_is_named(name: str, tmp_path: Path) -> None:
    row, message = BAD_ROWS[name]
    with pytest.raises(SuiteError, match=message):
        load_suite(jsonl(tmp_path, GOOD, "", row))


def test_a_bad_row_of_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"text": ["one", None]}), path)
    with pytest.raises(SuiteError, match=r"mine.parquet row 1: not a prompt: got text = None"):
        load_suite(path)


def test_parquet_may_hold_lists_of_positions(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"id": ["a"], "text": ["one two"], "scored": [[0, 1]], "weight": [2]}), path)
    assert load_suite(path).prompts == (Prompt("a", "one two", weight=2.0, scored=(0, 1)),)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", b'{"text": "\xff"}'),
        ("x.parquet", b"no parquet"),
        ("d/x.txt", b"\xff" * 50),
        ("d/x.arrow", b"no arrow"),
    ],
)
def test_files_that_cannot_be_read(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(SuiteError, match=f"{name}: cannot read the suite"):
        load_suite(path.parent if name.startswith("d/") else path)


@pytest.mark.parametrize(
    ("name", "got"), [("nowhere", "no such file"), ("nowhere.jsonl", "no such file"), ("x.csv", "another kind")]
)
def test_what_is_no_suite(name: str, got: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("text\none\n")
    with pytest.raises(SuiteError, match=f"cannot read the suite: got .*{got}.*foretell-300"):
        load_suite(tmp_path / name)


@pytest.mark.parametrize("name", ["empty.jsonl", "empty"])
def test_nothing_in_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(SuiteError, match="empty: empty suite"):
        load_suite(tmp_path / name)


PARAGRAPHS = [f"This is paragraph {i}, which is long enough to be kept as one prompt." for i in range(6)]


def test_a_folder_of_texts(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("\n\n".join(PARAGRAPHS))
    (tmp_path / "notes.md").write_text(PARAGRAPHS[0])
    (tmp_path / "picture.png").write_bytes(b"\xff")
    suite = load_suite(tmp_path, ReadOptions(scored="all"))
    assert suite.slices == {"letters": 6, "all": 1}
    assert [prompt.text for prompt in suite] == [*PARAGRAPHS, PARAGRAPHS[0]]
    assert {prompt.document for prompt in suite} == {"letters/one.txt", "notes.md"}
    assert suite.prompts[1] == Prompt("letters/one.txt#2", PARAGRAPHS[1], "letters", 1.0, "letters/one.txt", "all")
    few = load_suite(tmp_path, ReadOptions(per_document=2))
    assert [prompt.text for prompt in few][:2] == [PARAGRAPHS[0], PARAGRAPHS[3]]


def write_stream(path: Path, table: pa.Table) -> None:
    """An Arrow stream, as `datasets.save_to_disk` writes its shards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def test_a_dataset_saved_to_disk(tmp_path: Path) -> None:
    for shard in range(2):
        rows = {"prompt": [f"text {shard}-{i}" for i in range(3)], "label": [7, 8, 9]}
        write_stream(tmp_path / "train" / f"data-0000{shard}-of-00002.arrow", pa.table(rows))
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train"]}')
    (tmp_path / "train" / "state.json").write_text("{}")
    suite = load_suite(tmp_path, ReadOptions(text="prompt", slice="label"))
    assert [prompt.text for prompt in suite] == [f"text {shard}-{i}" for shard in range(2) for i in range(3)]
    assert suite.slices == {"7": 2, "8": 2, "9": 2}
    with pytest.raises(SuiteError, match=r"train/data-00000-of-00002.arrow row 0: .*'label', 'prompt'"):
        load_suite(tmp_path)


def test_a_dataset_as_on_the_hub(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text(PARAGRAPHS[0])
    pq.write_table(pa.table({"text": ["one", "two"]}), tmp_path / "data" / "test-00000-of-00001.parquet")
    assert [prompt.text for prompt in load_suite(tmp_path)] == ["one", "two"]
