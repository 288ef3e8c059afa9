"""`foretell policy init|check|decide|show` on a real ledger: what is printed, and how it ends."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from foretell import attempts
from foretell.base.canonical import digest_file
from foretell.base.errors import ForetellError, InputError, OrderError
from foretell.cli.app import app
from foretell.ledger import SecretKey
from foretell.verifier import verify
from tests.attacks.forging import drafts, entry_of, write_log
from tests.attempts.playing import Game, new_game
from tests.verdicts.test_wording import offences

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "governance" / "policy.toml"
#: After every date in the examples, whatever this machine's clock shows.
LATER = "2040-01-01T00:00:00Z"
TERMS = "metric = 'kl_nats'\ntolerance = {tolerance}\ncap = 7.6\n"
POLICY = """\
schema = "foretell.policy/1"
title = "before the next step"
rule = { all = ["forecast", "exam"] }

[[parts]]
name = "forecast"
kind = "verdict"
target = "tiny"
"""
EXAM = '[[parts]]\nname = "exam"\nkind = "json"\nfile = "runs/exam.json"\npointer = "/score"\nat_least = 0.5\n'


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, ["policy", *map(str, arguments)])
    assert offences(result.output) == []
    return result


def refused(*arguments: str | Path) -> ForetellError:
    result = run(*arguments)
    assert isinstance(result.exception, ForetellError), (result.output, result.exception)
    return result.exception


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Game:
    """An attempt on the open track, passed and published."""
    game = new_game(tmp_path_factory.mktemp("game"))
    game.play("open")
    return game


@pytest.fixture
def game(played: Game, tmp_path: Path) -> Game:
    """A copy of it, with the evaluator's key and a policy beside its ledger."""
    copy = Game(tmp_path, played.evaluator, played.team)
    shutil.copytree(played.ledger, copy.ledger)
    played.evaluator.write(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "policy.toml").write_text(POLICY + TERMS.format(tolerance=7.0) + EXAM)
    (tmp_path / "runs" / "exam.json").write_text('{"score": 0.75}')
    return copy


def decide(game: Game, *more: str | Path) -> Result:
    return run("decide", game.ledger, game.folder / "policy.toml", "--key", game.folder / "evaluator.key", *more)


def check(game: Game, *more: str | Path) -> Result:
    return run("check", game.folder / "policy.toml", "--ledger", game.ledger, *more)


