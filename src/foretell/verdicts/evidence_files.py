"""What the result of another evaluation is, and the reading of the file that holds it: bounded, digested, read once."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeAlias

from foretell.base.canonical import read_json
from foretell.base.errors import DamageError, InputError

#: Larger files are refused: a JSON of this size already takes gigabytes to read.
MOST_BYTES = 256 << 20
_MOST_LETTERS = 1000
_CHUNK_BYTES = 1 << 20
_SHOWN = 12
#: A folder of somebody's machine in a model's name: what comes after the last slash is the model.
_ABSOLUTE = re.compile(r"(?:^|/)(?:/|~|[A-Za-z]:[\\/])")

Value: TypeAlias = float | str | bool


@dataclass(frozen=True)
class Result:
    """What a file of another evaluation says.

    Attributes:
        value: a number, or a word or truth value where the file has one at that place.
        what: which figure it is: task and metric, or the place in the file.
        model: as the file names it, without folders of the machine; None where it names none.
        made: when the evaluation began, by the file's own word; None where it does not say.
        partly: in words, where less than the whole test was run; None where it was, or the file does not say.
        file: its name, without folders.
        digest: of its bytes.
    """

    value: Value
    what: str
    model: str | None
    made: datetime | None
    partly: str | None
    file: str
    digest: str

    @property
    def number(self) -> float:
        """The value as a number.

        Raises:
            InputError: it is none.
        """
        if isinstance(self.value, float):
            return self.value
        raise no_number(self.file, self.what, self.value)


@dataclass(frozen=True)
class NotFinite:
    """NaN or an infinity in a file: nothing wrong where it is not asked for, and never a value."""

    name: str

    def __repr__(self) -> str:
        return self.name


def open_evidence(path: Path) -> IO[bytes]:
    """A file, open.

    Raises:
        InputError: it is not there, or cannot be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(
            "no evidence",
            where=str(path),
            got="no such file" if isinstance(error, FileNotFoundError) else str(error.strerror),
            expected="the file of another evaluation",
            fix="Give the file that the evaluation wrote.",
        ) from error


def digest_of(file: IO[bytes]) -> str:
    """Digest of an open file, which is left at its beginning."""
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(_CHUNK_BYTES):
        digest.update(block)
    file.seek(0)
    return "sha256:" + digest.hexdigest()


def read_bounded(file: IO[bytes], where: str) -> bytes:
    """All bytes of an open file.

    Raises:
        InputError: more than MOST_BYTES.
    """
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(
            "a file that is too large",
            where=where,
            got=f"more than {MOST_BYTES:,} bytes",
            expected="results",
            fix="Give results without every sample; `inspect log convert --to eval` makes a log small.",
        )
    return data


def json_object(data: bytes, where: str) -> dict[str, Any]:
    """The JSON object in some bytes; NaN and the infinities in it are `NotFinite`.

    Raises:
        DamageError: not JSON, or JSON that can be read in two ways.
        InputError: JSON that is no object.
    """
    try:
        value = read_json(data, NotFinite)
    except ValueError as error:
        raise DamageError(
            "not JSON that everybody reads alike",
            where=where,
            got=str(error),
            expected="JSON in UTF-8, every name once in an object",
            fix="Take the file as the evaluation wrote it.",
        ) from error
    if not isinstance(value, dict):
        raise another_shape(where, "the file", value, "an object")
    return value


def table_of(content: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """A field of JSON that is an object.

    Raises:
        InputError: it is missing or something else.
    """
    value = content.get(name)
    if not isinstance(value, dict):
        raise another_shape(where, repr(name), value, "an object")
    return value


def finite(value: Any, where: str, what: str) -> float:
    """A value as a number.

    Raises:
        InputError: it is no number, or none that is finite.

    >>> finite(1, "results.json", "acc")
    1.0
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise no_number(where, what, value)


def scalar(value: Any, where: str, what: str) -> Value:
    """A value as a number, a word or a truth value.

    Raises:
        InputError: something else.
    """
    if isinstance(value, bool) or (isinstance(value, str) and len(value) <= _MOST_LETTERS):
        return value
    return finite(value, where, what)


def no_number(where: str, what: str, value: Any) -> InputError:
    """The error for a figure that is none."""
    return InputError(
        "not a number",
        where=f"{where}: {what}",
        got=_short(value),
        expected="a finite number",
        fix="Name another figure, or look into why the evaluation gave none.",
    )


def not_there(kind: str, where: str, name: str, there: Iterable[str], fix: str) -> InputError:
    """The error for a name that a file has not, or has more than once, with those that it has."""
    names = list(dict.fromkeys(there))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return InputError(
        f"no such {kind}",
        where=where,
        got=repr(name),
        expected="one of " + ", ".join(map(repr, names[:_SHOWN])) + more if names else f"a {kind}, and there is none",
        fix=fix,
    )


def another_shape(where: str, what: str, value: Any, expected: str) -> InputError:
    """The error for JSON that is of another form than the program writes whose file it should be."""
    return InputError(
        "a file of another form",
        where=where,
        got=f"{what} is {_short(value)}",
        expected=expected,
        fix="Give the file as the evaluation wrote it; see docs/policies.md for the versions that are read.",
    )


def model_name(name: Any) -> str | None:
    """A model's name without the folders of the machine that it lay on; None for what is no name.

    >>> model_name("/home/me/models/tiny"), model_name("hf//home/me/tiny"), model_name("org/tiny"), model_name(None)
    ('tiny', 'tiny', 'org/tiny', None)
    """
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= _MOST_LETTERS:
        return None
    return re.split(r"[\\/]", name.rstrip("\\/"))[-1] or None if _ABSOLUTE.search(name) else name


def seconds_since_1970(value: Any, where: str, what: str) -> datetime:
    """A time in seconds, as a time.

    Raises:
        InputError: no number, or a year that no calendar has.

    >>> seconds_since_1970(0, "here", "date").isoformat()
    '1970-01-01T00:00:00+00:00'
    """
    try:
        return datetime.fromtimestamp(finite(value, where, what), UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise no_time(where, what, value) from error


def written_time(value: Any, where: str, what: str) -> datetime:
    """A time as ISO 8601 writes it, with its offset.

    Raises:
        InputError: something else.

    >>> written_time("2030-01-31T12:00:00Z", "here", "date").year
    2030
    """
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise no_time(where, what, value) from error
    if time.utcoffset() is None:
        raise no_time(where, what, value)
    return time.astimezone(UTC)


def no_time(where: str, what: str, value: Any) -> InputError:
    """The error for what is no time."""
    return InputError(
        "not a time",
        where=f"{where}: {what}",
        got=_short(value),
        expected="a date and time with its offset, such as 2030-01-31T12:00:00Z, or seconds since 1970",
        fix="Name the place of the date, or leave it out: then it is unknown.",
    )


def _short(value: Any) -> str:
    text = {dict: "an object", list: "a list", type(None): "nothing"}.get(type(value)) or ascii(value)
    return text if len(text) <= _MOST_LETTERS // 10 else text[: _MOST_LETTERS // 10] + "…"
