"""Reading rows.parquet and rows.jsonl, a row at a time, each checked as it is read.

Columns: `prompt` (id), `position`, and either `logprobs` or `probabilities` of all tokens, or `token_ids` with
`logprobs` or `probabilities` of those, and if wished `rest_logprob` or `rest`, the mass of all other tokens (else it
is 1 minus the listed). Rows of a Parquet file are numbered from 0, lines of a JSONL file from 1.
"""

from __future__ import annotations

import json
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from foretell.base.errors import DistributionError, InputError
from foretell.base.files import storage_errors
from foretell.distributions import Block, DenseBlock, TopKBlock
from foretell.forecasters.rows import RowRules, full_row, listed_row, log_of, one_number, stack_listed

ROW_FILES = ("rows.parquet", "rows.jsonl")
_PARQUET_ROWS = 16
_FLOAT_BYTES = 4


class RowTable:
    """All rows of a file by prompt and position.

    Full rows are kept as float32 in a temporary file, not in memory: 10,000 rows of 50,000 tokens take 2 GB.

    Attributes:
        places: (prompt id, position) → number of the row.

    Raises:
        InputError: no such columns, a file that is not Parquet or JSON lines, rows of two forms.
        DistributionError, VocabularyError: a row that is no distribution, or a doubled position; with row and prompt.
    """

    def __init__(self, path: Path, rules: RowRules) -> None:
        self.places: dict[tuple[str, int], int] = {}
        self._listed: list[TopKBlock] = []
        self._vocabulary = rules.vocabulary
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 (closed, and so deleted, with the table)
        weakref.finalize(self, self._spool.close)
        first: dict[tuple[str, int], str] = {}
        for row, place in _rows(path):
            key, where = _key(row, place)
            if key in first:
                raise DistributionError(
                    "duplicate position",
                    where=where,
                    got=f"position {key[1]} again, after {first[key]}",
                    expected="one row a position",
                    fix="Keep one of the two rows.",
                )
            first[key] = place
            self._keep(_read_row(row, rules, where), where)
            self.places[key] = len(self.places)

    def _keep(self, block: DenseBlock | TopKBlock, where: str) -> None:
        if isinstance(block, TopKBlock):
            self._listed.append(block)
        else:
            with storage_errors(Path(tempfile.gettempdir())):
                self._spool.write(block.logprobs.tobytes())
        if self._listed and len(self._listed) != len(self.places) + 1:
            raise InputError(
                "rows of two forms",
                where=where,
                got="rows with and without token ids",
                expected="one form for all rows",
                fix="List the tokens of every row, or of none.",
            )

    def block(self, keys: Sequence[tuple[str, int]]) -> Block:
        """The rows of these prompts and positions, in this order."""
        numbers = [self.places[key] for key in keys]
        if self._listed:
            return stack_listed([self._listed[number] for number in numbers])
        rows = np.empty((len(numbers), self._vocabulary), np.float32)
        for slot, number in enumerate(numbers):
            self._spool.seek(number * self._vocabulary * _FLOAT_BYTES)
            rows[slot] = np.frombuffer(self._spool.read(self._vocabulary * _FLOAT_BYTES), np.float32)
        return DenseBlock(rows)


def _read_row(row: Mapping[str, Any], rules: RowRules, where: str) -> DenseBlock | TopKBlock:
    values = row.get("logprobs")
    if (values is None) == (row.get("probabilities") is None):
        raise InputError(
            "no or two columns of probabilities",
            where=where,
            got=f"columns {sorted(name for name, value in row.items() if value is not None)}",
            expected="either `logprobs` or `probabilities`",
            fix="Give one of the two.",
        )
    logprobs = log_of(row["probabilities"], where) if values is None else values
    if row.get("token_ids") is None:
        return full_row(logprobs, rules, where)
    return listed_row(row["token_ids"], logprobs, _rest(row, where), rules, where)


def _rest(row: Mapping[str, Any], where: str) -> float | None:
    if row.get("rest") is not None:
        return float(log_of([row["rest"]], f"{where}, rest")[0])
    rest = row.get("rest_logprob")
    return None if rest is None else one_number(rest, f"{where}, rest_logprob")


def _key(row: Mapping[str, Any], place: str) -> tuple[tuple[str, int], str]:
    prompt, position = row.get("prompt"), row.get("position")
    if not isinstance(prompt, str) or not isinstance(position, int) or isinstance(position, bool) or position < 0:
        raise InputError(
            "a row without its place",
            where=place,
            got=f"prompt {prompt!r}, position {position!r}",
            expected="a prompt id (text) and a position (a number from 0)",
            fix="Name the prompt and the position in every row.",
        )
    return (prompt, position), f"{place} (prompt {prompt!r})"


def _rows(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    shown = f"{path.parent.name}/{path.name}"
    reader = _parquet_rows(path, shown) if path.suffix == ".parquet" else _json_rows(path, shown)
    empty = True
    for row in reader:
        empty = False
        yield row
    if empty:
        raise _unreadable(shown, "no rows", "one row a position")


def _json_rows(path: Path, shown: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            place = f"{shown} line {number}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise _unreadable(place, str(error), "one JSON object a line") from error
            if not isinstance(row, dict):
                raise _unreadable(place, type(row).__name__, "one JSON object a line")
            yield row, place


def _parquet_rows(path: Path, shown: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise _unreadable(shown, str(error), "a Parquet file") from error
    with file:
        number = 0
        for batch in file.iter_batches(_PARQUET_ROWS):
            columns = {name: batch.column(name) for name in batch.schema.names}
            for index in range(batch.num_rows):
                yield {name: _cell(column[index]) for name, column in columns.items()}, f"{shown} row {number}"
                number += 1


def _cell(value: Any) -> Any:
    """Lists as arrays of the file's own precision, by which sums are judged; everything else as Python values."""
    if value.is_valid and isinstance(value, pa.ListScalar | pa.LargeListScalar | pa.FixedSizeListScalar):
        return value.values.to_numpy(zero_copy_only=False)
    return value.as_py()


def _unreadable(where: str, got: str, expected: str) -> InputError:
    return InputError(
        "cannot read the rows",
        where=where,
        got=got,
        expected=expected,
        fix="Write the file again; the format is in the documentation of `file:DIR`.",
    )
