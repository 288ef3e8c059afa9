"""`foretell ladder init|sign|status|check`: a real ledger in which one model passed, then was revoked."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from foretell import attempts
from foretell.base.errors import ForetellError, ForgeryError, InputError, OrderError
from foretell.cli.app import app
from foretell.ledger import SecretKey
from foretell.lineage import System
from foretell.suites import load_suite
from foretell.targets.specs import open_target
from foretell.verdicts.ladder import template
from foretell.verifier.ladders import ladder_now
from tests.attempts.playing import TINY, Game, new_game, with_pool
from tests.verdicts.made_ladders import MMLU, content, toml

#: What the played attempt passes: tolerance 7 on the open track.
PASSED: dict[str, Any] = {"requirement__tolerance": 7.0, "requirement__cap": 7.6, "requirement__track": "open"}
PASSED |= {"requirement__helpers": "declared"}
BENCH = {**MMLU, "steps": [{"at_least": 0.3, "tolerance": 5.0}]}
Signed = Callable[..., Path]
ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path | float) -> Result:
    return CliRunner().invoke(app, ["ladder", *map(str, arguments)])


def refused(*arguments: str | Path | float) -> ForetellError:
    result = run(*arguments)
    assert isinstance(result.exception, ForetellError), (result.output, result.exception)
    return result.exception


def told(*arguments: str | Path | float, code: int = 0) -> str:
    result = run(*arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Game:
    """One attempt on the open track that passed, for 30 days."""
    game = new_game(tmp_path_factory.mktemp("played"))
    game.play("open", approval={"valid_days": 30})
    for secret in (game.evaluator, game.team):
        secret.write(game.folder)
    return game


@pytest.fixture
def game(played: Game, tmp_path: Path) -> Game:
    """A copy to go on with."""
    shutil.copytree(played.folder, tmp_path / "game")
    return replace(played, folder=tmp_path / "game")


@pytest.fixture
def signed(game: Game) -> Signed:
    """Signs a ladder; `table__field` changes it."""

    def sign(**changes: Any) -> Path:
        path = game.folder / "ladder.toml"
        path.write_text(toml(content(**PASSED | changes)))
        told("sign", game.ledger, path, "--key", game.folder / "evaluator.key")
        return path

    return sign


def register(game: Game, name: str = "tiny", flop: float = 1e19, weights: str | None = None) -> None:
    identity = TINY.identity.record() if weights is None else {"weights": weights}
    record = {"name": name, "kind": "model", "identity": identity, "compute": {"flop": flop, "rule": "given"}}
    attempts.register(game.ledger, System.parse(record, "here"), game.team)


def test_from_a_template_to_a_signed_ladder(game: Game) -> None:
    path, key = game.folder / "made.toml", game.folder / "evaluator.key"
    told("init", path)
    assert path.read_bytes() == template()
    assert isinstance(refused("init", path), InputError)
    assert "entry 7: ladder sha256:" in told("sign", game.ledger, path, "--key", key)
    assert "✗ small" in told("status", game.ledger)


def test_a_pass_unlocks_and_its_revocation_locks(game: Game, signed: Signed) -> None:
    signed()
    assert "rung 'a' below: no model is registered on it" in told("check", game.ledger, "--flop", 1e20, code=10)
    register(game)
    said = told("status", game.ledger)
    assert "✓ b  up to 1e+20 FLOP" in said
    assert "✓ tiny, 1e+19 FLOP: attempt 1 counts" in said
    assert "Now: training up to 1e+20 FLOP is unlocked. It rests on forecasts" in said
    assert "Why not more (c: locked):\n  rung 'b' below: no model is registered on it" in said
    assert told("check", game.ledger, "--flop", 1e20).startswith(
        "1e+20 FLOP (given): unlocked; up to 1e+20 FLOP are unlocked by entry 7, signed by evaluator+"
    )
    assert "locked" in told("check", game.ledger, "--flop", 1.01e20, code=10)
    attempts.revoke(game.ledger, game.evaluator, "the prompts had leaked", attempt=1)
    said = told("check", game.ledger, "--flop", 1e20, code=10)
    assert "'tiny': attempt 1 does not count: revoked (the prompts had leaked)" in said
    told("check", game.ledger, "--flop", 1e19)


def test_a_verdict_expires(game: Game, signed: Signed) -> None:
    signed()
    register(game)
    record, now = attempts.status(game.ledger), datetime.now(UTC)
    assert ladder_now(record, now).status.may_train_up_to_flop == 1e20
    later = ladder_now(record, now + timedelta(days=31)).status
    assert later.may_train_up_to_flop == 1e19
    assert "attempt 1 does not count: it expired on " in later.rungs[1].why_not[-1]


def test_parameters_and_tokens(game: Game, signed: Signed) -> None:
    signed(compute__rule="6ND")
    record = {"name": "tiny", "kind": "model", "identity": TINY.identity.record()}
    compute = {"flop": 1.2e18, "rule": "6 × 1e+08 parameters × 2e+09 tokens"}
    attempts.register(game.ledger, System.parse({**record, "compute": compute}, "here"), game.team)
    said = told("check", game.ledger, "--parameters", 1e9, "--tokens", 1e10)
    assert said.startswith("6e+19 FLOP (6 × 1e+09 parameters × 1e+10 tokens): unlocked")
    told("check", game.ledger, "--parameters", 1e9, "--tokens", 2e10, code=10)
    told("check", game.ledger, "--flop", 1e20)


def test_a_result_that_decides_and_is_unknown(game: Game, signed: Signed) -> None:
    signed(capability=[BENCH])
    register(game)
    said = told("check", game.ledger, "--flop", 1e20, code=11)
    assert "cannot be said" in said
    assert "as little as 5 nats may be asked; mmlu unknown: no folder of results was given (--results)" in said
    results = game.folder / "results"
    results.mkdir()
    assert "no files match tiny.json" in told("check", game.ledger, "--flop", 1e20, "--results", results, code=11)
    assert "? b  up to 1e+20 FLOP        cannot be said" in told("status", game.ledger, "--results", results)
    told("check", game.ledger, "--flop", 1e21, "--results", results, code=10)
    (results / "tiny.json").write_text('{"mmlu": 0.2}')
    told("check", game.ledger, "--flop", 1e20, "--results", results)
    (results / "tiny.json").write_text('{"mmlu": 0.4}')
    said = told("check", game.ledger, "--flop", 1e20, "--results", results, code=10)
    assert "its tolerance shows 7 nats, and 5 nats is asked (mmlu of 0.4 asks for 5)" in said


def test_a_looser_ladder_is_refused_or_shown(game: Game, signed: Signed) -> None:
    path, key = signed(), game.folder / "evaluator.key"
    path.write_text(toml(content(**PASSED, requirement__level=0.9)))
    error = refused("sign", game.ledger, path, "--key", key)
    assert "looser than the one that holds" in error.what
    assert "its confidence is 0.9, and 0.95 is asked" in error.got
    said = told("status", game.ledger, "--ladder", path)
    assert "is not signed\nlooser than the one that holds: rung 'a': a pass is enough that was not" in said
    assert "looser: rung 'a'" in told("sign", game.ledger, path, "--key", key, "--allow-looser")
    said = told("status", game.ledger)
    assert "entry 8, signed by evaluator+" in said
    assert "; 1 signed before\nlooser since entry 8: rung 'a': a pass is enough that was not" in said
    path.write_text(toml(content(**PASSED)))
    told("sign", game.ledger, path, "--key", key)
    record = json.loads(told("status", game.ledger, "--json", "-"))
    assert (record["entry"], record["signed_before"], [one["entry"] for one in record["loosened"]]) == (9, 2, [8])


def test_a_preview_needs_no_signed_ladder(game: Game) -> None:
    register(game)
    path = game.folder / "ladder.toml"
    path.write_text(toml(content(**PASSED)))
    said = told("status", game.ledger, "--ladder", path)
    assert "a preview: sha256:" in said
    assert "training up to 1e+20 FLOP is unlocked" in said
    assert json.loads(told("status", game.ledger, "--ladder", path, "--json", "-"))["entry"] is None
    assert refused("check", game.ledger, "--flop", 1).what == "no ladder"


def test_for_programs(game: Game, signed: Signed) -> None:
    signed(leave_out={"typo": "mistyped"})
    register(game)
    register(game, "typo", 1e25, weights="sha256:ff")
    attempts.register(
        game.ledger, System.parse({"name": "m", "kind": "model", "identity": {"weights": "w"}}, "here"), game.team
    )
    said = told("status", game.ledger, "--json", "-")
    record = json.loads(said)
    assert record["schema"] == "foretell.ladder-status/1"
    assert (record["may_train_up_to_flop"], record["undecided_up_to_flop"]) == (1e20, 1e20)
    assert [rung["unlocked"] for rung in record["rungs"]] == [True, True, False]
    assert (record["without_compute"], record["left_out"], record["above"]) == (["m"], {"typo": "mistyped"}, [])
    assert "On no rung, as nobody said what their training took: m\nLeft out: typo (mistyped)" in told(
        "status", game.ledger
    )
    path = game.folder / "check.json"
    assert "1e+22" in told("check", game.ledger, "--flop", 1e22, "--json", path, code=10)
    checked = json.loads(path.read_text())
    assert (checked["flop"], checked["rule"], checked["allowed"]) == (1e22, "given", False)
    assert checked["why_not"] == ["no rung goes that far: the last one, 'c', ends at 1e+21 FLOP"]
    assert checked["ladder"]["entry"] == record["entry"]


def test_whoever_writes_a_charter_of_his_own_cannot_unlock_with_it(game: Game, signed: Signed) -> None:
    signed()
    register(game)
    known, stranger = game.folder / "evaluator.pub", SecretKey.generate("stranger")
    told("check", game.ledger, "--flop", 1e20, "--evaluator", known)
    attempts.fix_charter(game.ledger, replace(game, evaluator=stranger).charter("open"), stranger)
    looser = toml(content(**PASSED, rungs=[{"name": "all", "up_to_flop": 1e30}]))
    attempts.fix_ladder(game.ledger, looser, stranger)
    error = refused("check", game.ledger, "--flop", 1e20, "--evaluator", known)
    assert isinstance(error, ForgeryError)
    assert error.what == "a ladder of another evaluator"
    assert "looser since entry 10: signed by stranger+" in told("status", game.ledger)
    attempts.fix_ladder(game.ledger, toml(content(**PASSED)), stranger)
    said = told("check", game.ledger, "--flop", 1e20, code=10)
    assert f"{game.evaluator.public.id} judged it, whose verdicts this ladder does not count" in said
    named = toml(content(**PASSED, evaluators=[game.evaluator.public.verifier]))
    attempts.fix_ladder(game.ledger, named, stranger)
    told("check", game.ledger, "--flop", 1e20)
    path = game.folder / "again.toml"
    path.write_text(named)
    error = refused("sign", game.ledger, path, "--key", game.folder / "evaluator.key")
    assert f"it would be signed by {game.evaluator.public.id}, and stranger+" in error.got


def test_the_example_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's commands, on a ledger as the page describes it, print what the page shows."""
    fresh = with_pool(new_game(tmp_path), load_suite("foretell-300"))
    asked = {"draw": {"prompts": 100}, "score": {"tolerance": 1.5}, "track": {"kind": "prospective"}}
    fresh.begin("prospective", **asked)
    fresh.answer("prospective", "model:tiny@768")
    attempts.reveal(fresh.ledger, open_target("tiny@1536"), fresh.evaluator)
    assert attempts.judge(fresh.ledger, fresh.evaluator).outcome.decision == "pass"
    fresh.evaluator.write(tmp_path / "keys")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "ladder.md").read_text(encoding="utf-8").partition("## An example")[2]
    commands, shown, job = re.findall(r"```(?:sh|text)\n(.*?)```", page, re.DOTALL)
    for line in commands.splitlines():
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, (done.output, done.exception)
    assert re.sub(r"evaluator\+[0-9a-f]{8}", "evaluator+…", done.output) == shown
    check = shlex.split(job.splitlines()[1].partition(" --evaluator")[0])[1:]
    assert CliRunner().invoke(app, check).exit_code == 0
    assert CliRunner().invoke(app, [*check[:-1], "1e8"]).exit_code == 10


