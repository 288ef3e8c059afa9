"""`foretell transfer` as people call it, on runs that `foretell score` wrote, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import InputError
from foretell.cli.app import app
from foretell.distributions import Distributions
from foretell.evaluation import score
from tests.verdicts.made_runs import made_losses, made_run

MEANS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return made_run(tmp_path / "run", made_losses(MEANS, 160))


def transfer(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["transfer", *map(str, arguments)])


def test_a_table_in_words_json_and_a_picture(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):  # an earlier table is replaced
        made = transfer(run, "--tolerance", "0.75", "--out", out)
        assert made.exit_code == 0, (made.output, made.exception)
    words = " ".join(made.output.split())
    assert "Mean KL divergence (nats) of 6 forecasts on 2 units" in words
    assert "Forecasts on code and on prose: rank correlation 1 (1 to 1; Spearman)" in words
    assert "Where a pass was worth least: 0.75 nats on" in words
    record = json.loads((out / "transfer.json").read_text())
    assert record["schema"] == "foretell.transfer/1"
    assert ElementTree.fromstring((out / "transfer.svg").read_text()).tag.endswith("svg")
    only = transfer(run, "--tolerance", "0.75", "--json", "-")
    assert json.loads(only.stdout) == record


def test_runs_of_two_targets(run: Path, tmp_path: Path) -> None:
    other = made_run(tmp_path / "other", made_losses(MEANS[::-1]), target="organism")
    record = json.loads(transfer(run, other, "--json", "-").stdout)
    assert [unit["name"] for unit in record["units"]] == ["t", "organism"]
    assert record["correlations"][0]["spearman"]["value"] == pytest.approx(-1.0)
    assert record["passes"] is None
    slices = json.loads(transfer(run, other, "--by", "slice", "--json", "-").stdout)
    assert len(slices["units"]) == 4


def test_many_slices_are_told_in_parts(tmp_path: Path) -> None:
    names = [f"a rather long slice {i}" for i in range(14)]
    run = made_run(tmp_path / "run", made_losses(MEANS, 14 * 20), slices=names)
    made = transfer(run, "--tolerance", "0.75")
    assert made.exit_code == 0, (made.output, made.exception)
    assert max(len(line) for line in made.output.splitlines()) <= 128
    record = json.loads(transfer(run, "--json", "-").stdout)
    for one in record["losses"]:
        assert f"{one['mean']:.2f}" in made.output


def test_a_real_run_too_small_for_orders(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions], tmp_path: Path
) -> None:
    score(tiny_truth, list(tiny_forecasts.values()), tmp_path / "run")
    made = transfer(tmp_path / "run")
    assert made.exit_code == 0, (made.output, made.exception)
    assert "3 forecasts; an order of fewer than 5 says little" in " ".join(made.output.split())


def test_bad_input(run: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("x")
    for arguments, message in (
        ((run, "--by", "run"), "nothing to transfer to"),
        ((run, run), "a run twice"),
        ((tmp_path / "none",), "no manifest"),
        ((run, "--out", tmp_path / "taken"), "the folder is in use"),
        ((run, "--out", tmp_path / "taken" / "file"), "the folder is in use"),
    ):
        failed = transfer(*arguments)
        assert isinstance(failed.exception, InputError)
        assert message in str(failed.exception)


def test_help_has_an_example() -> None:
    assert "Example: foretell transfer run/" in " ".join(transfer("--help").output.split())
