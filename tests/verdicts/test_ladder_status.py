"""What a ladder unlocks: cases worked out by hand, and laws that hold for every ladder and every set of verdicts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.interval import Unscored
from foretell.verdicts.ladder_batch import Model, Verdict
from foretell.verdicts.ladder_status import LadderStatus, Results

from .made_ladders import CONTENT, MMLU, NOW, climbed, ladder, model, verdict

A, B, C = model("a-1", 1e19), model("b-1", 5e19), model("c-1", 1e21)
UP_TO = [rung["up_to_flop"] for rung in CONTENT["rungs"]]


def unlocked(status: LadderStatus) -> list[bool | None]:
    return [rung.unlocked for rung in status.rungs]


def test_nothing_is_needed_for_the_first_rung() -> None:
    status = climbed(ladder(), [], [])
    assert unlocked(status) == [True, False, False]
    assert status.may_train_up_to_flop == 1e19
    assert status.rungs[1].why_not == ("rung 'a' below: no model is registered on it",)
    assert status.rungs[2].why_not == (*status.rungs[1].why_not, "rung 'b' below: no model is registered on it")


def test_rung_by_rung() -> None:
    assert unlocked(climbed(ladder(), [A, B, C], [])) == [True, False, False]
    assert unlocked(climbed(ladder(), [A, B, C], [verdict(1, "a-1")])) == [True, True, False]
    both = [verdict(1, "a-1"), verdict(2, "b-1")]
    status = climbed(ladder(), [A, B, C], both)
    assert unlocked(status) == [True, True, True]
    assert status.may_train_up_to_flop == 1e21
    assert [rung.models[0].attempt for rung in status.rungs] == [1, 2, None]
    assert status.rungs[2].missing == ("it needs 1 model with a pass that counts, and there are none",
                                       "'c-1': no verdict on it")  # fmt: skip
    assert unlocked(climbed(ladder(), [A, B, C], both[1:])) == [True, False, False], "no rung is skipped"


@pytest.mark.parametrize(
    ("flop", "allowed"), [(1.0, True), (1e19, True), (1.0001e19, True), (1e20, True), (1.0001e20, False), (1e22, False)]
)
def test_a_training_up_to_the_limit(flop: float, allowed: bool) -> None:
    status = climbed(ladder(), [A, B], [verdict(1, "a-1")])
    assert status.allows(flop) is allowed
    assert bool(status.why_not(flop)) is not allowed


def test_above_the_last_rung() -> None:
    status = climbed(ladder(), [A, B], [verdict(1, "a-1"), verdict(2, "b-1")])
    assert status.why_not(1e22) == ("no rung goes that far: the last one, 'c', ends at 1e+21 FLOP",)


def test_a_batch_is_what_lies_between_two_limits() -> None:
    models = [model("m", 1e19), model("n", 1.0001e19), model("o", 1e20), model("p", 1e21), model("q", 2e21)]
    status = climbed(ladder(), models, [])
    assert [[one.model.name for one in rung.models] for rung in status.rungs] == [["m"], ["n", "o"], ["p"]]
    assert [one.name for one in status.above] == ["n", "o", "p", "q"]


def test_every_model_or_some() -> None:
    models, verdicts = [A, model("a-2", 2e18), model("a-3", 3e18)], [verdict(1, "a-1"), verdict(2, "a-2")]
    every = climbed(ladder(), models, verdicts)
    assert every.rungs[1].why_not == ("rung 'a' below: 'a-3': no verdict on it",)
    for number, enough in ((2, True), (3, False)):
        some = climbed(ladder(requirement__every_model=False, requirement__at_least=number), models, verdicts)
        assert some.rungs[1].unlocked is enough
    assert some.rungs[1].why_not[0] == "rung 'a' below: it needs 3 models with a pass that counts, and there are 2"
    more = climbed(ladder(requirement__at_least=4), models, [*verdicts, verdict(3, "a-3")])
    assert more.rungs[1].why_not == ("rung 'a' below: it needs 4 models with a pass that counts, and there are 3",)


def test_how_far_a_batch_has_to_reach() -> None:
    made = ladder(requirement__reach=0.5)
    small, large = model("small", 4.9e18), model("large", 5e18)
    status = climbed(made, [small], [verdict(1, "small")])
    assert status.rungs[1].why_not == (
        "rung 'a' below: it needs one that counts and took at least 5e+18 FLOP, and there is none",
    )
    assert climbed(made, [small, large], [verdict(1, "small"), verdict(2, "large")]).rungs[1].unlocked


AGAINST: list[tuple[dict[str, Any], str]] = [
    ({"decision": "fail"}, "its verdict is fail"),
    ({"decision": "inconclusive"}, "its verdict is inconclusive"),
    ({"decision": "inadmissible"}, "its verdict is inadmissible"),
    ({"tolerance": 0.51}, "its tolerance shows 0.51 nats, and 0.5 nats is asked"),
    ({"strictness": {"cap": 6.9}}, "kl_nats up to 6.9 says nothing of kl_nats up to 7"),
    ({"strictness": {"level": 0.9}}, "its confidence is 0.9, and 0.95 is asked"),
    ({"strictness": {"floor": 1e-5}}, "its floor 1e-05 is milder than 1e-06"),
    ({"strictness": {"slices": frozenset({"facts"})}}, "its prompts have no slice 'code'"),
    ({"strictness": {"track": "open"}}, "it was on the open track, where the model may have been run in secret"),
    ({"strictness": {"metric": "tv", "tolerance": 0.1, "cap": 1.0}}, "tv up to 1 says nothing of kl_nats up to 7"),
    ({"fallen": ("revoked (leaked)",)}, "revoked (leaked)"),
    ({"until": NOW - timedelta(seconds=1)}, "it expired on 2030-05-31"),
    ({"evaluator": "friend+12345678+key"}, "friend+12345678 judged it, whose verdicts this ladder does not count"),
    ({"helpers": ("m",), "rule": "declared"}, "its charter let help be declared, and only approved help is allowed"),
]


@pytest.mark.parametrize(("changes", "reason"), AGAINST)
def test_a_verdict_that_does_not_count(changes: dict[str, Any], reason: str) -> None:
    status = climbed(ladder(), [A], [verdict(7, "a-1", **changes)])
    assert status.rungs[0].models[0].reasons == (f"attempt 7 does not count: {reason}",)
    assert status.rungs[1].why_not[-1] == f"rung 'a' below: 'a-1': attempt 7 does not count: {reason}"
    assert not status.rungs[1].unlocked


@pytest.mark.parametrize(
    "changes",
    [
        {"tolerance": 0.1},
        {"until": NOW},
        {"strictness": {"metric": "abs_logprob_nats"}},
        {"strictness": {"track": "prospective"}},
        {"helpers": ("m",), "rule": "approved"},
        {"helpers": (), "rule": "declared"},
    ],
)
def test_a_verdict_that_counts(changes: dict[str, Any]) -> None:
    assert climbed(ladder(), [A], [verdict(7, "a-1", **changes)]).rungs[1].unlocked


def test_help_that_is_allowed() -> None:
    helped = [verdict(1, "a-1", helpers=("m",), rule="approved")]
    assert not climbed(ladder(requirement__helpers="none"), [A], helped).rungs[1].unlocked
    assert climbed(ladder(requirement__helpers="declared"), [A], helped).rungs[1].unlocked


def test_one_pass_is_enough_and_the_others_are_shown() -> None:
    verdicts = [verdict(1, "a-1", decision="fail"), verdict(2, "a-1"), verdict(3, "a-1", decision="inconclusive")]
    one = climbed(ladder(), [A], verdicts).rungs[0].models[0]
    assert (one.counts, one.attempt) == (True, 2)
    assert one.record()["verdicts"] == {"1": "fail", "2": "pass", "3": "inconclusive"}


def test_what_no_verdict_can_help() -> None:
    status = climbed(ladder(), [replace(A, objections=("revoked (wrong)",))], [verdict(1, "a-1")])
    assert status.rungs[1].why_not[-1] == "rung 'a' below: 'a-1': revoked (wrong)"
    nobody = climbed(ladder(), [replace(A, weights=None)], [replace(verdict(1, "a-1"), weights=None)])
    assert not nobody.rungs[1].unlocked, "a verdict on nobody knows what is none on another"


@pytest.mark.parametrize(
    ("result", "tolerance", "counts"),
    [
        (0.29, 0.5, True),
        (0.3, 0.5, False),
        (0.3, 0.4, True),
        (0.59, 0.4, True),
        (0.6, 0.4, False),
        (0.6, 0.2, True),
        (1.0, 0.2, True),
    ],
)
def test_a_result_asks_for_its_tolerance(result: float, tolerance: float, counts: bool) -> None:
    status = climbed(ladder(capability=[MMLU]), [A], [verdict(1, "a-1", tolerance)], {"a-1": {"mmlu": result}})
    assert status.rungs[0].models[0].counts is counts
    if not counts:
        asked = 0.4 if result == 0.3 else 0.2
        assert status.rungs[0].models[0].reasons == (
            f"attempt 1 does not count: its tolerance shows {tolerance:g} nats, and {asked:g} nats is asked "
            f"(mmlu of {result:g} asks for {asked:g})",
        )


def test_the_strictest_of_two_tables() -> None:
    other = {**MMLU, "benchmark": "gsm8k", "steps": [{"at_least": 0.1, "tolerance": 0.25}]}
    made = ladder(capability=[MMLU, other])
    asked = climbed(made, [A], [], {"a-1": {"mmlu": 0.4, "gsm8k": 0.2}}).rungs[0].models[0].tolerance
    assert (asked.lo, asked.hi) == (0.25, 0.25)


def test_a_rung_that_is_stricter_than_a_result_asks_for() -> None:
    rungs = [{**CONTENT["rungs"][0], "tolerance": 0.3}, *CONTENT["rungs"][1:]]
    asked = (
        climbed(ladder(capability=[MMLU], rungs=rungs), [A], [], {"a-1": {"mmlu": 0.4}}).rungs[0].models[0].tolerance
    )
    assert (asked.lo, asked.hi) == (0.3, 0.3)


@pytest.mark.parametrize("results", [{}, {"a-1": {}}, {"a-1": {"mmlu": Unscored("no file matches a-1.json")}}])
@pytest.mark.parametrize(("tolerance", "counts"), [(0.6, False), (0.5, None), (0.21, None), (0.2, True)])
def test_an_unknown_result_locks_only_where_it_decides(results: Results, tolerance: float, counts: bool | None) -> None:
    status = climbed(ladder(capability=[MMLU]), [A], [verdict(1, "a-1", tolerance)], results)
    assert (status.rungs[0].models[0].counts, status.rungs[0].met, status.rungs[1].unlocked) == (counts,) * 3
    assert status.allows(1e20) is counts
    assert status.may_train_up_to_flop == (1e20 if counts else 1e19)
    assert status.undecided_up_to_flop == (1e19 if counts is False else 1e20)
    if counts is None:
        (reason,) = status.rungs[0].models[0].reasons
        assert reason.startswith(
            "whether attempt 1 counts cannot be said: as little as 0.2 nats may be asked; mmlu unknown: no "
        )


def test_what_is_unknown_of_one_does_not_matter_where_another_fails() -> None:
    made, models = ladder(capability=[MMLU]), [A, model("a-2", 2e18)]
    status = climbed(made, models, [verdict(1, "a-1")])
    assert (status.rungs[1].unlocked, status.allows(1e20)) == (False, False)
    some = ladder(capability=[MMLU], requirement__every_model=False)
    assert climbed(some, models, [verdict(1, "a-1"), verdict(2, "a-2", 0.1)]).rungs[1].unlocked is True


# Laws. Three rungs, models and verdicts from small sets, so that edges are met.
FLOPS = st.sampled_from([1e18, 1e19, 1.0001e19, 5e19, 1e20, 5e20, 1e21, 1e22])
TOLERANCES = st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
NAMES = ("m", "n", "o")
MODELS = st.lists(FLOPS, min_size=0, max_size=3).map(
    lambda flops: [model(name, flop) for name, flop in zip(NAMES, flops, strict=False)]
)
VERDICTS = st.lists(
    st.builds(
        lambda name, tolerance, decision, fallen: verdict(0, name, tolerance, decision=decision, fallen=fallen),
        st.sampled_from(NAMES),
        TOLERANCES,
        st.sampled_from(["pass", "pass", "fail"]),
        st.sampled_from([(), (), ("revoked (x)",)]),
    ),
    max_size=5,
).map(lambda made: [replace(one, attempt=number) for number, one in enumerate(made, 1)])
RESULTS = st.fixed_dictionaries(
    {name: st.fixed_dictionaries({"mmlu": st.sampled_from([0.1, 0.3, 0.7, Unscored("lost")])}) for name in NAMES}
)
RULES = st.fixed_dictionaries(
    {
        "requirement__every_model": st.booleans(),
        "requirement__at_least": st.integers(1, 2),
        "requirement__reach": st.sampled_from([0.0, 0.5]),
        "capability": st.sampled_from([[], [MMLU]]),
    }
)


@given(RULES, MODELS, VERDICTS, RESULTS)
def test_no_rung_without_the_one_below(
    rules: dict[str, Any], models: list[Model], verdicts: list[Verdict], results: Results
) -> None:
    status = climbed(ladder(**rules), models, verdicts, results)
    answers = unlocked(status)
    assert answers[0] is True
    assert answers == sorted(answers, key=[True, None, False].index)
    for rung, above in zip(status.rungs, status.rungs[1:], strict=False):
        assert (above.unlocked is True) == (rung.unlocked is True and rung.met is True)
        assert bool(above.why_not) == (above.unlocked is not True)
    assert status.may_train_up_to_flop <= status.undecided_up_to_flop


@given(RULES, MODELS, VERDICTS, RESULTS, st.sampled_from(NAMES), TOLERANCES)
def test_one_more_pass_never_locks(
    rules: dict[str, Any], models: list[Model], verdicts: list[Verdict], results: Results, name: str, tolerance: float
) -> None:
    made = ladder(**rules)
    before = climbed(made, models, verdicts, results)
    after = climbed(made, models, [*verdicts, verdict(9, name, tolerance)], results)
    assert after.may_train_up_to_flop >= before.may_train_up_to_flop
    assert after.undecided_up_to_flop >= before.undecided_up_to_flop


@given(RULES, MODELS, VERDICTS, RESULTS, st.integers(0, 4))
def test_a_revocation_never_unlocks(
    rules: dict[str, Any], models: list[Model], verdicts: list[Verdict], results: Results, which: int
) -> None:
    made = ladder(**rules)
    revoked = [replace(one, fallen=("revoked (y)",)) if number == which else one for number, one in enumerate(verdicts)]
    taken_back = [
        replace(one, objections=("revoked (z)",)) if number == which else one for number, one in enumerate(models)
    ]
    before = climbed(made, models, verdicts, results)
    for after in (climbed(made, models, revoked, results), climbed(made, taken_back, verdicts, results)):
        assert after.may_train_up_to_flop <= before.may_train_up_to_flop
        assert after.undecided_up_to_flop <= before.undecided_up_to_flop


@given(RULES, MODELS, VERDICTS, RESULTS, st.sampled_from(NAMES), st.floats(0, 1))
def test_what_is_said_without_a_result_holds_with_any(
    rules: dict[str, Any], models: list[Model], verdicts: list[Verdict], results: Results, name: str, result: float
) -> None:
    made = ladder(**rules)
    before = climbed(made, models, verdicts, {**results, name: {"mmlu": Unscored("lost")}})
    after = climbed(made, models, verdicts, {**results, name: {"mmlu": result}})
    for flop in (*UP_TO, 1e22):
        assert before.allows(flop) in (None, after.allows(flop))


@given(RULES, MODELS, VERDICTS, RESULTS, TOLERANCES, TOLERANCES)
def test_a_tighter_tolerance_never_unlocks(
    rules: dict[str, Any],
    models: list[Model],
    verdicts: list[Verdict],
    results: Results,
    one: float,
    other: float,
) -> None:
    rules = {name: value for name, value in rules.items() if name != "capability"}
    looser, tighter = (
        climbed(ladder(**rules, requirement__tolerance=own), models, verdicts, results)
        for own in sorted((one, other), reverse=True)
    )
    assert tighter.may_train_up_to_flop <= looser.may_train_up_to_flop


@given(MODELS, VERDICTS)
def test_expiry_only_locks(models: list[Model], verdicts: list[Verdict]) -> None:
    expiring = [replace(one, until=NOW + timedelta(days=number)) for number, one in enumerate(verdicts)]
    limits = [
        climbed(ladder(), models, expiring, now=NOW + timedelta(days=day)).may_train_up_to_flop for day in range(7)
    ]
    assert limits == sorted(limits, reverse=True)
    assert limits[0] == climbed(ladder(), models, verdicts).may_train_up_to_flop


def test_the_record() -> None:
    status = climbed(ladder(), [A, B], [verdict(1, "a-1")])
    record = status.record()
    assert (record["may_train_up_to_flop"], record["undecided_up_to_flop"], record["above"]) == (1e20, 1e20, [])
    assert [rung["unlocked"] for rung in record["rungs"]] == [True, True, False]
    assert record["rungs"][0] == {
        "name": "a",
        "above_flop": 0.0,
        "up_to_flop": 1e19,
        "unlocked": True,
        "met": True,
        "missing": [],
        "why_not": [],
        "models": [
            {
                "name": "a-1",
                "names": ["a-1"],
                "flop": 1e19,
                "weights": "a-1",
                "counts": True,
                "attempt": 1,
                "tolerance": {"lo": 0.5, "hi": 0.5},
                "verdicts": {"1": "pass"},
                "reasons": [],
            }
        ],
    }
