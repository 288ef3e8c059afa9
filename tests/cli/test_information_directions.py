"""Tests of `foretell information directions`: the table, the JSON, the picture, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import InputError
from foretell.cli.app import app
from foretell.suites import Prompt, Suite, save_suite

QUICK = ("--draws", "1", "--steps", "6", "--tolerance", "0.1", "--size", "0.001")


@pytest.fixture(scope="module")
def pair_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two prompts that differ and one that repeats another."""
    texts = {"a": "The lamp in the hall", "b": "def add(a, b):", "again": "The lamp in the hall"}
    path = tmp_path_factory.mktemp("suite") / "pair.jsonl"
    save_suite(Suite("pair", tuple(Prompt(name, text) for name, text in texts.items())), path)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["information", "directions", *map(str, arguments)])


def test_the_table_the_json_and_the_picture(pair_file: Path, tmp_path: Path) -> None:
    plot, out = tmp_path / "pinned.svg", tmp_path / "pinned.json"
    done = run("--target", "tiny", "--suite", pair_file, "--prompts", "1,2,3", *QUICK, "--plot", plot, "--json", out)
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text(encoding="utf-8"))
    assert (found["schema"], found["weights"]) == ("foretell.directions/1", 1_066_112)
    assert (found["prompts_given"], found["prompts_different"]) == (3, 2)
    assert found["not_determined"] == {"3": "only 2 different prompts were given"}
    assert [row["prompts"] for row in found["rows"]] == [1, 2]
    move = found["rows"][0]["pinned"][0]["move"]
    assert 0.5 < move["ratio"] < 2
    text = " ".join(done.output.split())
    assert "pinned to 0.10%" in text
    assert "3 prompts: not determined: only 2 different prompts were given." in text
    assert "No prompt can pin 19,328 directions, 1.8% of them all: 1,024 gains, 16,384 values, 512 keys" in text
    assert plot.read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "int8:tiny"), "target int8:tiny: cannot be differentiated"),
        (("--target", "tiny", "--prompts", "1,some"), "--prompts: not numbers of prompts: got '1,some'"),
        (("--target", "tiny", "--tolerance", "0"), "--tolerance: not a positive number: got 0.0"),
        (("--target", "tiny", "--steps", "100000"), "--steps: the vectors would take too much memory"),
    ],
)
def test_bad_input(pair_file: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run("--suite", pair_file, *arguments)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_help_has_an_example() -> None:
    assert "Example: foretell information directions" in " ".join(run("--help").output.split())
