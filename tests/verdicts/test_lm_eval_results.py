"""Results of lm-eval: real ones are read, and whatever is not a figure is refused with what there is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from foretell.base.canonical import digest_file
from foretell.base.errors import DamageError, InputError
from foretell.verdicts import evidence_files
from foretell.verdicts.lm_eval_results import read_lm_eval

REAL = Path(__file__).parent / "other_evals"
TASK = "continuations"


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], Any]], Path]:
    """A copy of the real results after a change to them."""

    def write(change: Callable[[dict[str, Any]], Any]) -> Path:
        content = json.loads((REAL / "lm_eval.json").read_text())
        change(content)
        path = tmp_path / "results.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_a_real_run_of_the_shipped_model() -> None:
    """Five of eight questions, by the program's own word in the same file."""
    result = read_lm_eval(REAL / "lm_eval.json", TASK, "acc")
    assert (result.value, result.number, result.what, result.model) == (5 / 8, 5 / 8, f"{TASK} acc,none", "tiny")
    assert result.made == datetime(2026, 11, 29, 5, 37, 33, 350197, tzinfo=UTC)
    assert (result.partly, result.file) == (None, "lm_eval.json")
    assert result.digest == digest_file(REAL / "lm_eval.json")
    assert read_lm_eval(REAL / "lm_eval.json", TASK, "acc,none") == result


def test_a_real_run_on_some_questions_says_so() -> None:
    result = read_lm_eval(REAL / "lm_eval-limited.json", TASK, "acc_norm")
    assert (result.value, result.partly) == (1.0, "on 3 of 8 samples")


Change = Callable[[dict[str, Any]], Any]


def figures(content: dict[str, Any]) -> dict[str, Any]:
    return dict.__getitem__(content["results"], TASK)


@pytest.mark.parametrize(
    ("change", "model"),
    [
        (lambda c: c.update(model_name="/home/me/models/tiny"), "tiny"),
        (lambda c: c.pop("model_name"), "tiny"),
        (lambda c: (c.pop("model_name"), c["config"].update(model_args="pretrained=org/m,dtype=float")), "org/m"),
        (lambda c: (c.pop("model_name"), c["config"].update(model_args="", model="dummy")), "dummy"),
        (lambda c: (c.pop("model_name"), c.pop("config")), None),
    ],
)
def test_the_model_stands_in_several_places(change: Change, model: str | None, changed: Callable[..., Path]) -> None:
    assert read_lm_eval(changed(change), TASK, "acc").model == model


@pytest.mark.parametrize(
    ("change", "partly"),
    [
        (lambda c: c.pop("n-samples"), None),
        (lambda c: (c.pop("n-samples"), c["config"].update(limit=0.5)), "with --limit 0.5"),
        (lambda c: (c.pop("n-samples"), c.pop("config")), None),
    ],
)
def test_older_files_know_the_limit_only(change: Change, partly: str | None, changed: Callable[..., Path]) -> None:
    assert read_lm_eval(changed(change), TASK, "acc").partly == partly


def test_nan_elsewhere_is_nothing_wrong(changed: Callable[..., Path]) -> None:
    path = changed(lambda c: figures(c).update({"acc_stderr,none": float("nan")}))
    assert "NaN" in path.read_text()
    assert read_lm_eval(path, TASK, "acc").value == 5 / 8


@pytest.mark.parametrize(
    ("change", "task", "metric", "message"),
    [
        (lambda c: None, "arc", "acc", rf"no such task: got 'arc', expected one of '{TASK}'"),
        (lambda c: None, TASK, "f1", r"no such metric: got 'f1', expected one of 'acc,none', 'acc_stderr,none'"),
        (lambda c: None, TASK, "alias", "no such metric: got 'alias'"),
        (lambda c: None, TASK, "sample_len", "no such metric: got 'sample_len'"),
        (
            lambda c: figures(c).update({"acc,strict": 1}),
            TASK,
            "acc",
            "a metric with several filters: got 'acc', expected one of 'acc,none', 'acc,strict'",
        ),
        (lambda c: figures(c).update({"acc,none": float("nan")}), TASK, "acc", "not a number: got NaN"),
        (lambda c: figures(c).update({"acc,none": float("inf")}), TASK, "acc", "not a number: got Infinity"),
        (lambda c: figures(c).update({"acc,none": 10**400}), TASK, "acc", r"not a number: got 1000"),
        (lambda c: figures(c).update({"acc,none": "N/A"}), TASK, "acc", "not a number: got 'N/A'"),
        (lambda c: figures(c).update({"acc,none": True}), TASK, "acc", "not a number: got True"),
        (lambda c: c.update(date=1e300), TASK, "acc", r"date: not a time: got 1e\+300"),
        (lambda c: c.update(date="today"), TASK, "acc", "date: not a number: got 'today'"),
        (lambda c: c.pop("results"), TASK, "acc", "a file of another form: got 'results' is nothing"),
        (lambda c: c["results"].update({TASK: []}), TASK, "acc", f"got '{TASK}' is a list, expected an object"),
    ],
)
def test_what_is_not_there(change: Change, task: str, metric: str, message: str, changed: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=message):
        read_lm_eval(changed(change), task, metric)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", DamageError, "not JSON that everybody reads alike"),
        (b"\xff\xfe\xff", DamageError, "not JSON that everybody reads alike"),
        (b'{"results": {"a": {}, "a": {}}}', DamageError, "'a' stands twice in an object"),
        (b"[" * 100_000, DamageError, "nested too deep"),
        (b"[]", InputError, "a file of another form: got the file is a list"),
    ],
)
def test_what_is_no_file_of_results(data: bytes, error: type[Exception], message: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(data)
    with pytest.raises(error, match=message):
        read_lm_eval(path, TASK, "acc")


def test_no_file_and_too_large_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"no evidence: got no such file"):
        read_lm_eval(tmp_path / "none.json", TASK, "acc")
    with pytest.raises(InputError, match=r"no evidence: got Is a directory"):
        read_lm_eval(tmp_path, TASK, "acc")
    monkeypatch.setattr(evidence_files, "MOST_BYTES", 100)
    with pytest.raises(InputError, match="a file that is too large: got more than 100 bytes"):
        read_lm_eval(REAL / "lm_eval.json", TASK, "acc")
