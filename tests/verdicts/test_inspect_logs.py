"""Logs of Inspect: real ones in both formats say the same, and runs that did not end well say nothing."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from foretell.base.canonical import digest_file
from foretell.base.errors import DamageError, InputError
from foretell.verdicts.inspect_logs import read_inspect

REAL = Path(__file__).parent / "other_evals"
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Change], Path]:
    """A copy of the real log after a change to it."""

    def write(change: Change) -> Path:
        content = json.loads((REAL / "inspect.json").read_text())
        change(content)
        path = tmp_path / "log.json"
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.mark.parametrize("name", ["inspect.eval", "inspect.json"])
def test_a_real_run_in_both_formats(name: str) -> None:
    """Three of five answers match, four include the number: make_inspect_logs.py made them so."""
    result = read_inspect(REAL / name, "sums", "accuracy", "match")
    assert (result.value, result.what, result.model) == (3 / 5, "sums match accuracy", "mockllm/model")
    assert result.made is not None
    assert result.made.replace(minute=0, second=0) == datetime(2026, 11, 29, 5, tzinfo=UTC)
    assert (result.partly, result.file, result.digest) == (None, name, digest_file(REAL / name))
    assert read_inspect(REAL / name, "sums", "accuracy", "includes").value == 4 / 5


def test_a_real_run_of_the_shipped_model() -> None:
    result = read_inspect(REAL / "inspect-tiny.eval", "beginnings", "accuracy")
    assert (result.value, result.model, result.partly) == (3 / 6, "hf/tiny", None)


def test_the_real_archive_is_in_zstandard() -> None:
    """What Python's own library does not read before 3.14."""
    with zipfile.ZipFile(REAL / "inspect.eval") as file:
        assert {member.compress_type for member in file.infolist()} == {93}


def test_a_real_run_on_some_samples_says_so() -> None:
    result = read_inspect(REAL / "inspect-limited.json", "sums", "accuracy", "match")
    assert (result.value, result.partly) == (1.0, "on 2 of 5 samples")


def test_a_real_run_that_failed() -> None:
    with pytest.raises(InputError, match="a run that did not end well: got status 'error', expected status 'success'"):
        read_inspect(REAL / "inspect-error.json", "sums", "accuracy", "match")


@pytest.mark.parametrize(
    ("change", "scorer", "partly"),
    [
        (lambda log: log["results"].update(completed_samples=4), "match", "on 4 of 5 samples"),
        (lambda log: log["results"]["scores"][0].update(unscored_samples=2), "match", "on 3 of 5 samples"),
        (lambda log: log["results"]["scores"][0].update(unscored_samples=2), "includes", None),
    ],
)
def test_samples_that_are_missing(
    change: Change, scorer: str, partly: str | None, changed: Callable[..., Path]
) -> None:
    assert read_inspect(changed(change), "sums", "accuracy", scorer).partly == partly


def test_scores_that_were_reduced_in_several_ways(changed: Callable[..., Path]) -> None:
    def reduce(log: dict[str, Any]) -> None:
        for score, reducer in zip(log["results"]["scores"], ("mean", "max"), strict=True):
            score.update(name="match", reducer=reducer)

    path = changed(reduce)
    assert read_inspect(path, "sums", "accuracy", "match/max").value == 4 / 5
    with pytest.raises(InputError, match="no such scorer: got 'match', expected one of 'match/mean', 'match/max'"):
        read_inspect(path, "sums", "accuracy", "match")


def test_a_single_scorer_need_not_be_named(changed: Callable[..., Path]) -> None:
    path = changed(lambda log: log["results"]["scores"].pop())
    assert read_inspect(path, "sums", "accuracy").value == 3 / 5


def metrics(log: dict[str, Any]) -> dict[str, Any]:
    return dict.__getitem__(log["results"]["scores"][0], "metrics")


@pytest.mark.parametrize(
    ("task", "metric", "scorer", "message"),
    [
        ("sum", "accuracy", "match", "no such task: got 'sum', expected one of 'sums'"),
        ("sums", "f1", "match", "match: no such metric: got 'f1', expected one of 'accuracy', 'stderr'"),
        ("sums", "accuracy", None, "no such scorer: got 'none named', expected one of 'match', 'includ"),
        ("sums", "accuracy", "f", "no such scorer: got 'f', expected one of 'match', 'includes'"),
    ],
)
def test_names_that_are_not_there(task: str, metric: str, scorer: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_inspect(REAL / "inspect.eval", task, metric, scorer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda log: log.update(version=3), "an Inspect log of a newer version: got version 3"),
        (lambda log: log.update(version=1), "an Inspect log of another version, or none"),
        (lambda log: log.pop("version"), "of another version, or none: got version None"),
        (lambda log: log.update(version=True), "another version, or none: got version True"),
        (lambda log: log.update(status="started"), "did not end well: got status 'started'"),
        (lambda log: log.update(invalidated=True), "a log whose samples were invalidated"),
        (lambda log: metrics(log)["accuracy"].update(value=float("nan")), "number: got NaN"),
        (lambda log: metrics(log)["accuracy"].pop("value"), "not a number: got nothing"),
        (lambda log: log["results"].update(scores={}), "'scores' is an object, expected"),
        (lambda log: log["results"]["scores"][0].update(name="\ud800"), "objects with names"),
        (lambda log: log.pop("results"), "got 'results' is nothing, expected an object"),
        (lambda log: log["eval"].update(created="soon"), "created: not a time: got 'soon'"),
        (lambda log: log["eval"].update(created="2026-01-01T00:00:00"), "not a time"),
    ],
)
def test_logs_that_say_nothing(change: Change, message: str, changed: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=message):
        read_inspect(changed(change), "sums", "accuracy", "match")


def test_no_date_is_no_error(changed: Callable[..., Path]) -> None:
    assert read_inspect(changed(lambda log: log["eval"].pop("created")), "sums", "accuracy", "match").made is None


def test_archives_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("_journal/start.json", "{}")
    with pytest.raises(InputError, match=r"did not end well: got an archive without header\.json"):
        read_inspect(path, "sums", "accuracy")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("header.json", '{"version": 2, "version": 3}')
    with pytest.raises(DamageError, match="'version' stands twice in an object"):
        read_inspect(path, "sums", "accuracy")
    path.write_bytes((REAL / "inspect.eval").read_bytes()[:-30])
    with pytest.raises(InputError, match="not an archive that can be read"):
        read_inspect(path, "sums", "accuracy")
