"""Suites from files: JSONL, Parquet, a folder of texts, a Hugging Face dataset folder; and the built-in ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from foretell.base.errors import SuiteError
from foretell.base.files import write_atomically
from foretell.suites.passages import passages
from foretell.suites.suite import Prompt, Scored, Suite

BUILTIN = Path(__file__).parent / "builtin"
_TEXT_FILES = {".txt", ".md", ".rst", ".py", ".html", ".tex"}
_FIELDS = {"id", "text", "slice", "weight", "document", "scored"}


@dataclass(frozen=True)
class ReadOptions:
    """How rows and texts become prompts.

    Attributes:
        text, slice: names of the columns that hold the text and the slice.
        scored: scored positions of prompts that do not say.
        length: characters of a passage at most, where texts are cut into prompts.
        per_document: passages taken of one text at most; 0 means all.
    """

    text: str = "text"
    slice: str = "slice"
    scored: Scored = "last"
    length: int = 400
    per_document: int = 0


def builtin_suites() -> list[str]:
    """Names of the suites that ship.

    >>> "foretell-300" in builtin_suites()
    True
    """
    return sorted(path.stem for path in BUILTIN.glob("*.jsonl"))


def load_suite(source: str | Path, options: ReadOptions | None = None) -> Suite:
    """Read a suite: a built-in name, a .jsonl or .parquet file, a folder of texts, or a dataset folder.

    Raises:
        SuiteError: nothing there, an unknown kind, or a row that is no prompt (with its number).

    >>> len(load_suite("foretell-300").slices)
    10
    """
    options = options or ReadOptions()
    path = Path(source)
    if str(source) in builtin_suites():
        path = BUILTIN / f"{source}.jsonl"
    if path.is_dir():
        prompts = _dataset_prompts(path, options) if _dataset_files(path) else _text_prompts(path, options)
    elif path.suffix == ".jsonl" and path.is_file():
        prompts = [_prompt(row, f"{path.name} line {n}", options) for n, row in _json_lines(path)]
    elif path.suffix == ".parquet" and path.is_file():
        rows = _table_rows(_read_table(path))
        prompts = [_prompt(row, f"{path.name} row {n}", options) for n, row in enumerate(rows)]
    else:
        raise SuiteError(
            "cannot read the suite",
            where=str(source),
            got="a file of another kind" if path.exists() else "no such file or built-in suite",
            expected=f"{', '.join(builtin_suites())}, a .jsonl or .parquet file, a folder of texts or a dataset folder",
            fix="Check the path; `foretell suite make` turns other things into a suite.",
        )
    return Suite(path.stem if path.suffix else path.name, tuple(prompts))


def save_suite(suite: Suite, path: Path) -> None:
    """Write a suite as .jsonl or .parquet, whole or not at all.

    Raises:
        SuiteError: another ending.
    """
    rows = [prompt.row() for prompt in suite]
    if path.suffix == ".jsonl":
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    elif path.suffix == ".parquet":
        # Scored is a word or a list: as JSON text, one column holds both.
        table = pa.Table.from_pylist([row | {"scored": json.dumps(row["scored"])} for row in rows])
        write_atomically(path, lambda temporary: pq.write_table(table, temporary))
    else:
        raise SuiteError(
            "unknown suite format",
            where=str(path),
            got=f"the ending {path.suffix!r}",
            expected=".jsonl or .parquet",
            fix="Name the file prompts.jsonl or prompts.parquet.",
        )


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    # Not splitlines(), which also cuts at separators that JSON allows inside a string.
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise _bad_row(
                f"{path.name} line {number}", str(error), "a JSON object", "Write one object a line."
            ) from None
        if not isinstance(row, dict):
            raise _bad_row(
                f"{path.name} line {number}", type(row).__name__, "a JSON object", "Write one object a line."
            )
        yield number, row


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(path, str(error), "text in UTF-8") from error


def _read_table(path: Path) -> pa.Table:
    try:
        if path.suffix == ".arrow":
            with pa.memory_map(str(path)) as source:
                return pa.ipc.open_stream(source).read_all()
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, str(error), "a Parquet file, or an Arrow stream as `datasets` saves it") from error


def _table_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches():
        yield from batch.to_pylist()


def _prompt(row: dict[str, Any], where: str, options: ReadOptions) -> Prompt:
    text = row.get(options.text)
    if not isinstance(text, str):
        fix = f"Name the column that holds the text (--text-column); this row has {sorted(row)}."
        raise _bad_row(where, f"{options.text} = {text!r}", f"a text under {options.text!r}", fix)
    try:
        return Prompt(
            id=str(_given(row, "id", where.replace(" ", "-"))),
            text=text,
            slice=str(_given(row, options.slice, "all")),
            weight=float(_given(row, "weight", 1.0)),
            document=str(_given(row, "document", "")),
            scored=_scored(row.get("scored"), options.scored),
        )
    except (TypeError, ValueError) as error:
        raise _bad_row(where, str(error), "fields " + ", ".join(sorted(_FIELDS)), "Correct the row.") from error


def _given(row: dict[str, Any], column: str, default: Any) -> Any:
    """What the row says, or the default where the column is absent or null; 0 and '' are not absent."""
    value = row.get(column)
    return default if value is None else value


def _scored(value: Any, default: Scored) -> Scored:
    if value is None:
        return default
    if isinstance(value, str) and value.startswith(("[", '"')):  # as Parquet columns hold it
        value = json.loads(value)
    if value in ("last", "all"):
        return value  # type: ignore[no-any-return]
    if isinstance(value, list) and all(isinstance(position, int) for position in value):
        return tuple(value)
    raise ValueError(f"scored {value!r} is none of 'last', 'all', a list of positions")


def _text_prompts(folder: Path, options: ReadOptions) -> list[Prompt]:
    prompts = []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _TEXT_FILES or not path.is_file():
            continue
        name = path.relative_to(folder)
        text = _read_text(path)
        slice_name = name.parts[0] if len(name.parts) > 1 else "all"
        for number, passage in enumerate(passages(text, options.length, options.per_document), 1):
            prompts.append(
                Prompt(f"{name.as_posix()}#{number}", passage, slice_name, 1.0, name.as_posix(), options.scored)
            )
    return prompts


def _dataset_files(folder: Path) -> list[Path]:
    """The Arrow or Parquet shards of a dataset saved by `datasets` (save_to_disk) or laid out as on the hub."""
    return sorted([*folder.rglob("*.arrow"), *folder.rglob("*.parquet")])


def _dataset_prompts(folder: Path, options: ReadOptions) -> list[Prompt]:
    prompts = []
    for path in _dataset_files(folder):
        name = path.relative_to(folder).as_posix()
        rows = _table_rows(_read_table(path))
        prompts += [_prompt(row, f"{name} row {n}", options) for n, row in enumerate(rows)]
    return prompts


def _unreadable(path: Path, got: str, expected: str) -> SuiteError:
    return SuiteError(
        "cannot read the suite", where=str(path), got=got, expected=expected, fix="Restore or leave out this file."
    )


def _bad_row(where: str, got: str, expected: str, fix: str) -> SuiteError:
    return SuiteError("not a prompt", where=where, got=got, expected=expected, fix=fix)
