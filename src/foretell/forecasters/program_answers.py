"""A blind program's answers: one line of JSON each, read into a checked row, and kept on disk."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tempfile
import weakref
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import DistributionError, ProgramError, VocabularyError
from foretell.base.files import storage_errors
from foretell.distributions import DenseBlock, TopKBlock
from foretell.forecasters.program_harness import ENCODED
from foretell.forecasters.rows import RowRules, full_row, listed_row, one_number

#: More bytes than JSON needs for an id and a log-probability at full precision, and for everything around them.
_BYTES_A_TOKEN, _BYTES_AROUND = 64, 1 << 16
_DIGEST_BYTES, _LENGTH_BYTES = 16, 8
_SHOWN_LETTERS = 160
_FIX = "Correct the program; foretell's documentation has the form of an answer."
_FORMS = "one of logprobs, logprobs_f16, logprobs_f32, logprobs_f64, top or error"
_FULL = {"logprobs", *ENCODED.values()}
_TOP = {"token_ids", "rest_logprob"}

Row = DenseBlock | TopKBlock


def most_bytes(vocabulary: int) -> int:
    """How long an answer may be.

    >>> most_bytes(4)
    65792
    """
    return _BYTES_A_TOKEN * vocabulary + _BYTES_AROUND


def read_answer(line: bytes, question: int, rules: RowRules, where: str) -> Row:
    """One line as a row: {"question": n} and one of logprobs, logprobs_f32 (base64), top, or error.

    The rules are those of a Python function: the same answers pass and are refused.

    Raises:
        ProgramError: not JSON, another question's number, or no distribution over the vocabulary.
    """
    answer = _object(_json(line, where), where)
    number = answer.pop("question", None)
    if type(number) is not int or number != question:
        raise _error(where, "an answer to another question", _show(number), f"question {question}")
    if "error" in answer:
        raise _program_said(str(answer["error"]), where)
    if len(answer) != 1 or not (answer.keys() <= _FULL | {"top"}):
        raise _error(where, "an answer that cannot be read", _show(sorted(answer)), _FORMS)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # numbers that overflow are refused as what they are
            if "top" in answer:
                return _listed(_object(answer["top"], where), rules, where)
            return full_row(_numbers(answer, where), rules, where)
    except (DistributionError, VocabularyError) as error:
        raise ProgramError(error.what, where=error.where, got=error.got, expected=error.expected, fix=_FIX) from error


class AnswerStore:
    """Rows by number, in a temporary file: memory holds their places and digests only.

    Args:
        count: how many there will be.
    """

    def __init__(self, count: int) -> None:
        with _storage_errors():
            self._file = tempfile.TemporaryFile(prefix="foretell-", buffering=0)  # noqa: SIM115 (lives as long as the store)
        weakref.finalize(self, self._file.close)
        self._starts = np.full(count, -1, np.int64)
        self._digests = np.zeros((count, _DIGEST_BYTES), np.uint8)

    def put(self, number: int, row: Row) -> None:
        """Keep a row.

        Raises:
            StorageError: no room for it.
        """
        data = row_bytes(row)
        with _storage_errors():
            self._file.seek(0, io.SEEK_END)
            self._starts[number] = self._file.tell()
            left = memoryview(len(data).to_bytes(_LENGTH_BYTES, "little") + data)
            while left:
                left = left[self._file.write(left) :]
        self._digests[number] = _digest(data)

    def same(self, number: int, row: Row) -> bool:
        """Whether a row is, byte for byte, the one that was kept."""
        return bool((self._digests[number] == _digest(row_bytes(row))).all())

    def get(self, number: int) -> Row:
        """The row that was kept."""
        self._file.seek(int(self._starts[number]))
        length = int.from_bytes(self._file.read(_LENGTH_BYTES), "little")
        return row_of(self._file.read(length))


def row_bytes(row: Row) -> bytes:
    """A row as bytes: its kind, then its numbers."""
    if isinstance(row, DenseBlock):
        return b"d" + row.logprobs.astype("<f4").tobytes()
    parts = (row.token_ids.astype("<i4"), row.logprobs.astype("<f4"), row.rest_logprob.astype("<f4"))
    return b"t" + b"".join(part.tobytes() for part in parts)


def row_of(data: bytes) -> Row:
    """The row that `row_bytes` wrote.

    >>> row = TopKBlock(np.array([[4, 2]]), np.array([[-1.0, -2.0]]), np.array([-0.5]))
    >>> row_of(row_bytes(row)).token_ids.tolist()
    [[4, 2]]
    """
    numbers = np.frombuffer(data, "<f4", offset=1).astype(np.float32)
    if data[:1] == b"d":
        return DenseBlock(numbers[None])
    listed = (len(numbers) - 1) // 2
    ids = np.frombuffer(data, "<i4", count=listed, offset=1).astype(np.int32)
    return TopKBlock(ids[None], numbers[None, listed:-1], numbers[-1:])


def _storage_errors() -> AbstractContextManager[None]:
    """Full disks at the folder of temporary files, as errors that name it."""
    return storage_errors(Path(tempfile.gettempdir()))


def _digest(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest(), np.uint8)


def _json(line: bytes, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _error(where, "not JSON", _show(line.decode("utf-8", "replace")), "one JSON object a line") from error


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(where, "no JSON object", _show(value), '{"question": n, "logprobs": [...]}')
    return value


def _numbers(fields: dict[str, Any], where: str) -> Any:
    """The one field of log-probabilities, decoded."""
    named = sorted(fields.keys() & _FULL)
    if len(named) != 1:
        raise _error(where, "an answer that cannot be read", _show(sorted(fields)), _FORMS)
    value = fields[named[0]]
    if named[0] == "logprobs":
        return value
    kind = next(kind for kind, name in ENCODED.items() if name == named[0])
    try:
        data = base64.b64decode(value, validate=True)
        return np.frombuffer(data, np.dtype(kind).newbyteorder("<")).astype(kind)
    except (TypeError, ValueError) as error:
        raise _error(where, f"{named[0]} that cannot be decoded", str(error), f"base64 of {kind} numbers") from error


def _listed(top: dict[str, Any], rules: RowRules, where: str) -> TopKBlock:
    if "token_ids" not in top or not top.keys() <= _FULL | _TOP:
        raise _error(where, "an answer that cannot be read", _show(sorted(top)), "token_ids, logprobs, rest_logprob")
    rest = top.get("rest_logprob")
    logprobs = _numbers({key: value for key, value in top.items() if key in _FULL}, where)
    return listed_row(top["token_ids"], logprobs, None if rest is None else one_number(rest, where), rules, where)


def _program_said(text: str, where: str) -> ProgramError:
    if text.startswith("MemoryError"):
        return _error(where, "too much memory", _show(text), "a program within its limit of memory")
    return _error(where, "the program failed", _show(text), "an answer for every question")


def _show(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}…"


def _error(where: str, what: str, got: str, expected: str) -> ProgramError:
    return ProgramError(what, where=where, got=got, expected=expected, fix=_FIX)
