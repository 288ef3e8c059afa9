"""Rules over three values: never a yes or a no that something missing could still change, and always one otherwise."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from foretell.verdicts.policy_rule import Rule, State, at_least

NAMES = "abcdef"
VALUES: tuple[State, ...] = ("not met", "missing", "met")
STATES = st.fixed_dictionaries({name: st.sampled_from(VALUES) for name in NAMES})


def _lists(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    branches = st.lists(inner, min_size=1, max_size=4, unique_by=repr)
    some: st.SearchStrategy[Any] = branches.flatmap(
        lambda of: st.builds(dict, at_least=st.integers(1, len(of)), of=st.just(of))
    )
    return st.builds(dict, all=branches) | st.builds(dict, any=branches) | some


RULES = _lists(st.recursive(st.sampled_from(NAMES), _lists, max_leaves=8)).map(Rule.model_validate)


def truth(rule: Rule, met: Mapping[str, bool]) -> bool:
    """A rule where nothing is missing, in the plainest way."""
    values = [met[one] if isinstance(one, str) else truth(one, met) for one in rule.branches]
    if rule.all is not None:
        return all(values)
    return any(values) if rule.any is not None else sum(values) >= (rule.at_least or 0)


@given(RULES, STATES)
def test_the_outcome_is_what_every_completion_agrees_on(rule: Rule, states: dict[str, State]) -> None:
    """A slow oracle: try every yes and no for what is missing."""
    missing = [name for name in NAMES if states[name] == "missing"]
    known = {name: states[name] == "met" for name in NAMES}
    outcomes = {
        truth(rule, known | dict(zip(missing, guess, strict=True)))
        for guess in itertools.product((False, True), repeat=len(missing))
    }
    assert rule.state(states) == ("missing" if len(outcomes) == 2 else "met" if outcomes.pop() else "not met")


@given(RULES, STATES, st.sampled_from(NAMES), st.sampled_from(["met", "not met"]))
def test_learning_more_never_turns_a_decision(rule: Rule, states: dict[str, State], name: str, found: State) -> None:
    before = rule.state(states)
    if states[name] == "missing" and before != "missing":
        assert rule.state(states | {name: found}) == before


@given(RULES, STATES, st.sampled_from(NAMES), st.sampled_from(VALUES))
def test_a_part_that_does_better_never_makes_it_worse(
    rule: Rule, states: dict[str, State], name: str, other: State
) -> None:
    worse, better = sorted((states[name], other), key=VALUES.index)
    outcomes = [VALUES.index(rule.state(states | {name: value})) for value in (worse, better)]
    assert outcomes == sorted(outcomes)


@given(RULES, STATES)
def test_it_hangs_on_what_is_wanting_and_on_nothing_else(rule: Rule, states: dict[str, State]) -> None:
    wanting = rule.wanting(states)
    assert all(states[name] == "missing" for name in wanting)
    assert bool(wanting) == (rule.state(states) == "missing")
    if wanting:
        assert rule.state(states | dict.fromkeys(wanting, "met")) == "met"
        assert rule.state(states | dict.fromkeys(wanting, "not met")) == "not met"


@given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=8))
def test_all_and_any_are_thresholds(states: list[State]) -> None:
    assert at_least(len(states), states) == min(states, key=VALUES.index)
    assert at_least(1, states) == max(states, key=VALUES.index)


@given(RULES)
def test_in_words_every_part_is_named(rule: Rule) -> None:
    assert all(name in rule.told for name in rule.names())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "one of `all`, `any`, or `at_least` together with `of`"),
        ({"all": ["a"], "any": ["b"]}, "one of `all`, `any`, or `at_least` together with `of`"),
        ({"at_least": 1}, "one of `all`, `any`, or `at_least` together with `of`"),
        ({"of": ["a"]}, "one of `all`, `any`, or `at_least` together with `of`"),
        ({"all": []}, "at least 1 item"),
        ({"at_least": 3, "of": ["a", "b"]}, "at least 3 of 3 or more, not of 2"),
        ({"at_least": 0, "of": ["a", "b"]}, "greater than or equal to 1"),
        ({"at_least": True, "of": ["a", "b"]}, "valid integer"),
        ({"all": ["a", "b", "a"]}, "every part once in a list, and 'a' is there twice"),
        ({"all": ["a", {"none": ["b"]}]}, "Extra inputs are not permitted"),
        ({"all": ["a", 3]}, "valid dictionary"),
        ({"not": ["a"]}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_no_rule(content: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Rule.model_validate(content)
