"""Any JSON and signed statements as evidence, and where files may lie."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from foretell.base.errors import ForgeryError, InputError
from foretell.ledger import SecretKey, Statement, sign_statement
from foretell.verdicts.other_evals import Asked, read_result

REAL = Path(__file__).parent / "other_evals"
DIGEST = "sha256:" + "ab" * 32
AUDITOR = SecretKey.generate("auditor")


def asked(kind: str, **fields: Any) -> Any:
    return TypeAdapter[Any](Asked).validate_python({"kind": kind, **fields})


def signer(secret: SecretKey) -> dict[str, str]:
    return {"key": secret.public.verifier, "recipient": secret.public.recipient}


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    predicate = {"found": {"high": 0, "low": 3}, "done": "2026-11-01T12:00:00+02:00", "verdict": "accepted"}
    statement = Statement("https://audit.example/report/1", {"model": DIGEST}, predicate)
    (tmp_path / "audit.json").write_bytes(sign_statement(statement, AUDITOR))
    return tmp_path


def test_other_programs_by_their_kind() -> None:
    lm_eval = asked("lm-eval", file="lm_eval.json", task="continuations", metric="acc")
    assert read_result(REAL, lm_eval).value == 5 / 8
    inspect = asked("inspect", file="inspect.eval", task="sums", metric="accuracy", scorer="match")
    assert read_result(REAL, inspect).value == 3 / 5


@pytest.mark.parametrize(
    ("value", "read"), [(0.25, 0.25), (3, 3.0), ("accepted", "accepted"), (True, True), (1e21, 1e21)]
)
def test_any_json(value: object, read: object, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"runs": [{"rate": value}], "at": 0}))
    result = read_result(tmp_path, asked("json", file="a.json", pointer="/runs/0/rate", date="/at"))
    assert result.value == read
    assert type(result.value) is type(read)
    assert (result.what, result.model, result.partly) == ("/runs/0/rate", None, None)
    assert result.made == datetime(1970, 1, 1, tzinfo=UTC)
    assert read_result(tmp_path, asked("json", file="a.json", pointer="/runs/0/rate")).made is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "not a number: got nothing"),
        ([1], "not a number: got a list"),
        ({}, "not a number: got an object"),
        (float("nan"), "not a number: got NaN"),
        ("x" * 2000, "not a number: got 'xxx"),
    ],
)
def test_json_that_is_no_value(value: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"rate": value}))
    with pytest.raises(InputError, match=message):
        read_result(tmp_path, asked("json", file="a.json", pointer="/rate"))


def test_words_are_no_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"rate": "low", "date": [1]}')
    result = read_result(tmp_path, asked("json", file="a.json", pointer="/rate"))
    with pytest.raises(InputError, match=r"a\.json: /rate: not a number: got 'low'"):
        _ = result.number
    with pytest.raises(InputError, match="/date: not a number: got a list"):
        read_result(tmp_path, asked("json", file="a.json", pointer="/rate", date="/date"))


def test_a_signed_statement(audit: Path) -> None:
    fields = {"file": "audit.json", "type": "https://audit.example/report/1", "signer": signer(AUDITOR)}
    result = read_result(audit, asked("statement", **fields, pointer="/found/high", date="/done", subject=DIGEST))
    assert (result.value, result.made) == (0.0, datetime(2026, 11, 1, 10, tzinfo=UTC))
    assert read_result(audit, asked("statement", **fields, pointer="/verdict")).value == "accepted"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"signer": signer(SecretKey.generate("auditor"))}, ForgeryError, "signed by another key"),
        ({"type": "https://audit.example/draft/1"}, InputError, "another kind of statement"),
        ({"subject": "sha256:" + "cd" * 32}, InputError, "a statement about something else"),
        ({"pointer": "/found/medium"}, InputError, "no such place: got 'medium', expected one of 'high', 'low'"),
        ({"signer": {"key": "x", "recipient": "y"}}, InputError, "key"),
    ],
)
def test_statements_that_do_not_count(
    changes: dict[str, Any], error: type[Exception], message: str, audit: Path
) -> None:
    fields = {"file": "audit.json", "type": "https://audit.example/report/1", "signer": signer(AUDITOR)}
    with pytest.raises(error, match=message):
        read_result(audit, asked("statement", **{**fields, "pointer": "/found/high", **changes}))


def test_a_statement_that_was_edited(audit: Path) -> None:
    path = audit / "audit.json"
    envelope = json.loads(path.read_bytes())
    envelope["signatures"][0]["sig"] = "AAAA" * 21 + "AA=="
    path.write_text(json.dumps(envelope, separators=(",", ":"), sort_keys=True))
    fields = {"type": "https://audit.example/report/1", "signer": signer(AUDITOR), "pointer": "/found/high"}
    with pytest.raises(ForgeryError, match="the signature does not fit the statement"):
        read_result(audit, asked("statement", file="audit.json", **fields))


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../a.json", "a/../b.json", "a\\b", "C:a.json", "./a.json", "a//b", ""]
)
def test_files_lie_below_the_one_that_names_them(name: str) -> None:
    with pytest.raises(ValidationError, match=r"a relative path below the folder|at least 1 character"):
        asked("json", file=name, pointer="/a")
