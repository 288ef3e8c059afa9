"""`foretell charter init|check|sign`: from options to a charter in a ledger."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from foretell.attempts.pool import commit_pool
from foretell.base.errors import ForetellError, InputError, OrderError
from foretell.cli.app import app
from foretell.distributions import Distributions
from foretell.ledger.keys import SecretKey
from foretell.suites import Suite
from foretell.targets.target import Target
from foretell.verdicts.charter import Charter


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["charter", *map(str, arguments)])


def refused(*arguments: str | Path) -> ForetellError:
    result = run(*arguments)
    assert isinstance(result.exception, ForetellError), (result.output, result.exception)
    return result.exception


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("evaluator", "team"):
        SecretKey.generate(name).write(folder)
    return folder


@pytest.fixture
def options(keys: Path, small_suite_file: Path) -> list[str | Path]:
    """What every charter needs besides its target."""
    return ["--pool", small_suite_file, "--prompts", "4", "--tolerance", "0.5",
            "--evaluator", keys / "evaluator.key", "--team", keys / "team.pub"]  # fmt: skip


def test_a_charter_from_options_to_the_ledger(
    options: list[str | Path], keys: Path, tiny: Target, small_suite: Suite, tmp_path: Path
) -> None:
    path, ledger = tmp_path / "charter.toml", tmp_path / "ledger"
    made = run("init", path, "--target", "tiny", *options, "--slice-tolerance", "code=0.25", "--weight", "prose=2")
    assert made.exit_code == 0, (made.output, made.exception)
    charter = Charter.read(path)
    secret = SecretKey.read(keys / "evaluator.key")
    assert charter.target.identity == tiny.identity.record()
    assert charter.pool.commitment == commit_pool(Suite("small", small_suite.prompts), secret).root
    assert charter.pool.slices == small_suite.slices
    assert (charter.score.slice_tolerances, charter.weights) == ({"code": 0.25}, {"prose": 2.0})
    assert charter.score.cap == pytest.approx(7.6247, abs=1e-3)
    assert charter.evaluator.public() == secret.public
    assert charter.track.kind == "open"
    assert timedelta(days=29) < charter.track.deadline - datetime.now(UTC) < timedelta(days=31)
    said = run("check", path)
    assert said.exit_code == 0
    assert said.output == made.output
    assert charter.digest in said.output
    signed = run("sign", ledger, path, "--key", keys / "evaluator.key")
    assert signed.exit_code == 0, (signed.output, signed.exception)
    assert f"entry 0: charter {charter.digest}" in signed.output
    assert isinstance(refused("sign", ledger, path, "--key", keys / "evaluator.key"), OrderError)


def test_a_charter_for_what_is_not_there_yet(
    options: list[str | Path], tiny_truth: Distributions, tmp_path: Path
) -> None:
    future: list[str | Path] = ["--future", "the next release", "--tokenizer-of", tiny_truth.folder]
    path = tmp_path / "f.toml"
    more = ["--metric", "tv", "--deadline", "2030-01-31T12:00:00Z", "--helpers", "declared", "--title", "Soon"]
    assert run("init", path, *future, *options, *more).exit_code == 0
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    assert content["target"] == {"future": "the next release", "tokenizer": tiny_truth.vocabulary.digest}
    assert content["track"] == {"kind": "prospective", "deadline": datetime(2030, 1, 31, 12, tzinfo=UTC)}
    assert (content["score"]["cap"], content["helpers"]["rule"], content["title"]) == (1.0, "declared", "Soon")


def test_a_blind_charter_has_limits(options: list[str | Path], tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    run("init", path, "--target", "tiny", "--track", "blind", "--size-budget", "123", *options)
    blind = Charter.read(path).blind
    assert blind is not None
    assert (blind.size_budget_bytes, blind.seconds) == (123, 600)


def test_a_charter_as_json(options: list[str | Path], tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    run("init", path, "--target", "tiny", *options)
    made = json.loads(run("check", path, "--json", "-").stdout)
    assert made["digest"] == Charter.read(path).digest
    assert made["charter"]["schema"] == "foretell.charter/1"
    assert made["charter"]["track"]["deadline"].endswith("Z")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ((), "no target, or two: got none of the options"),
        (("--target", "tiny", "--future", "x"), "no target, or two: got --target, --future"),
        (("--future", "x"), "no target, or two: got --future"),
        (("--target", "tiny", "--weight", "code"), "--weight: not a slice with a number: got 'code'"),
        (("--target", "tiny", "--weight", "maths=1"), "weights.maths: a charter that contradicts itself"),
        (("--target", "tiny", "--deadline", "soon"), "--deadline: not a date and time: got 'soon'"),
        (("--target", "tiny", "--deadline", "2030-01-31T12:00:00"), "track.deadline: a charter that contradicts"),
        (("--target", "tiny", "--track", "closed"), "track.kind: a charter that is wrong: got 'closed'"),
        (("--target", "tiny", "--track", "prospective"), "track.kind: a charter that contradicts itself"),
        (("--target", "tiny", "--metric", "speed"), "--metric: no such loss"),
        (("--target", "tiny", "--prompts", "9"), "draw.prompts: a charter that contradicts itself: got 9"),
    ],
)
def test_what_no_charter_is_written_for(
    options: list[str | Path], tmp_path: Path, extra: tuple[str, ...], message: str
) -> None:
    assert message in str(refused("init", tmp_path / "c.toml", *options, *extra))
    assert list(tmp_path.iterdir()) == []


def test_a_charter_is_not_written_over(options: list[str | Path], tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("mine")
    assert "there is a file already" in str(refused("init", path, "--target", "tiny", *options))
    assert path.read_text() == "mine"
    error = refused("check", path)
    assert isinstance(error, InputError)
    assert error.exit_code == 2


def test_the_team_is_known_by_its_public_key(options: list[str | Path], keys: Path, tmp_path: Path) -> None:
    command = ["init", tmp_path / "c.toml", "--target", "tiny", *options, "--team"]
    assert "cannot read the public key" in str(refused(*command, tmp_path / "none.pub"))
    assert "team.key: a charter that contradicts itself" in str(refused(*command, keys / "evaluator.pub"))
