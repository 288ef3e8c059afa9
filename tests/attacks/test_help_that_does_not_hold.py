"""A pass is signed although a helper never passed; systems and revocations are forged in the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foretell import attempts
from foretell.base.canonical import digest_value
from foretell.lineage import System
from foretell.suites import Suite, load_suite
from foretell.targets.specs import open_target
from foretell.verifier import verify
from tests.attacks.forging import Draft, copied, drafts, entry_of, failures, write_log
from tests.attempts.playing import TINY, Game, new_game, with_pool

HELPER = open_target("tiny@1536")


def record(name: str = "helper", **fields: Any) -> dict[str, Any]:
    return {"name": name, "kind": "model", "identity": HELPER.identity.record(), **fields}


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    """A helper that passed, was registered, and helped in a second attempt; then its pass was revoked."""
    started = new_game(tmp_path_factory.mktemp("help"))
    started.approve(HELPER)
    attempts.register(started.ledger, System.parse(record(), "test"), started.evaluator)
    started.begin("open", helpers={"rule": "approved"})
    started.answer("open", "model:tiny@1536")
    started.end()
    attempts.revoke(started.ledger, started.evaluator, "its prompts had leaked", attempt=1)
    return started


def forged(game: Game, to: Path, change: Any) -> str:
    """What the verifier finds after a change of the log by whoever holds both keys."""
    root = copied(game, to)
    entries = drafts(root)
    change(entries)
    write_log(root, entries, game)
    return failures(root)


def test_the_honest_ledger_verifies(game: Game) -> None:
    assert failures(game.ledger) == ""


def test_a_pass_with_help_that_never_passed(game: Game, tmp_path: Path) -> None:
    """The first verdict is signed as a fail; the second still says pass."""

    def change(entries: list[Draft]) -> None:
        entry_of(entries, "judge", 1).facts["decision"] = "inconclusive"

    told = forged(game, tmp_path / "ledger", change)
    assert "attempt 1: judge" in told
    assert "attempt 2 judge" in told.replace(":", "")
    assert "attempt 1 does not count: its verdict is inconclusive" in told


def test_an_unregistered_helper(game: Game, tmp_path: Path) -> None:
    def change(entries: list[Draft]) -> None:
        entries.remove(next(draft for draft in entries if draft.step == "system"))

    assert ": not registered" in forged(game, tmp_path / "ledger", change)


def test_a_revocation_dated_back(game: Game, tmp_path: Path) -> None:
    """Put before the second verdict, it would have made it inadmissible."""

    def change(entries: list[Draft]) -> None:
        revocation = entries.pop()
        revocation.time = entry_of(entries, "judge", 2).time
        entries.insert(entries.index(entry_of(entries, "judge", 2)), revocation)

    assert "it was revoked (its prompts had leaked)" in forged(game, tmp_path / "ledger", change)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"system": record(kind="robot")}, "a system that is wrong"),
        ({"system": record(derived_from=["nobody"])}, "no such system"),
        ({"system": record(note="another")}, "a system that is not what its digest says"),
        ({"system": []}, "a system without its facts"),
    ],
)
def test_a_system_that_is_none(game: Game, tmp_path: Path, fields: dict[str, Any], told: str) -> None:
    def change(entries: list[Draft]) -> None:
        next(draft for draft in entries if draft.step == "system").facts.update(fields)

    assert told in forged(game, tmp_path / "ledger", change)


def test_a_system_twice(game: Game, tmp_path: Path) -> None:
    def change(entries: list[Draft]) -> None:
        entries.append(next(draft for draft in entries if draft.step == "system"))
        entries[-1] = Draft(**{**vars(entries[-1]), "time": entries[-2].time, "raw": None})

    assert "is there twice" in forged(game, tmp_path / "ledger", change)


@pytest.mark.parametrize(
    "revoked", [{"attempt": 9}, {"attempt": True}, {"system": "nobody"}, {}, {"attempt": 1, "x": 1}]
)
def test_a_revocation_of_nothing(game: Game, tmp_path: Path, revoked: dict[str, Any]) -> None:
    def change(entries: list[Draft]) -> None:
        entries[-1].facts["revoked"] = revoked
        entries[-1].subjects = {"revoked.json": digest_value(revoked)}

    assert "a revocation of what is not there" in forged(game, tmp_path / "ledger", change)


def test_a_revocation_by_the_team(game: Game, tmp_path: Path) -> None:
    def change(entries: list[Draft]) -> None:
        entries[-1].who = "team"

    assert "signed by another key" in forged(game, tmp_path / "ledger", change)


def test_uses_that_are_none(game: Game, tmp_path: Path) -> None:
    def change(entries: list[Draft]) -> None:
        entry_of(entries, "commit", 2).facts["uses"] = {"helper": "code"}

    assert "a commit with uses that are none" in forged(game, tmp_path / "ledger", change)


def test_a_narrower_use_does_not_help_a_model_that_answered(game: Game, tmp_path: Path) -> None:
    """The forecast's own record names it, so it is used for every slice, whatever the commitment says."""
    other = new_game(tmp_path)
    asked = {prompt.id for prompt in other.pool}
    facts = [prompt for prompt in load_suite("foretell-300") if prompt.slice == "facts" and prompt.id not in asked]
    with_pool(other, Suite("facts", tuple(facts[:6]))).approve(HELPER)
    attempts.register(other.ledger, System.parse(record(), "test"), other.evaluator)
    other.begin("open", helpers={"rule": "approved"})
    attempts.open_prompts(other.ledger, other.evaluator)
    name = f"tiny@1536 {HELPER.identity.weights}"
    made = other.forecast("second", "model:tiny@1536")
    attempts.commit_forecast(other.ledger, made, other.team, uses={name: ["facts"]})
    attempts.reveal(other.ledger, TINY, other.evaluator)
    judged = attempts.judge(other.ledger, other.evaluator)
    assert judged.outcome.decision == "inadmissible"
    assert "its prompts have no slice 'code'" in judged.outcome.reasons[0]


def test_a_published_folder_says_what_it_rests_on(game: Game) -> None:
    checks = {check.name: check for check in verify(game.folder / "published")}
    assert checks["attempt 2: help"].holds is None
    assert "rests on the passes of attempts 1, whose files are not here" in checks["attempt 2: help"].detail
