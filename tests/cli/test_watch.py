"""`foretell watch` as a job script types it: exit codes, the table, the timeline as JSON, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from foretell.base.errors import ForetellError
from foretell.cli.app import app
from tests.watching.running import FAILED, FIRST, OPEN, PASSED, SECOND, THIRD, Running, new_run


@pytest.fixture
def running(tmp_path: Path) -> Running:
    made = new_run(tmp_path)
    made.evaluator.write(tmp_path)
    made.team.write(tmp_path)
    return made


def watch(running: Running, *options: str, team: tuple[str, ...] = ("--team-key", "team.key")) -> tuple[int, str]:
    """Exit code and output."""
    plan = running.folder / "watch.toml"
    plan.write_text(running.plan_text)
    given = [str(running.folder / one) if one.startswith("team.") else one for one in team]
    arguments = ["watch", str(running.run), "--plan", str(plan), "--ledger", str(running.ledger)]
    arguments += ["--evaluator-key", str(running.folder / "evaluator.key"), *given, "--poll", "0.01", *options]
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_once_before_each_piece_of_training(running: Running) -> None:
    assert watch(running, "--once")[0] == 0
    for step in (FIRST, SECOND):
        running.save(step)
        code, output = watch(running, "--once")
        assert code == 0
        assert f"checkpoint {step}: pass: " in output
    running.save(THIRD)
    code, output = watch(running, "--json", str(running.folder / "timeline.json"))
    assert code == 0
    assert output.rstrip().endswith("shipped: pass: all 3 scheduled checkpoints passed")
    told = json.loads((running.folder / "timeline.json").read_text())
    assert [one["decision"] for one in told["checkpoints"]] == ["pass"] * 3
    assert [one["references"][0]["name"] for one in told["checkpoints"]] == ["uniform"] * 3


@pytest.mark.parametrize(("tolerance", "code", "word"), [(FAILED, 10, "FAIL"), (OPEN, 11, "INCONCLUSIVE")])
def test_a_verdict_is_an_exit_code(running: Running, tolerance: float, code: int, word: str) -> None:
    running = running.changed(tolerances=((0, tolerance),))
    watch(running, "--once")
    running.save(FIRST)
    found, output = watch(running)
    assert (found, f"checkpoint 192: {word}: " in output) == (code, True)
    code_again, status = watch(running, "--status")
    assert code_again == 0
    assert word.lower() in status


def test_a_checkpoint_that_nobody_forecast(running: Running) -> None:
    running.save(FIRST)
    code, output = watch(running)
    assert code == 12
    assert "checkpoint 192: UNFORECAST: the checkpoint was there before a forecast was" in output


def test_a_helper_that_the_plan_does_not_allow(running: Running) -> None:
    running = running.changed(forecasters=((0, "model:tiny@96"),))
    text = running.plan_text + '\n[helpers]\nrule = "none"\n'
    plan = running.folder / "strict.toml"
    plan.write_text(text)
    for _ in range(2):
        code, output = watch(running, "--plan", str(plan), "--once")
        if not running.run.joinpath("step-192").exists():
            assert code == 0
            running.save(FIRST)
    assert code == 12
    assert "INADMISSIBLE: the charter allows no helper: tiny@96" in output


def test_waiting_that_is_over_is_no_pass(running: Running) -> None:
    code, output = watch(running, "--timeout", "0.02")
    assert code == 11
    assert "shipped: waiting: checkpoint 192: waiting for step 192" in output
    running = running.changed(forecasters=())
    code, output = watch(running, "--once", team=("--team", "team.pub"))
    assert code == 0  # it was forecast when the plan had a forecaster
    other = new_run_without_forecasters(running)
    code, output = watch(other, "--once", team=("--team", "team.pub"))
    assert code == 11
    assert "waiting for the team's `foretell commit`" in output


def new_run_without_forecasters(running: Running) -> Running:
    (running.folder / "other").mkdir()
    other = new_run(running.folder / "other").changed(forecasters=())
    other.evaluator.write(other.folder)
    other.team.write(other.folder)
    return other


def test_status_signs_nothing(running: Running) -> None:
    code, output = watch(running, "--status", "--json", "-")
    assert code == 0
    assert json.loads(output)["decision"] == "waiting"
    assert not running.ledger.exists()
    assert not running.run.exists()
    code, output = watch(running, "--status")
    assert "planned" in output
    assert f"{PASSED:g}" in output


@pytest.mark.parametrize("team", [(), ("--team-key", "team.key", "--team", "team.pub")])
def test_one_team(running: Running, team: tuple[str, ...]) -> None:
    with pytest.raises(ForetellError, match=r"no team, or two: got (neither|both)"):
        watch(running, team=team)


def test_a_public_key_that_is_none(running: Running) -> None:
    with pytest.raises(ForetellError, match="cannot read the public key: got FileNotFoundError"):
        watch(running.changed(forecasters=()), team=("--team", "team.nowhere"))


def test_the_help_has_its_place() -> None:
    output: Any = CliRunner().invoke(app, ["--help"]).output
    assert output.index("Prove") < output.index("Govern") < output.index("Study")
    assert CliRunner().invoke(app, ["watch", "--help"]).exit_code == 0
