"""The evaluator signs a decision whose outcome, parts or evidence do not follow from its policy, files and log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell import attempts
from foretell.base.canonical import digest_bytes
from foretell.verdicts.evidence_files import Result
from foretell.verdicts.policy import Policy
from foretell.verifier import verify
from tests.attacks.forging import Draft, copied, drafts, entry_of, failures, write_log
from tests.attempts.playing import Game

POLICY = """\
schema = "foretell.policy/1"
title = "before the next step"
rule = { all = ["forecast", "exam", "audit"] }

[[parts]]
name = "forecast"
kind = "verdict"
target = "tiny"

[[parts]]
name = "exam"
kind = "json"
file = "exam.json"
pointer = "/score"
at_least = 0.5

[[parts]]
name = "audit"
kind = "json"
file = "audit.json"
pointer = "/verdict"
equals = "accepted"
"""
EXAM = Result(0.2, "/score", None, None, None, "exam.json", "sha256:" + "ab" * 32)
OTHER = "sha256:" + "cd" * 32


@pytest.fixture
def decided(open_game: Game, tmp_path: Path) -> Path:
    """A ledger with an honest decision: the forecast passed, the exam did not, and nobody has audited."""
    root = copied(open_game, tmp_path / "ledger")
    policy = Policy.parse(POLICY.encode())
    index, decision = attempts.record_decision(root, policy, {"exam": EXAM, "audit": None}, open_game.evaluator)
    assert [part.state for part in decision.parts] == ["met", "not met", "missing"]
    assert decision.outcome == "not met"
    check = next(check for check in verify(root) if check.name == f"decision {index}")
    assert check.holds
    assert "not met" in check.detail
    return root


def forged(root: Path, game: Game, forge: Callable[[Draft], Any]) -> str:
    """What `verify` finds after the decision was forged and signed again."""
    entries = drafts(root)
    forge(entry_of(entries, "decision"))
    write_log(root, entries, game)
    return failures(root)


def part(draft: Draft, name: str) -> dict[str, Any]:
    return next(one for one in draft.facts["parts"] if one["name"] == name)


def loosened(draft: Draft) -> None:
    """The policy asks for less than the parts were weighed by."""
    draft.facts["text"] = POLICY.replace("0.5", "0.1")
    draft.subjects["policy.toml"] = digest_bytes(draft.facts["text"].encode())


@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (lambda d: d.facts.update(outcome="met"), "an outcome that does not follow: got 'met', expected 'not met'"),
        (lambda d: d.facts.update(outcome="safe"), "an outcome that does not follow: got 'safe', expected 'not met'"),
        (lambda d: part(d, "exam").update(state="met"), "a part that does not follow: exam: got json, met"),
        (lambda d: part(d, "exam").update(state="missing"), "a part that does not follow: exam"),
        (lambda d: part(d, "exam").update(value="0.9"), "a part that does not follow: exam: got json, not met"),
        (lambda d: part(d, "audit").update(state="met"), "a part that does not follow: audit: got json, met"),
        (
            lambda d: part(d, "forecast").update(attempt=2),
            "a part that does not follow: forecast: got verdict, met, att",
        ),
        (lambda d: part(d, "exam").update(digest=OTHER), "other evidence than its parts were read from"),
        (lambda d: d.subjects.update({"exam.json": OTHER}), "other evidence than its parts were read from"),
        (lambda d: d.subjects.update({"more.json": OTHER}), "other evidence than its parts were read from"),
        (lambda d: d.facts["parts"].pop(), "other parts than the policy has"),
        (lambda d: d.facts["parts"].append(d.facts["parts"][0]), "other parts than the policy has"),
        (lambda d: part(d, "exam").pop("digest"), "a part that says half of what its file said"),
        (lambda d: part(d, "exam").update(state="passed"), "a recorded part that is wrong"),
        (lambda d: d.facts.update(text=POLICY.replace("0.5", "0.1")), "a decision that is not what its digest says"),
        (loosened, "a part that does not follow: exam: got json, not met, expected 0.2"),
    ],
)
def test_it_is_found(forge: Callable[[Draft], Any], message: str, decided: Path, open_game: Game) -> None:
    assert message in forged(decided, open_game, forge)


def test_a_verdict_that_had_been_revoked(open_game: Game, tmp_path: Path) -> None:
    """Signed as if it still stood."""
    root = copied(open_game, tmp_path / "ledger")
    attempts.revoke(root, open_game.evaluator, "the prompts had leaked", attempt=1)
    text = POLICY.replace('"forecast", "exam", "audit"', '"forecast"').split('[[parts]]\nname = "exam"')[0]
    _, decision = attempts.record_decision(root, Policy.parse(text.encode()), {}, open_game.evaluator)
    assert decision.sentence == "undecided, and hangs on what is missing: forecast"

    def claim(draft: Draft) -> None:
        draft.facts["outcome"] = "met"
        part(draft, "forecast").update(state="met", attempt=1)

    assert "expected attempt 1 does not count: revoked (the prompts had leaked)" in forged(root, open_game, claim)


def test_a_revocation_afterwards_forges_nothing(decided: Path, open_game: Game) -> None:
    """What a decision was made on is the log before it."""
    attempts.revoke(decided, open_game.evaluator, "the prompts had leaked", attempt=1)
    assert failures(decided) == ""


def test_signed_by_the_team(decided: Path, open_game: Game) -> None:
    assert "signed by another key" in forged(decided, open_game, lambda draft: setattr(draft, "who", "team"))