def test_what_is_given_wrongly(game: Game, signed: Signed) -> None:
    signed()
    ledger = game.ledger
    for arguments, what in (
        (("check", ledger), "no training"),
        (("check", ledger, "--flop", -1), "training compute that cannot be counted"),
        (("check", ledger, "--flop", "nan"), "training compute that cannot be counted"),
        (("check", ledger, "--flop", 1, "--tokens", 1), "training compute that cannot be counted"),
        (("check", ledger, "--parameters", 1), "training compute that cannot be counted"),
        (("check", ledger, "--parameters", 1, "--tokens", 1), "training compute that is counted otherwise"),
        (("check", game.folder / "nowhere", "--flop", 1), "no ledger"),
        (("status", game.folder), "no ledger"),
        (("status", ledger, "--results", "nowhere"), "no folder of results"),
        (("status", ledger, "--ladder", "nowhere.toml"), "no ladder"),
        (("status", ledger, "--evaluator", "nowhere.pub"), "cannot read the public key"),
    ):
        error = refused(*arguments)
        assert (type(error), error.exit_code, error.what) == (InputError, 2, what), arguments
    assert not (game.folder / "nowhere").exists()
    error = refused("sign", ledger, game.folder / "ladder.toml", "--key", game.folder / "team.key")
    assert "signed by team+" in error.got
    error = refused("sign", ledger, game.folder / "ladder.toml", "--key", game.folder / "team.key", "--allow-looser")
    assert isinstance(error, OrderError)
