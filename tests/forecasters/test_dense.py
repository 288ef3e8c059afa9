"""Tests of blocks as full log-probabilities."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from foretell.distributions import DenseBlock, FactoredBlock, Head, TopKBlock, check_block
from foretell.forecasters.dense import dense_logprobs


def test_dense_and_factored_blocks_are_their_log_softmax() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 30, (3, 7))
    np.testing.assert_allclose(dense_logprobs(DenseBlock(logits), 7), log_softmax(logits, axis=1), atol=1e-12)
    head = Head(rng.normal(size=(7, 4)).astype(np.float32), softcap=2.0)
    hidden = rng.normal(size=(3, 4)).astype(np.float32)
    expected = log_softmax(head.logits(hidden).astype(np.float64), axis=1)
    np.testing.assert_allclose(dense_logprobs(FactoredBlock(hidden, head), 7), expected, atol=1e-12)


def test_the_rest_is_spread_evenly_over_what_is_not_listed() -> None:
    ids = np.array([[3, 1], [0, -1]])
    with np.errstate(divide="ignore"):
        block = TopKBlock(ids, np.log([[0.5, 0.2], [0.4, 0.0]]), np.log([0.3, 0.6]))
    check_block(block, 5, "test")
    np.testing.assert_allclose(
        np.exp(dense_logprobs(block, 5)), [[0.1, 0.2, 0.1, 0.5, 0.1], [0.4, 0.15, 0.15, 0.15, 0.15]]
    )


def test_all_tokens_listed_and_nothing_left() -> None:
    block = TopKBlock(np.array([[1, 0]]), np.log([[0.25, 0.75]]), np.array([-np.inf]))
    np.testing.assert_allclose(np.exp(dense_logprobs(block, 2)), [[0.75, 0.25]])
