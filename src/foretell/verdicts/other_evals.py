"""Results of other evaluations as evidence: READ THIS FIRST for what is read from which file.

`lm_eval_results.py` and `inspect_logs.py` know two programs' files, `json_pointer.py` finds a place in any JSON, and a
signed statement is an envelope as `foretell.ledger` writes it, whose signer is named beforehand.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints

from foretell.base.errors import InputError
from foretell.base.toml_models import Part
from foretell.ledger import Statement, open_statement
from foretell.verdicts.charter_parts import RolePart, Text
from foretell.verdicts.evidence_files import (
    Result,
    digest_of,
    json_object,
    open_evidence,
    read_bounded,
    scalar,
    seconds_since_1970,
    written_time,
)
from foretell.verdicts.inspect_logs import read_inspect
from foretell.verdicts.json_pointer import PATTERN, at_pointer
from foretell.verdicts.lm_eval_results import read_lm_eval

__all__ = ["Asked", "InspectSource", "JsonSource", "LmEvalSource", "Result", "StatementSource", "read_result"]


def _inside(name: str) -> str:
    """A path that leads nowhere else than below the folder of the file that names it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or path.as_posix() != name:
        raise ValueError("a relative path below the folder of this file, with '/' between its parts")
    return name


FileName = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_inside)]
Pointer = Annotated[str, StringConstraints(pattern=PATTERN, max_length=1000)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class Source(Part):
    """Where evidence lies.

    Attributes:
        file: below the folder of the file that names it.
    """

    file: FileName


class LmEvalSource(Source):
    """A task's metric in lm-eval's results; see `read_lm_eval`."""

    kind: Literal["lm-eval"]
    task: Text
    metric: Text


class InspectSource(Source):
    """A metric in a log of Inspect; see `read_inspect`."""

    kind: Literal["inspect"]
    task: Text
    metric: Text
    scorer: Text | None = None


class JsonSource(Source):
    """A value in any JSON.

    Attributes:
        pointer: its place (RFC 6901).
        date: the place of the evidence's date: a text in ISO 8601, or seconds since 1970; unknown where None.
    """

    kind: Literal["json"]
    pointer: Pointer
    date: Pointer | None = None


class StatementSource(Source):
    """A value in what somebody has signed.

    Attributes:
        type: the statement's predicate type; another kind of statement by the same signer does not count.
        signer: the key that has to have signed it.
        pointer, date: places in the predicate.
        subject: a digest that the statement has to be about; whatever it is about where None.
    """

    kind: Literal["statement"]
    type: Text
    signer: RolePart
    pointer: Pointer
    date: Pointer | None = None
    subject: Digest | None = None


Asked: TypeAlias = Annotated[LmEvalSource | InspectSource | JsonSource | StatementSource, Field(discriminator="kind")]


def read_result(folder: Path, asked: LmEvalSource | InspectSource | JsonSource | StatementSource) -> Result:
    """Read what is asked for from its file.

    Args:
        folder: which the file's path is relative to.

    Raises:
        InputError: no such file, task, metric or place, a run that did not end well, or no value there; the message
            lists what there is.
        DamageError: a file that is damaged, or can be read in two ways.
        ForgeryError: a statement that the signer has not signed, or an archive that grows without end.
    """
    path = folder / asked.file
    if isinstance(asked, LmEvalSource):
        return read_lm_eval(path, asked.task, asked.metric)
    if isinstance(asked, InspectSource):
        return read_inspect(path, asked.task, asked.metric, asked.scorer)
    where = str(path)
    with open_evidence(path) as file:
        digest, data = digest_of(file), read_bounded(file, where)
    content = json_object(data, where) if isinstance(asked, JsonSource) else _signed(data, asked, where).predicate
    return Result(
        value=scalar(at_pointer(content, asked.pointer, where), where, asked.pointer),
        what=asked.pointer,
        model=None,
        made=None if asked.date is None else _time(at_pointer(content, asked.date, where), where, asked.date),
        partly=None,
        file=path.name,
        digest=digest,
    )


def _signed(data: bytes, asked: StatementSource, where: str) -> Statement:
    statement, _ = open_statement(data, [asked.signer.public()], where)
    if statement.predicate_type != asked.type:
        raise _another(where, "another kind of statement", statement.predicate_type, asked.type)
    if asked.subject is not None and asked.subject not in statement.subjects.values():
        raise _another(where, "a statement about something else", str(statement.subjects), asked.subject)
    return statement


def _another(where: str, what: str, got: str, expected: str) -> InputError:
    return InputError(what, where=where, got=got, expected=expected, fix="Ask its signer for the one that is meant.")


def _time(value: Any, where: str, pointer: str) -> datetime:
    if isinstance(value, str):
        return written_time(value, where, pointer)
    return seconds_since_1970(value, where, pointer)
