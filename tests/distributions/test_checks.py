"""check_block refuses every way of not being a distribution, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from foretell.base.errors import DistributionError, VocabularyError
from foretell.distributions import Block, DenseBlock, FactoredBlock, Head, TopKBlock, check_block

EVEN = np.log(np.full((2, 4), 0.25))


def changed(row: int, column: int, value: float) -> DenseBlock:
    logprobs = EVEN.copy()
    logprobs[row, column] = value
    return DenseBlock(logprobs)


def listing(ids: list[int], probabilities: list[float], rest: float) -> TopKBlock:
    with np.errstate(divide="ignore"):
        return TopKBlock(np.array([ids]), np.log([probabilities]), np.log([rest]))


REFUSED: dict[str, tuple[Block, type[Exception], str]] = {
    "NaN": (changed(1, 2, np.nan), DistributionError, r"here, row 1, entry 2: not log-probabilities: got NaN"),
    "+inf": (changed(0, 3, np.inf), DistributionError, r"row 0, entry 3: not log-probabilities: got \+inf"),
    "above one": (changed(0, 0, 0.5), DistributionError, r"row 0, entry 0: .* a probability above 1 \(0.5\)"),
    "too much": (changed(1, 0, np.log(0.2501)), DistributionError, r"row 1: .* sum to 1.0001, expected 1 ± 1e-06"),
    "too little": (changed(1, 0, -np.inf), DistributionError, "row 1: not a distribution: .* sum to 0.75"),
    "raw logits": (DenseBlock(-np.ones((1, 4))), DistributionError, "sum to 1.47"),
    "probabilities": (DenseBlock(np.full((1, 4), 0.25)), DistributionError, "a probability above 1"),
    "narrow": (DenseBlock(EVEN[:, :3]), VocabularyError, "another vocabulary: got 3 probabilities .* expected 4"),
    "unknown id": (listing([1, 4], [0.5, 0.4], 0.1), VocabularyError, "row 0: unknown token id: got 4.*from 0 to 3"),
    "negative id": (listing([1, -2], [0.5, 0.4], 0.1), VocabularyError, "unknown token id: got -2"),
    "id twice": (listing([1, 1], [0.5, 0.4], 0.1), VocabularyError, r"a token id twice: got \[1, 1\]"),
    "listed sum": (listing([0, 1], [0.5, 0.4], 0.2), DistributionError, "sum to 1.1"),
    "rest is NaN": (listing([0, 1], [0.5, 0.4], np.nan), DistributionError, "entry 2: .* got NaN"),
    "rest for nobody": (
        listing([0, 1, 2, 3], [0.4, 0.3, 0.2, 0.09], 0.01), DistributionError, "mass for no token: got every token"
    ),
    "hidden states": (
        FactoredBlock(np.array([[1.0, np.nan]]), Head(np.zeros((4, 2)))), DistributionError, "bad hidden states"
    ),
    "infinite hidden": (
        FactoredBlock(np.array([[1.0, np.inf]]), Head(np.zeros((4, 2)))), DistributionError, "bad hidden states"
    ),
    "head": (FactoredBlock(np.zeros((1, 2)), Head(np.zeros((5, 2)))), VocabularyError, "another vocabulary: got 5"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    block, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        check_block(block, 4, "here")


@pytest.mark.parametrize("kind", ["dense", "half", "topk", "factored"])
def test_what_is_right_passes(kind: str, block_of: Callable[..., Block]) -> None:
    check_block(block_of(kind, 5), 8, "here")


@pytest.mark.parametrize(
    "block",
    [
        listing([0, 1, 2, 3], [0.4, 0.3, 0.2, 0.1], 0.0),
        TopKBlock(np.array([[0, -1]]), np.array([[np.log(0.7), -np.inf]]), np.log([0.3])),
        TopKBlock(np.array([[0, -1]]), np.array([[np.log(0.7), np.nan]]), np.log([0.3])),
        TopKBlock(np.array([[-1]]), np.array([[-np.inf]]), np.array([0.0])),
    ],
    ids=["all listed", "padded", "padding is not read", "nothing listed"],
)
def test_lists_of_any_length_pass(block: TopKBlock) -> None:
    check_block(block, 4, "here")


@pytest.mark.parametrize(("dtype", "off"), [("float64", 5e-7), ("float32", 5e-6), ("float16", 5e-3)])
def test_the_tolerance_is_that_of_the_precision(dtype: Any, off: float) -> None:
    exact = np.log(np.full((1, 4), 0.25))
    check_block(DenseBlock((exact + off).astype(dtype)), 4, "here")
    with pytest.raises(DistributionError, match="not a distribution"):
        check_block(DenseBlock((exact + 4 * off).astype(dtype)), 4, "here")
