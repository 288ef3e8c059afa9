"""The evidence of a policy: its files read, and each part as a signed decision carries it, to and fro."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from foretell.base.canonical import read_json
from foretell.base.errors import InputError
from foretell.base.toml_models import Form, Part, validated
from foretell.verdicts.evidence_files import Result, scalar, written_time
from foretell.verdicts.other_evals import Digest, read_result
from foretell.verdicts.policy import Policy
from foretell.verdicts.policy_decision import Shown
from foretell.verdicts.policy_parts import VerdictPart
from foretell.verdicts.policy_rule import State

_FORM = Form("recorded part", "Ask the evaluator for a decision that can be read.", "foretell:decision/1")


class Recorded(Part):
    """A part in a decision.

    Attributes:
        said: in words, for readers; whoever checks a decision finds them anew.
        value: as JSON text, since canonical JSON cannot carry every number.
        attempt: number of the attempt whose verdict counts.
    """

    name: str
    kind: str
    state: State
    said: str
    value: str | None = None
    what: str | None = None
    model: str | None = None
    made: str | None = None
    partly: str | None = None
    file: str | None = None
    digest: Digest | None = None
    attempt: int | None = None


def read_results(policy: Policy, folder: Path) -> dict[str, Result | None]:
    """What the files of a policy say, by the parts that read them; None where there is no file.

    Args:
        folder: where the policy lies.

    Raises:
        InputError, DamageError, ForgeryError: a file that is there and cannot be read; nobody should decide over it.
    """
    return {
        part.name: read_result(folder, part) if (folder / part.file).exists() else None
        for part in policy.parts
        if not isinstance(part, VerdictPart)
    }


def evidence(policy: Policy, results: Mapping[str, Result | None]) -> dict[str, str]:
    """Digests of the files that were read, by their names in the policy.

    Raises:
        InputError: a file that changed while it was read.
    """
    found: dict[str, str] = {}
    for part in policy.parts:
        result = results.get(part.name)
        if isinstance(part, VerdictPart) or result is None:
            continue
        if found.setdefault(part.file, result.digest) != result.digest:
            raise InputError(
                "a file that changed while it was read",
                where=part.file,
                got=result.digest,
                expected=found[part.file],
                fix="Decide again when nothing writes to it.",
            )
    return found


def record(shown: Shown) -> dict[str, Any]:
    """A part for JSON.

    >>> record(Shown("exam", "json", "missing", "there is no file exam.json"))
    {'name': 'exam', 'kind': 'json', 'state': 'missing', 'said': 'there is no file exam.json'}
    """
    facts: dict[str, Any] = {"name": shown.name, "kind": shown.kind, "state": shown.state, "said": shown.said}
    result = shown.result
    if result is not None:
        facts |= {
            "value": json.dumps(result.value),
            "what": result.what,
            "model": result.model,
            "made": None if result.made is None else result.made.isoformat(),
            "partly": result.partly,
            "file": result.file,
            "digest": result.digest,
        }
    facts["attempt"] = shown.attempt
    return {name: value for name, value in facts.items() if value is not None}


def recorded(parts: list[Any], where: str) -> list[Recorded]:
    """Parts as they stand in a decision.

    Raises:
        InputError: a field that is missing, unknown or wrong.
    """
    return [validated(Recorded, part, f"{where}: part {number}", _FORM) for number, part in enumerate(parts, 1)]


def result_of(part: Recorded, where: str) -> Result | None:
    """What a file said, by a decision; None where there was none.

    Raises:
        InputError: a part that has something of a file and not all.
    """
    facts = (part.value, part.what, part.file, part.digest)
    if facts == (None,) * len(facts):
        return None
    if part.value is None or part.what is None or part.file is None or part.digest is None:
        raise _half(where, part.name)
    try:
        value = scalar(read_json(part.value), where, part.name)
    except ValueError as error:
        raise _half(where, part.name) from error
    return Result(value, part.what, part.model, _made(part.made, where), part.partly, part.file, part.digest)


def _made(text: str | None, where: str) -> datetime | None:
    return None if text is None else written_time(text, where, "made")


def _half(where: str, name: str) -> InputError:
    return InputError(
        "a part that says half of what its file said",
        where=f"{where}: {name}",
        got="a part without value, what, file or digest",
        expected="all of them, or none where there was no file",
        fix=_FORM.fix,
    )