def test_init_writes_a_policy_that_can_be_checked(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    assert run("init", path, "--target", "tiny").exit_code == 0
    shown = run("check", path)
    assert shown.exit_code == 11
    assert "undecided, and hangs on what is missing: forecast, exam, sums" in shown.output
    assert "there is a file already" in str(refused("init", path, "--target", "tiny"))
    assert not isinstance(refused("init", tmp_path / "b.toml", "--target", "\udcff"), OrderError)
    assert not (tmp_path / "b.toml").exists()


def test_what_is_met(game: Game) -> None:
    shown = check(game)
    assert shown.exit_code == 0, shown.output
    assert re.search(r"✓ forecast +met +attempt 1, .*: pass", shown.output)
    assert re.search(r"✓ exam +met +0\.75 \(/score\), at least 0\.5 is asked", shown.output)
    assert shown.output.splitlines()[-1].startswith("met. It says what these evaluations showed")


def test_what_is_not_met(game: Game) -> None:
    (game.folder / "runs" / "exam.json").write_text('{"score": 0.25}')
    shown = check(game)
    assert (shown.exit_code, shown.output.splitlines()[-1][:8]) == (10, "not met.")


@pytest.mark.parametrize(("ledger", "at"), [(False, LATER), (True, "2020-01-01T00:00:00Z")])
def test_what_is_undecided_without_a_ledger_or_before_its_verdict(ledger: bool, at: str, game: Game) -> None:
    shown = check(game, "--at", at) if ledger else run("check", game.folder / "policy.toml", "--at", at)
    assert shown.exit_code == 11
    assert "undecided, and hangs on what is missing: forecast" in shown.output


def test_a_stricter_policy_leaves_it_undecided(game: Game) -> None:
    (game.folder / "policy.toml").write_text(POLICY + TERMS.format(tolerance=0.5) + EXAM)
    shown = check(game)
    assert shown.exit_code == 11
    assert "attempt 1 does not count: its tolerance shows 7 nats, and 0.5 nats is asked" in shown.output


def test_a_decision_from_check_to_show_and_verify(game: Game) -> None:
    told = json.loads(check(game, "--json", "-").output)
    done = decide(game, "--json", game.folder / "decision.json")
    assert done.exit_code == 0
    assert "entry 7: signed" in done.output
    signed = json.loads((game.folder / "decision.json").read_text())
    assert signed["entry"] == 7
    assert {name: value for name, value in signed.items() if name != "entry"} == {
        name: value for name, value in told.items() if name != "at"
    }
    entry = attempts.status(game.ledger).entries[7]
    assert entry.statement.subjects.keys() == {"policy.toml", "runs/exam.json"}
    assert entry.digest("runs/exam.json") == digest_file(game.folder / "runs" / "exam.json")
    assert str(game.folder) not in json.dumps(entry.statement.predicate)
    assert all(one.holds for one in verify(game.ledger) if one.name.startswith("decision"))
    shown = run("show", game.ledger)
    assert shown.exit_code == 0
    assert "then: met" in shown.output
    assert "now, with the same files: the same" in shown.output


def test_show_tells_what_has_become_of_a_decision(game: Game) -> None:
    decide(game)
    attempts.revoke(game.ledger, game.evaluator, "the prompts had leaked", attempt=1)
    shown = run("show", game.ledger)
    assert shown.exit_code == 0
    assert "then: met" in shown.output
    assert "now, with the same files: undecided, and hangs on what is missing: forecast" in shown.output
    assert "forecast: missing: attempt 1 does not count: revoked (the prompts had leaked)" in shown.output
    (told,) = json.loads(run("show", game.ledger, "--json", "-").output)["decisions"]
    assert (told["follows"], told["said"], told["then"]) == (True, "met", "met")


def test_show_finds_a_decision_that_does_not_follow(game: Game) -> None:
    (game.folder / "runs" / "exam.json").unlink()
    assert decide(game).exit_code == 11
    entries = drafts(game.ledger)
    entry_of(entries, "decision").facts["outcome"] = "met"
    write_log(game.ledger, entries, game)
    shown = run("show", game.ledger)
    assert shown.exit_code == 13
    assert "says 'met', which does not follow" in shown.output


def test_show_without_decisions(game: Game) -> None:
    shown = run("show", game.ledger)
    assert (shown.exit_code, shown.output) == (0, "no decision yet; next: foretell policy decide\n")


def test_a_pass_of_the_teams_own_is_not_asked_for(game: Game) -> None:
    """The team as an evaluator, in the same ledger: nobody signs what it says but the team."""
    own = Game(game.folder, game.team, SecretKey.generate("friend"))
    attempts.fix_charter(game.ledger, own.charter("open"), game.team)
    error = refused("check", game.folder / "policy.toml", "--ledger", game.ledger)
    assert error.what == "a ledger of several evaluators"
    for party, code in ((game.evaluator, 0), (game.team, 11)):
        party.write(game.folder / party.public.name)
        who = game.folder / party.public.name / f"{party.public.name}.pub"
        assert check(game, "--evaluator", who).exit_code == code
    assert "whose verdicts are not asked for" in check(game, "--evaluator", who).output
    assert decide(game).exit_code == 0
    named = f"evaluators = ['{game.evaluator.public.verifier}']\nrule ="
    (game.folder / "policy.toml").write_text((POLICY + TERMS.format(tolerance=7.0) + EXAM).replace("rule =", named))
    assert check(game).exit_code == 0
    assert "cannot read the public key" in str(refused("check", EXAMPLE, "--ledger", game.ledger, "--evaluator", "no"))


def test_a_verdict_of_another_ledger_as_a_signed_statement(played: Game, game: Game) -> None:
    """An entry of a log is a statement; who signed it is named in the policy."""
    entries = sorted((played.ledger / "log" / "entries").iterdir())
    shutil.copyfile(entries[5], game.folder / "runs" / "judged.json")
    key, recipient = game.evaluator.public.text().split()
    (game.folder / "policy.toml").write_text(
        POLICY.split("[[parts]]")[0].replace('"forecast", "exam"', '"elsewhere"')
        + "[[parts]]\nname = 'elsewhere'\nkind = 'statement'\nfile = 'runs/judged.json'\ntype = 'foretell:judge/1'\n"
        + f"signer = {{ key = '{key}', recipient = '{recipient}' }}\npointer = '/decision'\ndate = '/time'\n"
        + "equals = 'pass'\n"
    )
    shown = run("check", game.folder / "policy.toml")
    assert shown.exit_code == 0
    assert "'pass' (/decision, 20" in shown.output


@pytest.mark.parametrize("command", ["check", "decide", "show"])
def test_a_folder_that_is_no_ledger_is_not_an_empty_one(command: str, game: Game, tmp_path: Path) -> None:
    policy, key = game.folder / "policy.toml", game.folder / "evaluator.key"
    nowhere = tmp_path / "nowhere"
    arguments: dict[str, list[str | Path]] = {
        "check": [policy, "--ledger", nowhere],
        "decide": [nowhere, policy, "--key", key],
        "show": [nowhere],
    }
    assert "nowhere: no ledger: got no such folder" in str(refused(command, *arguments[command]))
    assert not nowhere.exists()


def test_what_is_refused(game: Game) -> None:
    game.team.write(game.folder)
    policy = game.folder / "policy.toml"
    error = refused("decide", game.ledger, policy, "--key", game.folder / "team.key")
    assert isinstance(error, OrderError)
    assert error.what == "a decision is not this key's to sign"
    assert "not a date and time" in str(refused("check", policy, "--at", "tomorrow"))
    assert "not a date and time" in str(refused("check", policy, "--at", "2030-01-01T00:00:00"))
    (game.folder / "runs" / "exam.json").write_text('{"score": "high"}')
    error = refused("check", policy, "--ledger", game.ledger)
    assert isinstance(error, InputError)
    assert error.what == "not a number"
    assert attempts.status(game.ledger).notices["decision"] == []


def example(*more: str | Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run("check", EXAMPLE, "--at", LATER, "--json", "-", *more).output)
    return {part["name"]: part["state"] for part in told["parts"]} | {"outcome": told["outcome"]}


def test_the_example(game: Game) -> None:
    """Two real results lie beside it; the forecast is what `foretell demo --protocol` adds."""
    files = {"exam": "met", "beginnings": "met", "review": "missing"}
    assert example() == {"forecast": "missing", **files, "outcome": "undecided"}
    assert example("--ledger", game.ledger) == {"forecast": "missing", **files, "outcome": "undecided"}


def test_the_page_shows_what_the_example_prints() -> None:
    page = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    printed = run("check", EXAMPLE, "--at", LATER).output
    assert printed in page
