"""Release rules: each by its identity or inequality, by hand, and with input that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foretell.base.errors import InputError
from foretell.distributions import Block, DenseBlock, FactoredBlock, Head, TopKBlock, check_block
from foretell.distributions.combining import log_normalised
from foretell.distributions.release import (
    Exact,
    Float16,
    Noise,
    ReleaseRule,
    Round,
    Temperature,
    TopK,
    parse_rule,
    released,
)

LOGITS = arrays(np.float64, (3, 7), elements=st.floats(-30, 30))
RULES: tuple[ReleaseRule, ...] = (
    Exact(),
    Float16(),
    Round(0),
    Round(6),
    TopK(1),
    TopK(20),
    Noise(0.125),
    Noise(1e-5),
    Temperature(2.0),
    Temperature(0.7),
)


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def dense(block: Block) -> np.ndarray:
    assert isinstance(block, DenseBlock)
    return block.logprobs.astype(np.float64)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.spec)
def test_a_rule_is_read_as_it_is_written(rule: ReleaseRule) -> None:
    assert parse_rule(rule.spec) == rule
    assert rule.meaning().endswith(".")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.spec)
def test_what_is_said_to_be_normalised_is(rule: ReleaseRule) -> None:
    logits = np.random.default_rng(1).normal(size=(5, 40)) * 4
    block = released(rule, DenseBlock(log_normalised(logits)), generator())
    if rule.normalised:
        check_block(block, 40, rule.spec)
    else:
        assert rule.meaning().endswith("whose log-softmax is the distribution.")


def test_exact_is_the_block_itself() -> None:
    head = Head(np.eye(4, 2, dtype=np.float32))
    for block in (
        DenseBlock(np.log([[0.5, 0.5]])),
        FactoredBlock(np.ones((1, 2), np.float32), head),
        TopKBlock(np.array([[1]]), np.log([[0.5]]), np.log([0.5])),
    ):
        assert released(Exact(), block, generator()) is block


@given(LOGITS, st.integers(0, 4))
def test_rounding_moves_no_log_probability_as_read_by_more_than_a_step(logits: np.ndarray, digits: int) -> None:
    exact, rule = log_normalised(logits), Round(digits)
    stored = dense(released(rule, DenseBlock(exact), generator()))
    stored_in_float32 = 2e-6 * np.abs(exact).max()
    assert np.abs(stored - exact).max() <= rule.step_nats / 2 + stored_in_float32
    assert np.abs(log_normalised(stored) - exact).max() <= rule.step_nats + 2 * stored_in_float32


@given(LOGITS)
def test_half_precision_keeps_eleven_binary_digits(logits: np.ndarray) -> None:
    exact = log_normalised(logits)
    stored = dense(released(Float16(), DenseBlock(exact), generator()))
    assert (np.abs(stored - exact) <= 2.0**-11 * np.abs(exact) + 2.0**-24).all()


@given(LOGITS, st.integers(1, 7))
def test_a_list_keeps_the_likeliest_and_the_mass_of_the_rest(logits: np.ndarray, k: int) -> None:
    exact = log_normalised(logits)
    block = released(TopK(k), DenseBlock(exact), generator())
    assert isinstance(block, TopKBlock)
    check_block(block, 7, "list")
    unlisted = np.ones(exact.shape, bool)
    np.put_along_axis(unlisted, block.token_ids.astype(int), False, axis=1)
    for row in range(len(exact)):
        assert block.logprobs[row] == pytest.approx(exact[row, block.token_ids[row]], abs=1e-5)
        assert not unlisted[row].any() or exact[row, unlisted[row]].max() <= exact[row, block.token_ids[row]].min()
        left = np.exp(exact[row, unlisted[row]]).sum()
        assert np.exp(np.float64(block.rest_logprob[row])) == pytest.approx(left, rel=1e-4, abs=1e-300)


@given(LOGITS)
def test_temperature_one_changes_nothing_and_any_other_keeps_the_order(logits: np.ndarray) -> None:
    exact = log_normalised(logits)
    assert dense(released(Temperature(1.0), DenseBlock(exact), generator())) == pytest.approx(exact, abs=1e-5)
    warm = dense(released(Temperature(3.0), DenseBlock(exact), generator()))
    # Who knows the temperature has everything back.
    assert log_normalised(3.0 * warm) == pytest.approx(exact, abs=1e-4)


def test_noise_has_its_size_and_is_drawn_anew() -> None:
    exact = log_normalised(np.random.default_rng(3).normal(size=(50, 400)))
    rng = generator()
    first, second = (dense(released(Noise(0.2), DenseBlock(exact), rng)) - exact for _ in range(2))
    for drawn in (first, second):
        assert drawn.std() == pytest.approx(0.2, rel=0.02)
        assert abs(drawn.mean()) < 5 * 0.2 / np.sqrt(drawn.size)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03
    again = dense(released(Noise(0.2), DenseBlock(exact), generator())) - exact
    assert (again == first).all()


def test_impossible_tokens_stay_impossible() -> None:
    exact = np.log(np.array([[0.5, 0.5, 1.0]])) + np.array([[0.0, 0.0, -np.inf]])
    for rule in (Float16(), Round(2), Noise(0.1), Temperature(2.0)):
        stored = dense(released(rule, DenseBlock(exact), generator()))
        assert np.isneginf(stored[0, 2])
        assert np.isfinite(stored[0, :2]).all()
    listed = released(TopK(2), DenseBlock(exact), generator())
    assert isinstance(listed, TopKBlock)
    assert np.isneginf(listed.rest_logprob).all()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "unknown release rule"),
        ("rounded:2", "unknown release rule.*expected one of exact, float16"),
        ("exact:1", "unknown release rule"),
        ("round:", "unknown release rule"),
        ("round:7", "digits that cannot be.*from 0 to 6"),
        ("round:-1", "digits that cannot be"),
        ("round:1.5", "digits that cannot be"),
        ("topk:0", "a list that cannot be.*at least 1"),
        ("topk:many", "a list that cannot be"),
        ("noise:-0.1", "a standard deviation that cannot be.*above 0"),
        ("noise:0", "a standard deviation that cannot be"),
        ("noise:nan", "a standard deviation that cannot be"),
        ("temperature:0", "a temperature that cannot be.*above 0"),
        ("temperature:-2", "a temperature that cannot be"),
        ("temperature:inf", "a temperature that cannot be"),
        ("temperature:warm", "a temperature that cannot be"),
    ],
)
def test_rules_that_cannot_be(spec: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_rule(spec)


def test_a_list_is_not_cut_again() -> None:
    block = TopKBlock(np.array([[1]]), np.log([[0.5]]), np.log([0.5]))
    for rule in RULES[1:]:
        with pytest.raises(InputError, match=r"a truth that was cut already.*its 1 likeliest tokens only"):
            released(rule, block, generator())


def test_no_list_is_longer_than_the_vocabulary() -> None:
    with pytest.raises(InputError, match="more tokens than there are: got 3 of a vocabulary of 2"):
        released(TopK(3), DenseBlock(np.log([[0.5, 0.5]])), generator())
