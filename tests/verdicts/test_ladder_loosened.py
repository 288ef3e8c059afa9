"""What a changed ladder loosens is said; where nothing is said, it unlocks nothing that was locked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from foretell.base.errors import InputError
from foretell.verdicts.ladder import Ladder
from foretell.verdicts.ladder_batch import Model, Verdict
from foretell.verdicts.ladder_loosened import loosened
from foretell.verdicts.ladder_status import Results

from .made_ladders import CONTENT, MMLU, climbed, ladder, verdict
from .test_ladder_status import MODELS, RESULTS, VERDICTS

A, B, C = CONTENT["rungs"]


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return loosened(ladder(**before), ladder(**after))


def steps(*pairs: tuple[float, float]) -> list[dict[str, Any]]:
    return [{**MMLU, "steps": [{"at_least": result, "tolerance": tolerance} for result, tolerance in pairs]}]


LOOSER: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"compute__rule": "6ND"}, {}, "training compute is taken as given, and was counted before"),
    ({}, {"evaluators": ["friend"]}, "verdicts of friend count, and did not before"),
    ({}, {"leave_out": {"m": "typo"}}, "'m' is left out (typo)"),
    ({"leave_out": {"m": "typo"}}, {}, "'m' is no longer left out, so it may count"),
    ({}, {"rungs": [A, {**B, "up_to_flop": 2e20}, C]}, "no rung ends at 1e+20 FLOP, where 'b' did"),
    ({}, {"rungs": [A, C]}, "no rung ends at 1e+20 FLOP, where 'b' did"),
    ({}, {"rungs": [{**A, "up_to_flop": 2e19}, B, C]}, "no rung ends at 1e+19 FLOP, where 'a' did"),
    ({}, {"rungs": [A, B, {**C, "up_to_flop": 1e22}]}, "it goes up to 1e+22 FLOP, and went up to 1e+21"),
    ({}, {"requirement__tolerance": 0.6}, "rung 'a': a pass is enough that was not: its tolerance shows 0.6 nats, and"),
    ({}, {"requirement__helpers": "declared"}, "rung 'c': help with forecasts: declared, not approved"),
    ({}, {"requirement__metric": "abs_logprob_nats"}, "rung 'a': the loss is abs_logprob_nats, not kl_nats"),
    ({}, {"requirement__slices": []}, "rung 'a': a pass is enough that was not: its prompts have no slice 'code'"),
    ({}, {"requirement__every_model": False}, "rung 'b': not every model of the batch has to count"),
    ({"requirement__at_least": 2}, {}, "rung 'a': at least 1 of a batch have to count, not 2"),
    ({"requirement__reach": 0.5}, {}, "rung 'a': the largest of them takes 0 of the limit, not 0.5"),
    ({"rungs": [A, {**B, "tolerance": 0.3}, C]}, {}, "rung 'b': a pass is enough that was not"),
    ({"capability": [MMLU]}, {}, "mmlu no longer tightens the tolerance"),
    (
        {"capability": [MMLU]},
        {"capability": [{**MMLU, "source": {**MMLU["source"], "pointer": "/other"}}]},
        "mmlu is read from elsewhere",
    ),
    ({"capability": [MMLU]}, {"capability": steps((0.4, 0.4), (0.6, 0.2))}, "mmlu from 0.3 on asks for no tolerance"),
    ({"capability": [MMLU]}, {"capability": steps((0.3, 0.45), (0.6, 0.2))}, "mmlu from 0.3 on asks for 0.45, and"),
    ({"capability": [MMLU]}, {"capability": steps((0.3, 0.4))}, "mmlu from 0.6 on asks for 0.4, and asked for 0.2"),
]


@pytest.mark.parametrize(("before", "after", "words"), LOOSER)
def test_what_is_looser(before: dict[str, Any], after: dict[str, Any], words: str) -> None:
    assert any(line.startswith(words) for line in changed(before, after)), changed(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({}, {"title": "another"}),
        ({}, {"compute__rule": "6ND"}),
        ({"evaluators": ["friend"]}, {}),
        ({}, {"rungs": [A, B]}),
        ({}, {"rungs": [{"name": "first", "up_to_flop": 1e18}, A, B, C]}),
        ({}, {"rungs": [A, {"name": "between", "up_to_flop": 5e19}, B, C]}),
        ({}, {"rungs": [A, B, {**C, "up_to_flop": 5e20}]}),
        ({}, {"requirement__tolerance": 0.4, "requirement__track": "prospective", "requirement__at_least": 2}),
        ({}, {"requirement__cap": 8.0, "requirement__reach": 0.5, "requirement__helpers": "none"}),
        ({}, {"capability": [MMLU]}),
        ({"capability": [MMLU]}, {"capability": steps((0.2, 0.4), (0.4, 0.3), (0.6, 0.2), (0.8, 0.1))}),
    ],
)
def test_what_is_not(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert changed(before, after) == []


LIMITS = st.lists(st.sampled_from([1e18, 1e19, 5e19, 1e20, 1e21]), min_size=1, max_size=3, unique=True).map(sorted)


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    """Ladders that are often comparable."""
    rungs = []
    for number, limit in enumerate(draw(LIMITS)):
        own = draw(st.sampled_from([{}, {}, {"tolerance": 0.2}, {"at_least": 2}, {"reach": 0.5}]))
        rungs.append({"name": f"r{number}", "up_to_flop": limit, **own})
    made = {
        "requirement__tolerance": draw(st.sampled_from([0.4, 0.5])),
        "requirement__every_model": draw(st.booleans()),
        "requirement__at_least": draw(st.integers(1, 2)),
        "capability": draw(st.sampled_from([[], steps((0.3, 0.3)), steps((0.3, 0.2)), steps((0.1, 0.3), (0.3, 0.1))])),
        "rungs": rungs,
    }
    try:
        return ladder(**made)
    except InputError:  # a rung that is milder than the rest
        assume(False)
        raise


@given(ladders(), ladders(), MODELS, VERDICTS, RESULTS)
def test_where_nothing_is_said_nothing_is_unlocked(
    before: Ladder, after: Ladder, models: list[Model], verdicts: list[Verdict], results: Results
) -> None:
    if loosened(before, after) == []:
        was, now = (climbed(one, models, verdicts, results) for one in (before, after))
        assert now.may_train_up_to_flop <= was.may_train_up_to_flop
        assert now.undecided_up_to_flop <= was.undecided_up_to_flop


@given(ladders(), MODELS, VERDICTS, RESULTS, st.randoms(use_true_random=False))
def test_nor_by_changes_that_are_meant_to_tighten(
    before: Ladder, models: list[Model], verdicts: list[Verdict], results: Results, random: Any
) -> None:
    """Pairs that are comparable by construction, which two random ladders seldom are."""
    tighter = before.requirement.model_copy(update={"at_least": 2, "every_model": True, "tolerance": 0.35})
    rungs = before.rungs[: random.randint(1, len(before.rungs))]
    after = before.model_copy(update={"requirement": tighter, "rungs": rungs})
    assert loosened(before, after) == []
    good = [replace(one, decision="pass", fallen=()) for one in verdicts] + [verdict(9, "m", 0.1)]
    was, now = (climbed(one, models, good, results) for one in (before, after))
    assert now.may_train_up_to_flop <= was.may_train_up_to_flop
