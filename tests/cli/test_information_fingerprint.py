"""`foretell information fingerprint` on the shipped checkpoints: found, none, measured, and bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import ForetellError, InputError, VocabularyError
from foretell.cli.app import app
from foretell.distributions import Distributions


def asked(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["information", "fingerprint", *map(str, arguments)])


def found(*arguments: str | Path) -> dict[str, Any]:
    result = asked(*arguments, "--json", "-")
    assert result.exit_code == 0, (result.output, result.exception)
    return dict(json.loads(result.stdout))


def test_found_and_none(tiny_truth: Distributions) -> None:
    truth = ("--truth", tiny_truth.folder, "--known", "tiny@768")
    told = found(*truth, "--known", "tiny", "--positions", "1")
    assert (told["schema"], told["status"], told["candidates"]) == ("foretell.fingerprint/1", "found", ["tiny"])
    assert [one["status"] for one in told["models"]] == ["does not fit", "fits"]
    assert found(*truth)["status"] == "none"
    folder = found(*truth, "--known", tiny_truth.folder, "--round", "2")
    assert (folder["candidates"], folder["precision"]["digits"]) == ([str(tiny_truth.folder)], 2)


def test_what_is_printed(tiny_truth: Distributions) -> None:
    words = " ".join(asked("--truth", tiny_truth.folder, "--known", "tiny", "--positions", "1").output.split())
    assert "tiny: fits: its output layer leaves" in words
    assert words.endswith(
        "From 1 distribution in float32: tiny, or a model with the same output layer that was not given."
    )


def test_error_rates_are_counted(tiny_truth: Distributions, tmp_path: Path) -> None:
    file = tmp_path / "rates.json"
    arguments = ("--truth", tiny_truth.folder, "--known", "tiny", "--known", "tiny@1536", "--positions", "5")
    result = asked(*arguments, "--measure", "--round", "float32", "--json", file)
    assert result.exit_code == 0, (result.output, result.exception)
    assert "5 (47.8%…100.0%)" in result.output
    counted = json.loads(file.read_text())["rates"]
    assert {(one["question"], one["source"]): one["counts"]["right"] for one in counted} == {
        (question, source): 5 for question in ("own model known", "own model not known") for source in ("tiny", "all")
    }


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("--truth", "nowhere", "--known", "tiny"), InputError, "no manifest"),
        (("--truth", "TRUTH", "--known", "nonsense"), InputError, "unknown target"),
        (("--truth", "TRUTH", "--known", "tiny", "--truth", "TRUTH"), InputError, "several questions at once"),
        (("--truth", "TRUTH", "--known", "tiny", "--round", "float9"), InputError, "unknown precision"),
        (("--truth", "TRUTH", "--known", "OTHER"), VocabularyError, "another vocabulary"),
    ],
)
def test_bad_input(
    tiny_truth: Distributions, tmp_path: Path, arguments: tuple[str, ...], kind: type[ForetellError], message: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in tiny_truth.folder.iterdir():
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["vocabulary"]["size"] = 2049
    (other / "manifest.json").write_text(json.dumps(manifest))
    places = {"TRUTH": str(tiny_truth.folder), "OTHER": str(other)}
    result = asked(*(places.get(one, one) for one in arguments))
    assert isinstance(result.exception, kind), (result.output, result.exception)
    assert message in str(result.exception)


def test_help_has_an_example() -> None:
    assert "Example: foretell information fingerprint" in " ".join(asked("--help").output.split())
