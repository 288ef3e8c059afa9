"""Approved helpers, in real ledgers: a chain that holds, every way in which one does not, what a revocation fells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell import attempts
from foretell.base.errors import InputError, OrderError
from foretell.ledger import SecretKey
from foretell.lineage import System
from foretell.suites import Suite, load_suite
from foretell.targets.specs import open_target
from foretell.verifier import verify
from foretell.verifier.standing import standings
from tests.attempts.playing import POOL, TINY, Game, new_game

HELPER = open_target("tiny@1536")
EARLIER = open_target("tiny@768")
APPROVED = {"rule": "approved"}
#: Prompts of the same slices that POOL has not.
REST = Suite(
    "rest", tuple(p for p in load_suite("foretell-300") if p.slice in POOL.slices and p.id not in {q.id for q in POOL})
)


def model(name: str = "helper", target: Any = HELPER, **fields: Any) -> System:
    return System.parse({"name": name, "kind": "model", "identity": target.identity.record(), **fields}, "test")


def person(name: str = "Ada") -> System:
    return System.parse({"name": name, "kind": "person"}, "test")


def outcome(game: Game, number: int = -1) -> tuple[str, str]:
    """Decision and reasons of a judged attempt."""
    judged = attempts.status(game.ledger).attempts[number].steps["judge"]
    return judged["decision"], "; ".join(judged["reasons"])


def verified(game: Game) -> bool:
    return all(check.holds is not False for check in verify(game.ledger))


@pytest.fixture
def game(tmp_path: Path) -> Game:
    """A ledger in which the helper passed, and is registered."""
    started = new_game(tmp_path)
    started.approve(HELPER)
    attempts.register(started.ledger, model(), started.evaluator)
    return started


def test_a_chain_that_holds(game: Game) -> None:
    attempts.register(game.ledger, person(), game.team)
    game.begin("open", helpers=APPROVED)
    game.answer("open", "model:tiny@1536", ["Ada"])
    game.end()
    assert outcome(game)[0] == "pass"
    assert verified(game)
    (first, second) = standings(attempts.status(game.ledger))
    assert first.stands
    assert second.stands
    assert "Ada" in second.helpers


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"score": {"tolerance": 6.9}}, "attempt 1 does not count: its tolerance shows 7 nats, and 6.9 nats is asked"),
        ({"score": {"level": 0.99}}, "its confidence is 0.95, and 0.99 is asked"),
        ({"score": {"slice_tolerances": {"code": 7.0}}}, "it judged no tolerance in code, and 7 nats is asked"),
        ({"score": {"metric": "topk_logprob_rmse"}}, "kl_nats up to 7.6 says nothing of topk_logprob_rmse up to 7.6"),
    ],
)
def test_a_verdict_that_was_not_as_strict(game: Game, changes: dict[str, Any], reason: str) -> None:
    game.begin("open", helpers=APPROVED, **changes)
    game.answer("open", "model:tiny@1536")
    game.end()
    decision, reasons = outcome(game)
    assert decision == "inadmissible"
    assert f"helper 'tiny@1536 {HELPER.identity.weights}': {reason}" in reasons or reason in reasons
    assert verified(game)


def refuse(game: Game, before: Callable[[Game], object] = lambda game: None, with_: str = "model:tiny@1536") -> str:
    """Reasons why an attempt under approved help is inadmissible."""
    before(game)
    game.begin("open", helpers=APPROVED)
    game.answer("open", with_)
    game.end(f"published-{len(attempts.status(game.ledger).entries)}")
    decision, reasons = outcome(game)
    assert decision == "inadmissible"
    assert verified(game)
    return reasons


def test_an_ai_that_is_not_registered(game: Game) -> None:
    assert ": not registered" in refuse(game, with_="model:tiny@768")


def test_an_ai_without_a_verdict(game: Game) -> None:
    reasons = refuse(
        game, lambda g: attempts.register(g.ledger, model("early", EARLIER), g.team), with_="model:tiny@768"
    )
    assert ": an AI without a verdict" in reasons


def test_a_helper_that_failed(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.approve(HELPER, score={"tolerance": 0.01})
    attempts.register(game.ledger, model(), game.evaluator)
    assert "attempt 1 does not count: its verdict is" in refuse(game)


def test_the_target_behind_a_helper(game: Game) -> None:
    """A copy of the target under other weights: it is declared to come from it."""
    attempts.register(game.ledger, model("the target", TINY), game.evaluator)
    attempts.register(game.ledger, model("copy", EARLIER, derived_from=["the target"]), game.team)
    game.approve(EARLIER)
    reasons = refuse(game, with_="model:tiny@768")
    assert " → derived from 'the target': it is the target" in reasons


def test_help_before_approval(tmp_path: Path) -> None:
    """The pass comes after the commitment: it approves nothing that was done before."""
    game = new_game(tmp_path)
    game.begin("open", helpers=APPROVED)
    attempts.register(game.ledger, model(), game.evaluator)
    game.answer("open", "model:tiny@1536")
    game.approve(HELPER)
    attempts.reveal(game.ledger, TINY, game.evaluator, number=1)
    attempts.judge(game.ledger, game.evaluator, number=1)
    assert outcome(game, 0)[0] == "inadmissible"
    assert "it was decided after the help was given" in outcome(game, 0)[1]


def test_a_pass_that_rests_on_help_without_a_pass(tmp_path: Path) -> None:
    """The helper passed, but its own forecast was made by an AI that never did."""
    game = new_game(tmp_path)
    game.approve(HELPER, with_="model:tiny@768")
    attempts.register(game.ledger, model(), game.evaluator)
    assert f"its own helper 'tiny@768 {EARLIER.identity.weights}': not registered" in refuse(game)


def test_a_pass_that_another_evaluator_gave(tmp_path: Path) -> None:
    """The team adds a charter of its own to the ledger, judges its helper itself, and registers it."""
    game = new_game(tmp_path)
    rogue = Game(tmp_path, SecretKey.generate("mallory"), game.team, REST)
    rogue.approve(HELPER)
    attempts.register(game.ledger, model(), rogue.evaluator)
    assert "vouched for by nobody of this charter" in refuse(game)
    attempts.register(game.ledger, model("the helper itself"), game.team)
    game.begin("open", helpers=APPROVED)
    game.answer("open", "model:tiny@1536", ["the helper itself"])
    game.end("again")
    assert "helper 'the helper itself': attempt 1 does not count: another evaluator decided it" in outcome(game)[1]


def test_revoking_fells_what_rests_on_it(game: Game) -> None:
    game.begin("open", helpers=APPROVED)
    game.answer("open", "model:tiny@1536")
    game.end()
    lost = attempts.revoke(game.ledger, game.evaluator, "its prompts had leaked", attempt=1)
    assert sorted(lost) == [1, 2]
    assert "attempt 1 does not count: it was revoked (its prompts had leaked)" in lost[2][0]
    assert [one.stands for one in standings(attempts.status(game.ledger))] == [False, False]
    assert outcome(game)[0] == "pass", "what was signed stays as it was signed"
    assert verified(game)
    assert "it was revoked" in refuse(game)


def test_revoking_a_system(game: Game) -> None:
    game.begin("open", helpers=APPROVED)
    game.answer("open", "model:tiny@1536")
    game.end()
    assert sorted(attempts.revoke(game.ledger, game.evaluator, "mislabelled", system="helper")) == [2]
    assert verified(game)


def test_a_program_that_an_ai_wrote(game: Game) -> None:
    attempts.register(game.ledger, model("writer", EARLIER), game.team)
    tutor = {"name": "tutor", "kind": "program", "identity": {"program": "sha256:ab"}, "helped_by": ["writer"]}
    attempts.register(game.ledger, System.parse(tutor, "test"), game.team)
    game.begin("open", helpers=APPROVED)
    game.answer("open", None, ["tutor"])
    game.end()
    assert outcome(game)[1] == "helper 'tutor' → made with the help of 'writer': an AI without a verdict"


def test_approving_the_parts_does_not_approve_the_composite(game: Game) -> None:
    both = {"name": "both", "kind": "composite", "identity": {"weights": "sha256:cd"}, "parts": ["helper"]}
    attempts.register(game.ledger, System.parse(both, "test"), game.team)
    game.begin("open", helpers=APPROVED)
    game.answer("open", None, ["both", "helper"])
    game.end()
    assert outcome(game) == (
        "inadmissible",
        "helper 'both': no verdict on the composite; approvals of its parts do not approve it",
    )


def test_a_composite_that_answered_declares_its_parts(tmp_path: Path) -> None:
    """Its own pass counts for itself, and not for a part that has none."""
    game = new_game(tmp_path)
    parts = "".join(
        f'[[parts]]\nname = "at-{t[5:]}"\ntarget = "{t}"\nweight = 0.5\n' for t in ("tiny@1536", "tiny@768")
    )
    file = tmp_path / "pool.toml"
    file.write_text(f'schema = "foretell.composite/1"\nkind = "linear-pool"\n{parts}')
    pool = open_target(f"composite:{file}")
    game.approve(pool)
    for one in (model(), model("early", EARLIER)):
        attempts.register(game.ledger, one, game.team)
    both = {"name": "pool", "kind": "composite", "identity": pool.identity.record(), "parts": ["helper", "early"]}
    attempts.register(game.ledger, System.parse(both, "test"), game.team)
    reasons = refuse(game, with_=f"model:composite:{file}")
    assert f"helper 'tiny@1536 {HELPER.identity.weights}': an AI without a verdict" in reasons
    assert f"helper 'tiny@768 {EARLIER.identity.weights}': an AI without a verdict" in reasons
    assert pool.identity.weights not in reasons


def test_an_approval_with_an_end(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.approve(HELPER, approval={"valid_days": 1})
    attempts.register(game.ledger, model(), game.evaluator)
    first = standings(attempts.status(game.ledger))[0]
    assert first.until is not None
    assert (first.until - first.judged).days == 1
    game.begin("open", helpers=APPROVED)
    game.answer("open", "model:tiny@1536")
    game.end()
    assert outcome(game)[0] == "pass"


def test_who_may_sign(game: Game) -> None:
    stranger = SecretKey.generate("stranger")
    with pytest.raises(OrderError, match="a system is not this key's to sign"):
        attempts.register(game.ledger, person(), stranger)
    with pytest.raises(OrderError, match="a revoke is not this key's to sign"):
        attempts.revoke(game.ledger, game.team, "because", attempt=1)
    with pytest.raises(OrderError, match="no system before a charter"):
        attempts.register(game.folder / "empty", person(), game.team)


def test_what_cannot_be_registered_or_revoked(game: Game) -> None:
    with pytest.raises(InputError, match="a name that is taken: got 'helper'"):
        attempts.register(game.ledger, model(), game.team)
    with pytest.raises(InputError, match="no such system: got 'nobody'"):
        attempts.register(game.ledger, model("other", EARLIER, derived_from=["nobody"]), game.team)
    with pytest.raises(InputError, match="nothing to revoke: got attempt 7, expected a judged attempt: 1"):
        attempts.revoke(game.ledger, game.evaluator, "because", attempt=7)
    with pytest.raises(InputError, match="nothing to revoke: got neither"):
        attempts.revoke(game.ledger, game.evaluator, "because")
    with pytest.raises(InputError, match="nothing to revoke: got no reason"):
        attempts.revoke(game.ledger, game.evaluator, " ", attempt=1)
    attempts.revoke(game.ledger, game.evaluator, "because", attempt=1)
    with pytest.raises(InputError, match="nothing to revoke: got revoked already"):
        attempts.revoke(game.ledger, game.evaluator, "because", attempt=1)
