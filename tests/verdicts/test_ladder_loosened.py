"""What a changed ladder loosens is said; where nothing is said, it unlocks nothing that was locked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from foretell.base.errors import InputError
from foretell.base.interval import Unscored
from foretell.verdicts.ladder import Ladder
from foretell.verdicts.ladder_batch import Model, Verdict
from foretell.verdicts.ladder_loosened import loosened
from foretell.verdicts.ladder_status import Results

from .made_ladders import CONTENT, MMLU, climbed, ladder, model, verdict

A, B, C = CONTENT["rungs"]
FRIEND = "friend+0123abcd+Zm9v"


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return loosened(ladder(**before), ladder(**after))


def steps(*pairs: tuple[float, float]) -> list[dict[str, Any]]:
    return [{**MMLU, "steps": [{"at_least": result, "tolerance": tolerance} for result, tolerance in pairs]}]


LOOSER: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"compute__rule": "6ND"}, {}, "training compute is taken as given, and was counted before"),
    ({}, {"evaluators": [FRIEND]}, f"verdicts of {FRIEND} count, and did not before"),
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
        ({"evaluators": [FRIEND]}, {}),
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


RULES: dict[str, st.SearchStrategy[Any]] = {
    "requirement__tolerance": st.sampled_from([0.4, 0.5]),
    "requirement__every_model": st.booleans(),
    "requirement__at_least": st.sampled_from([1, 1, 2]),
    "requirement__reach": st.sampled_from([0.0, 0.5]),
    "capability": st.sampled_from([[], steps((0.3, 0.3)), steps((0.3, 0.2)), steps((0.1, 0.3), (0.3, 0.1))]),
    "leave_out": st.sampled_from([{}, {"m": "typo"}]),
    "limits": st.sampled_from([1e18, 1e20, 1e21]).flatmap(
        lambda top: st.lists(st.sampled_from([1e18, 1e19, 5e19]), max_size=2).map(lambda low: sorted({*low, top}))
    ),
    "own": st.lists(st.sampled_from([{}, {}, {}, {"tolerance": 0.2}, {"reach": 1.0}]), min_size=4, max_size=4),
}
RESULT: st.SearchStrategy[float | Unscored] = st.sampled_from([0.05, 0.2, 0.5]) | st.just(Unscored("lost"))
PASSED = st.sampled_from([0.05, 0.05, 0.05, 0.25, 0.45])
FLOPS = (1e18, 1e19, 5e19, 1e20)


@dataclass(frozen=True)
class Change:
    """Two ladders, the second of which differs in up to three things, and what is known of some models."""

    before: Ladder
    after: Ladder
    models: list[Model]
    verdicts: list[Verdict]
    results: Results

    def limits(self) -> tuple[float, float, float, float]:
        """Of both: what they unlock, and what they do not exclude."""
        was, now = (
            climbed(one, [m for m in self.models if m.name not in one.leave_out], self.verdicts, self.results)
            for one in (self.before, self.after)
        )
        return (
            was.may_train_up_to_flop,
            now.may_train_up_to_flop,
            was.undecided_up_to_flop,
            now.undecided_up_to_flop,
        )


def built(rules: dict[str, Any]) -> Ladder:
    rest = {name: value for name, value in rules.items() if name not in ("limits", "own")}
    rungs = [
        {"name": f"r{number}", "up_to_flop": limit, **own}
        for number, (limit, own) in enumerate(zip(rules["limits"], rules["own"], strict=False))
    ]
    try:
        return ladder(**rest, rungs=rungs)
    except InputError:  # a rung that is milder than the rest, or a step that does not tighten
        assume(False)
        raise


@st.composite
def changes(draw: st.DrawFn, which: str | None = None) -> Change:
    """Ladders that differ in one rule (any, where None) and maybe another, and models most of which passed."""
    rules = {name: draw(strategy) for name, strategy in RULES.items()}
    names = sorted(RULES)
    changed = {which or draw(st.sampled_from(names)), *draw(st.lists(st.sampled_from(names), max_size=1))}
    other = rules | {name: draw(RULES[name]) for name in sorted(changed)}
    models = [model(name, draw(st.sampled_from(FLOPS))) for name in "mnop"[: draw(st.integers(1, 4))]]
    verdicts = [verdict(number, one.name, draw(PASSED)) for number, one in enumerate(models, 1)]
    results = {one.name: {"mmlu": draw(RESULT)} for one in models}
    return Change(built(rules), built(other), models, verdicts, results)


@pytest.mark.parametrize("which", sorted(RULES))
def test_where_nothing_is_said_nothing_is_unlocked(which: str) -> None:
    @settings(max_examples=150)
    @given(changes(which))
    def law(change: Change) -> None:
        was, now, undecided_was, undecided_now = change.limits()
        if now > was or undecided_now > undecided_was:
            assert loosened(change.before, change.after)

    law()


def test_that_law_is_not_empty() -> None:
    """There are changes of which nothing is said, and after which rungs are unlocked; and others that unlock more."""
    found = settings(phases=[Phase.generate], max_examples=3000)
    find(
        changes(),
        lambda c: not loosened(c.before, c.after) and c.before != c.after and c.limits()[1] > 1e19,
        settings=found,
    )
    find(changes(), lambda c: c.limits()[1] > c.limits()[0], settings=found)
