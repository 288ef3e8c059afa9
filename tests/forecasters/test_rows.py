"""Tests of rows that others give: what is accepted, and what each mistake is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foretell.base.errors import DistributionError, ForetellError, VocabularyError
from foretell.forecasters.rows import RowRules, full_row, listed_row, log_of, one_number, stack_listed

RULES, LENIENT = RowRules(4), RowRules(4, renormalise=True)
HALF = np.log(0.5)
QUARTERS = np.log([0.25] * 4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_a_full_row_of_any_precision(dtype: type) -> None:
    block = full_row(np.log([0.1, 0.2, 0.3, 0.4]).astype(dtype), RULES, "x")
    assert block.logprobs.dtype == np.float32
    np.testing.assert_allclose(np.exp(block.logprobs), [[0.1, 0.2, 0.3, 0.4]], rtol=2e-3)
    assert np.exp(block.logprobs.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)


def test_zero_probabilities_are_allowed() -> None:
    assert full_row([0.0, -np.inf, -np.inf, -np.inf], RULES, "x").logprobs.tolist() == [[0, -np.inf, -np.inf, -np.inf]]


def test_the_rest_is_what_is_not_listed() -> None:
    block = listed_row([2, 0], np.log([0.5, 0.2]), None, RULES, "x")
    assert block.token_ids.tolist() == [[2, 0]]
    np.testing.assert_allclose(np.exp(block.rest_logprob), [0.3], rtol=1e-6)
    assert listed_row([2], [0.0], None, RULES, "x").rest_logprob[0] == -np.inf
    given = listed_row(np.array([2], np.int16), np.array([HALF], np.float32), HALF, RULES, "x")
    np.testing.assert_allclose(given.rest_logprob, HALF, rtol=1e-6)


def test_half_precision_lists_are_read_as_logits() -> None:
    block = listed_row([0, 1], np.log([0.7, 0.2]).astype(np.float16), float(np.log(0.1)), RULES, "x")
    assert np.exp(block.logprobs).sum() + np.exp(block.rest_logprob[0]) == pytest.approx(1, abs=1e-6)


def test_all_tokens_may_be_listed() -> None:
    block = listed_row([3, 2, 1, 0], np.log([0.1, 0.2, 0.3, 0.4]), None, RULES, "x")
    assert block.rest_logprob[0] == -np.inf


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (
            np.log([0.5, 0.2, 0.2, 0.2]),
            DistributionError,
            r"^x: not a distribution: got probabilities that sum to 1\.1",
        ),
        ([np.nan, 0, 0, 0], DistributionError, r"^x, entry 0: not log-probabilities: got NaN"),
        ([0, np.inf, 0, 0], DistributionError, r"^x, entry 1: .*got \+inf"),
        ([-np.inf] * 4, DistributionError, r"^x: not a distribution: got probabilities that sum to 0"),
        ([3.0, 0, 0, 0], DistributionError, r"^x, entry 0: .*got a probability above 1"),
        (QUARTERS[:3], VocabularyError, r"^x: another vocabulary: got 3 probabilities a position, expected 4"),
        ([QUARTERS], DistributionError, r"^x: no list of log-probabilities: .*shape \(1, 4\)"),
        ([1, [2]], DistributionError, "^x: no list of log-probabilities"),
        ("text", DistributionError, "no list of log-probabilities: got str"),
        (None, DistributionError, "no list of log-probabilities: got NoneType"),
        (["a"] * 4, DistributionError, "no list of log-probabilities: got list that reads as <U1"),
    ],
)
def test_bad_full_rows(values: Any, error: type[ForetellError], message: str) -> None:
    with pytest.raises(error, match=message):
        full_row(values, RULES, "x")


@pytest.mark.parametrize(
    ("ids", "values", "rest", "error", "message"),
    [
        ([4], [HALF], HALF, VocabularyError, "^x: unknown token id: got 4, expected ids from 0 to 3"),
        ([-1], [HALF], HALF, VocabularyError, "^x: unknown token id: got -1, expected ids from 0"),
        ([1, 1], [HALF, HALF], None, VocabularyError, "^x: a token id twice"),
        ([1, 2], [HALF], None, DistributionError, "^x: columns of different length: got 2 token ids and 1"),
        ([1.5], [HALF], None, DistributionError, "^x: no list of token ids: got list that reads as float64"),
        ([1], [HALF], np.nan, DistributionError, "not log-probabilities: got NaN"),
        ([1], [HALF], 0.0, DistributionError, r"^x: not a distribution: got probabilities that sum to 1\.5"),
        ([1, 2], [HALF, 0.0], None, DistributionError, r"sum to 1\.5"),
        ([0, 1, 2, 3], [np.log(0.125)] * 4, HALF, DistributionError, "^x: mass for no token"),
    ],
)
def test_bad_listed_rows(ids: Any, values: Any, rest: float | None, error: type[ForetellError], message: str) -> None:
    with pytest.raises(error, match=message):
        listed_row(ids, values, rest, RULES, "x")


def test_renormalising_divides_by_the_sum() -> None:
    row = full_row(np.log([0.2, 0.2, 0.2, 0.2]), LENIENT, "x")
    np.testing.assert_allclose(np.exp(row.logprobs), [[0.25] * 4], rtol=1e-6)
    listed = listed_row([1, 2], np.log([0.2, 0.4]), float(np.log(0.2)), LENIENT, "x")
    np.testing.assert_allclose(np.exp(listed.logprobs), [[0.25, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(np.exp(listed.rest_logprob), [0.25], rtol=1e-6)


@pytest.mark.parametrize("values", [[np.nan, 0, 0, 0], [np.inf, 0, 0, 0], [-np.inf] * 4])
def test_renormalising_mends_no_broken_numbers(values: list[float]) -> None:
    with pytest.raises(DistributionError, match=r"^x: cannot renormalise"):
        full_row(values, LENIENT, "x")
    with pytest.raises(VocabularyError, match="another vocabulary"):
        full_row([0.0], LENIENT, "x")


@pytest.mark.parametrize(
    ("values", "message"), [([0.5, -0.1], r"^x, entry 1: .*a negative probability \(-0\.1\)"), ([np.nan], "got NaN")]
)
def test_bad_probabilities(values: list[float], message: str) -> None:
    with pytest.raises(DistributionError, match=message):
        log_of(values, "x")


def test_logs_and_numbers() -> None:
    np.testing.assert_array_equal(log_of([1, 0.5, 0], "x"), [0, HALF, -np.inf])
    assert one_number(-2, "x") == -2.0
    with pytest.raises(DistributionError, match="no list of log-probabilities"):
        one_number([1.0], "x")


def test_rows_of_different_lengths_are_padded() -> None:
    rows = [listed_row([2], [0.0], None, RULES, "x"), listed_row([1, 3], [HALF, HALF], None, RULES, "x")]
    block = stack_listed(rows)
    assert block.token_ids.tolist() == [[2, -1], [1, 3]]
    assert block.logprobs[0].tolist() == [0.0, -np.inf]
