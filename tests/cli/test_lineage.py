"""`foretell lineage` as people type it: registering, showing, checking and revoking, in a ledger with two attempts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from foretell import attempts
from foretell.base.errors import ForetellError, InputError
from foretell.cli.app import app
from foretell.ledger import SecretKey
from foretell.targets.specs import open_target
from tests.attempts.playing import Game, new_game


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, ["lineage", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit | ForetellError):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    """A ledger in which tiny@1536 passed, and then helped to forecast tiny."""
    started = new_game(tmp_path_factory.mktemp("lineage"))
    for secret in (started.evaluator, started.team):
        secret.write(started.folder)
    started.approve(open_target("tiny@1536"))
    key = started.folder / "evaluator.key"
    model = ("helper", "--kind", "model", "--target", "tiny@1536", "--parameters", "1e6", "--tokens", "2e7")
    assert run("add", started.ledger, *model, "--key", key).exit_code == 0
    assert run("add", started.ledger, "Ada", "--kind", "person", "--key", started.folder / "team.key").exit_code == 0
    started.begin("open", helpers={"rule": "approved"})
    started.answer("open", "model:tiny@1536", ["Ada"])
    started.end()
    return started


def test_show(game: Game, tmp_path: Path) -> None:
    told = run("show", game.ledger, "--svg", tmp_path / "graph.svg")
    assert told.exit_code == 0, told.exception
    assert "helper: model, vouched for by evaluator+" in told.output
    assert "    1.2e+14 FLOP of training, 6 × 1e+06 parameters × 2e+07 tokens" in told.output
    assert "    passed in attempt 1" in told.output
    assert "Ada: person, vouched for by team+" in told.output
    assert "attempt 2: pass on tiny, kl_nats within 7, open, with Ada, helper\n" in told.output
    assert ElementTree.parse(tmp_path / "graph.svg").getroot().tag.endswith("svg")


def test_show_for_machines(game: Game) -> None:
    told = json.loads(run("show", game.ledger, "--json", "-").stdout)
    assert told["schema"] == "foretell.lineage/1"
    assert [one["name"] for one in told["systems"]] == ["helper", "Ada"]
    assert [(one["decision"], one["stands"], one["helpers"]) for one in told["attempts"]] == [
        ("pass", True, []),
        ("pass", True, ["Ada", "helper"]),
    ]


def test_check(game: Game) -> None:
    assert run("check", game.ledger).output == "every verdict stands\n"
    assert run("check", game.ledger, "helper").output == "'helper' may help\n"
    narrow = run("check", game.ledger, "helper", "--use", "poems")
    assert narrow.exit_code == 12
    assert "attempt 1 does not count: its prompts have no slice 'poems'" in narrow.output
    told = json.loads(run("check", game.ledger, "nobody", "--json", "-").stdout)
    assert told == {"holds": False, "reasons": ["'nobody': not registered"]}
    assert "--charter: no such charter: got 'x'" in str(run("check", game.ledger, "x", "--charter", "x").exception)


def test_revoking_says_what_falls(game: Game, tmp_path: Path) -> None:
    copy = Game(tmp_path, game.evaluator, game.team)
    shutil.copytree(game.ledger, copy.ledger)
    key = game.folder / "evaluator.key"
    told = run("revoke", copy.ledger, "--attempt", "1", "--reason", "leaked", "--key", key)
    assert told.exit_code == 0, told.exception
    assert "attempt 1 revoked; 2 verdicts fell:" in told.output
    assert "attempt 2: helper 'tiny@1536 sha256:" in told.output
    checked = run("check", copy.ledger)
    assert checked.exit_code == 12
    assert "attempt 1: revoked (leaked)" in checked.output
    assert "FALLEN" in run("show", copy.ledger).output
    lost = run("revoke", copy.ledger, "--system", "Ada", "--reason", "left", "--key", key, "--json", "-")
    assert json.loads(lost.stdout) == {"fallen": {}}, "attempt 2 had fallen before"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--kind", "person", "--weights", "w"), "a person that is identified otherwise: got --weights"),
        (("--kind", "model"), "a model that is identified otherwise: got no option that says which"),
        (("--kind", "program", "--target", "tiny"), "a program that is identified otherwise: got --target"),
        (("--kind", "model", "--weights", "w", "--target", "tiny"), "got --target and --weights"),
        (("--kind", "model", "--weights", "w", "--tokens", "3"), "training compute that cannot be counted: got --tok"),
        (("--kind", "composite", "--weights", "w"), "expected parts in a composite"),
        (("--kind", "model", "--weights", "w", "--derived-from", "x"), "no such system: got 'x'"),
    ],
)
def test_what_cannot_be_added(game: Game, options: tuple[str, ...], words: str) -> None:
    before = len(attempts.status(game.ledger).entries)
    result = run("add", game.ledger, "new", *options, "--key", game.folder / "evaluator.key")
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)
    assert len(attempts.status(game.ledger).entries) == before


def test_a_composite_says_itself_what_it_consists_of(game: Game, tmp_path: Path) -> None:
    copy = Game(tmp_path, game.evaluator, game.team)
    shutil.copytree(game.ledger, copy.ledger)
    pool, key = tmp_path / "pool.toml", game.folder / "team.key"
    parts = "".join(
        f'[[parts]]\nname = "{name}"\ntarget = "{target}"\nweight = 0.5\n'
        for name, target in (("a", "tiny@1536"), ("b", "tiny@768"))
    )
    pool.write_text(f'schema = "foretell.composite/1"\nkind = "linear-pool"\n{parts}')
    options = ("--kind", "composite", "--target", f"composite:{pool}", "--key", key)
    refused = run("add", copy.ledger, "pool", *options)
    assert "a part that is not registered: got part 'b': tiny@768, sha256:" in str(refused.exception)
    early = ("early", "--kind", "model", "--target", "tiny@768", "--key", key)
    assert run("add", copy.ledger, *early).exit_code == 0
    told = run("add", copy.ledger, "pool", *options, "--json", "-")
    assert told.exit_code == 0, told.exception
    assert json.loads(told.stdout)["system"]["parts"] == ["helper", "early"]
    checked = run("check", copy.ledger, "pool")
    assert "'pool': no verdict on the composite; approvals of its parts do not approve it" in checked.output


def test_a_stranger_adds_nothing(game: Game, tmp_path: Path) -> None:
    key, _ = SecretKey.generate("stranger").write(tmp_path)
    result = run("add", game.ledger, "Eve", "--kind", "person", "--key", key)
    assert "a system is not this key's to sign" in str(result.exception)
