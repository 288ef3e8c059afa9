"""Who may help: hand-made worlds for each rule, and properties that hold in random ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from foretell.base.errors import InputError
from foretell.lineage import World, fallen, objections
from tests.lineage.making import NOON, given, passed, system, world


def test_people_and_plain_programs_may_help() -> None:
    there = world(system("Ada", "person"), system("table", "program"), system("both", "program", parts=["table"]))
    assert objections(there, given("Ada", "table", "both")) == ()


def test_an_ai_may_after_its_own_pass_and_not_before() -> None:
    there = world(system("m"), approvals=[passed(1, "m")])
    assert objections(there, given("m")) == ()
    assert objections(there, given("m", index=20)) == (
        "helper 'm': attempt 1 does not count: it was decided after the help was given",
    )


@pytest.mark.parametrize("decision", ["fail", "inconclusive", "inadmissible"])
def test_only_a_pass_counts(decision: str) -> None:
    there = world(system("m"), approvals=[passed(1, "m", decision=decision)])
    assert objections(there, given("m")) == (f"helper 'm': attempt 1 does not count: its verdict is {decision}",)


def test_one_verdict_that_counts_is_enough() -> None:
    verdicts = [passed(1, "m"), passed(2, "m", decision="fail"), passed(3, "m", tolerance=2.0)]
    assert objections(world(system("m"), approvals=verdicts), given("m")) == ()


def test_expiry_is_by_the_day_of_the_help() -> None:
    until = NOON + timedelta(hours=50)
    there = world(system("m"), approvals=[passed(1, "m", until=until)])
    assert objections(there, given("m", index=50)) == ()
    assert objections(there, given("m", index=51)) == (
        f"helper 'm': attempt 1 does not count: it expired on {until:%Y-%m-%d}",
    )


def test_the_uses_have_to_be_covered() -> None:
    there = world(system("m"), approvals=[passed(1, "m", slices=frozenset({"code"}))])
    assert objections(there, given("m")) == ("helper 'm': attempt 1 does not count: its prompts have no slice 'facts'",)
    assert objections(there, replace(given("m"), helpers={"m": frozenset({"code"})})) == ()


def test_the_open_track_approves_nothing_for_closed_ones() -> None:
    there = world(system("m"), approvals=[passed(1, "m", track="open")])
    assert "may have been run in secret" in objections(there, given("m"))[0]
    assert objections(there, given("m", track="open")) == ()


def test_a_chain_down_to_people() -> None:
    systems = [system("Ada", "person"), system("a"), system("b"), system("c")]
    chain = [passed(1, "a", "Ada"), passed(2, "b", "a"), passed(3, "c", "b")]
    there = world(*systems, approvals=chain)
    assert objections(there, given("c")) == ()
    there.revoked_attempts[1] = "leaked"
    (reason,) = objections(there, given("c"))
    assert reason == (
        "helper 'c': attempt 3 does not count: its own helper 'b': attempt 2 does not count: its own helper 'a': "
        "attempt 1 does not count: it was revoked (leaked)"
    )
    assert fallen(there).keys() == {1, 2, 3}


def test_the_target_and_whatever_has_it_behind_it() -> None:
    there = world(
        system("target"),
        system("int8", derived_from=["target"]),
        system("pool", "composite", parts=["int8"]),
        system("tool", "program", helped_by=["pool"]),
        system("renamed", identity={"weights": "sha256:int8"}),
        approvals=[passed(1, "int8"), passed(2, "pool")],
    )
    told = objections(there, given("target", "int8", "pool", "tool", "renamed"))
    assert told == (
        "helper 'int8' → derived from 'target': it is the target",
        "helper 'pool' → part 'int8' → derived from 'target': it is the target",
        "helper 'renamed' → the same as 'int8' → derived from 'target': it is the target",
        "helper 'target': it is the target",
        "helper 'tool' → made with the help of 'pool' → part 'int8' → derived from 'target': it is the target",
    )


def test_a_model_by_its_digest() -> None:
    there = world(system("m"), approvals=[passed(1, "m")])
    assert objections(there, given("hf:somewhere sha256:m")) == ()
    assert objections(there, given("hf:somewhere sha256:n")) == ("helper 'hf:somewhere sha256:n': not registered",)


def test_a_digest_means_weights_and_nothing_that_is_called_so() -> None:
    """A program that says it has the digest of a model is none, and so is a composite without a model in it."""
    there = world(
        system("fake", "program", identity={"program": "sha256:m"}),
        system("table", "program"),
        system("hollow", "composite", parts=["table"], identity={"weights": "sha256:n"}),
    )
    assert objections(there, given("tiny sha256:m")) == ("helper 'tiny sha256:m': not registered",)
    assert objections(there, given("tiny sha256:n")) == (
        "helper 'tiny sha256:n': no verdict on the composite; approvals of its parts do not approve it",
    )
    for name in ("tiny sha256:m", "endpoint:x unknown: m"):
        with pytest.raises(InputError, match="expected a name without a digest, or weights, in it"):
            system(name, "person")


def test_only_the_own_evaluators_passes_count() -> None:
    verdict = passed(1, "m")
    other = replace(verdict, help=replace(verdict.help, evaluator="mallory"))
    assert objections(world(system("m"), approvals=[other]), given("m")) == (
        "helper 'm': attempt 1 does not count: another evaluator decided it",
    )


def test_only_parties_of_the_charter_vouch() -> None:
    there = world(system("Ada", "person"), system("tool", "program", helped_by=["Ada"]))
    there.vouchers["Ada"] = "mallory"
    assert objections(there, given("Ada", "tool")) == (
        "helper 'Ada': vouched for by nobody of this charter",
        "helper 'tool' → made with the help of 'Ada': vouched for by nobody of this charter",
    )


def test_registered_too_late() -> None:
    there = world(system("Ada", "person"))
    there.registered["Ada"] = 100
    assert objections(there, given("Ada")) == ("helper 'Ada': registered after it had helped",)


def test_weights_that_nobody_can_see() -> None:
    there = world(system("m", identity={"weights": "unknown: a server"}))
    assert objections(there, given("m"))[0].endswith("cannot be told from another one")


def test_what_was_inadmissible_cannot_fall() -> None:
    there = world(system("m"), approvals=[passed(1, "x", "m", decision="inadmissible"), passed(2, "y", "m")])
    assert fallen(there).keys() == {2}


def test_a_part_has_to_be_there_first() -> None:
    with pytest.raises(InputError, match="no such system: got 'm', expected a registered system, and there is none"):
        world(system("pool", "composite", parts=["m"]))
    with pytest.raises(InputError, match="a name that is taken: got 'm'"):
        world(system("m"), system("m"))


_NAMES = tuple("abcde")


@st.composite
def _worlds(draw: st.DrawFn) -> World:
    """Five models that may come from each other, and verdicts on them with each other's help."""
    systems = []
    for place, name in enumerate(_NAMES):
        behind = draw(st.sets(st.sampled_from(_NAMES[:place]))) if place else set()
        systems.append(system(name, derived_from=sorted(behind)))
    verdicts = [
        passed(
            number,
            draw(st.sampled_from(_NAMES)),
            *draw(st.sets(st.sampled_from(_NAMES), max_size=2)),
            tolerance=draw(st.sampled_from([0.4, 0.5, 0.9])),
            decision=draw(st.sampled_from(["pass", "pass", "fail"])),
        )
        for number in range(1, 7)
    ]
    return world(*systems, approvals=verdicts)


@examples(_worlds(), st.integers(1, 6), st.sampled_from(_NAMES))
def test_revoking_never_lets_more_help(there: World, revoked: int, name: str) -> None:
    help_given = given(name, index=200, target="sha256:none")
    before, lost = objections(there, help_given), set(fallen(there))
    there.revoked_attempts[revoked] = "because"
    after = objections(there, help_given)
    assert not before or after
    assert lost <= set(fallen(there))


@examples(_worlds(), st.sampled_from(_NAMES))
def test_a_stricter_charter_never_lets_more_help(there: World, name: str) -> None:
    loose, strict = (given(name, index=200, target="sha256:none", tolerance=tolerance) for tolerance in (0.9, 0.45))
    if not objections(there, strict):
        assert not objections(there, loose)
