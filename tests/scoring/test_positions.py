"""Any truth against any forecast: kinds, the spread of a forecast's rest, settings, and chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import DistributionError, InputError
from foretell.distributions import DenseBlock, FactoredBlock, Head, TopKBlock
from foretell.scoring import COLUMNS, ScoreSettings, positions, score_positions, to_dense
from foretell.scoring.divergences import normalised
from foretell.scoring.positions import expand_top_k

LENGTHS = np.ones(8, np.float32)


def dense(seed: int, rows: int = 5, vocabulary: int = 8) -> DenseBlock:
    logits = np.random.default_rng(seed).normal(size=(rows, vocabulary)) * 2
    return DenseBlock(normalised(logits).astype(np.float32))


def top_of(block: DenseBlock, k: int) -> TopKBlock:
    ids = np.argsort(-block.logprobs, axis=1, kind="stable")[:, :k]
    listed = np.take_along_axis(block.logprobs, ids, axis=1)
    return TopKBlock(ids, listed, np.log(np.maximum(1 - np.exp(listed).sum(axis=1, dtype=np.float64), 1e-12)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_a_rest_is_spread_evenly_over_what_is_not_listed(seed: int, k: int) -> None:
    block = top_of(dense(seed), k)
    full = np.exp(expand_top_k(block, 8).logprobs.astype(np.float64))
    np.testing.assert_allclose(full.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(full, block.token_ids, axis=1), np.exp(block.logprobs), rtol=1e-5)
    for row, ids in enumerate(block.token_ids):
        others = np.delete(full[row], ids)
        np.testing.assert_allclose(others, np.exp(block.rest_logprob[row]) / (8 - k), rtol=1e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_a_rest_is_spread_along_a_tail(seed: int, k: int) -> None:
    truth, tail = dense(seed), dense(seed + 1)
    block = top_of(truth, k)
    full = np.exp(expand_top_k(block, 8, tail).logprobs.astype(np.float64))
    np.testing.assert_allclose(full.sum(axis=1), 1, atol=1e-5)
    for row, ids in enumerate(block.token_ids):
        ratio = np.delete(full[row], ids) / np.delete(np.exp(tail.logprobs[row]), ids)
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    # Along the very distribution that the list was cut from, nothing is lost but what single precision loses of a
    # rest, which is 1 − Σ: an absolute error, not a relative one.
    again = np.exp(expand_top_k(block, 8, truth).logprobs)
    np.testing.assert_allclose(again, np.exp(truth.logprobs), rtol=1e-4, atol=1e-6)


def test_a_tail_without_mass_for_the_rest_is_refused() -> None:
    with np.errstate(divide="ignore"):
        tail = DenseBlock(np.log([[1.0, 0.0, 0.0]]))
    block = TopKBlock(np.array([[0]]), np.log([[0.9]]), np.log([0.1]))
    with pytest.raises(DistributionError, match=r"--tail, row 0: nothing to spread the rest along"):
        expand_top_k(block, 3, tail)


@pytest.mark.parametrize("padded", [[[2, 5, -1]], [[-1, 2, 5]], [[2, -1, 5]]])
def test_padding_may_stand_anywhere(padded: list[list[int]]) -> None:
    ids = np.array(padded)
    listed = np.full(ids.shape, -np.inf)
    listed[ids == 2], listed[ids == 5] = np.log(0.6), np.log(0.3)
    block = TopKBlock(ids, listed, np.log([0.1]))
    full = np.exp(expand_top_k(block, 8).logprobs[0])
    assert full[2] == pytest.approx(0.6)
    assert full[5] == pytest.approx(0.3)
    scores = score_positions(block, dense(1, rows=1), LENGTHS, ScoreSettings(1e-6, 2))
    trimmed = TopKBlock(np.array([[2, 5]]), np.log([[0.6, 0.3]]), np.log([0.1]))
    expected = score_positions(trimmed, dense(1, rows=1), LENGTHS, ScoreSettings(1e-6, 2))
    assert {name: column.tolist() for name, column in scores.hi.items()} == {
        name: column.tolist() for name, column in expected.hi.items()
    }


def test_a_truth_that_lists_nothing_is_refused() -> None:
    block = TopKBlock(np.array([[-1]]), np.array([[-np.inf]]), np.array([0.0]))
    with pytest.raises(DistributionError, match="here, row 0: a truth that says nothing"):
        score_positions(block, dense(0, rows=1), LENGTHS, ScoreSettings(), where="here")


def test_an_impossible_truth_names_the_place() -> None:
    block = TopKBlock(np.array([[0, 1]]), np.log([[0.5, 0.01]]), np.log([0.49]))
    with pytest.raises(DistributionError, match="prompt 'a': impossible top-k truth"):
        score_positions(block, dense(0, rows=1), LENGTHS, ScoreSettings(), where="prompt 'a'")


def test_factored_rows_score_as_the_logits_they_stand_for() -> None:
    rng = np.random.default_rng(0)
    bias = rng.normal(size=8).astype(np.float32)
    head = Head(rng.normal(size=(8, 3)).astype(np.float32), bias, 0.5, 4.0)
    hidden = rng.normal(size=(5, 3)).astype(np.float32)
    z = 0.5 * (hidden.astype(float) @ head.weight.T + bias)
    by_hand = DenseBlock(normalised(4 * np.tanh(z / 4)))
    got = score_positions(FactoredBlock(hidden, head), dense(1), LENGTHS, ScoreSettings())
    expected = score_positions(by_hand, dense(1), LENGTHS, ScoreSettings())
    for name in COLUMNS:
        np.testing.assert_allclose(got.lo[name], expected.lo[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    truths, forecast, tail = (dense(0, 50), top_of(dense(0, 50), 3)), top_of(dense(1, 50), 4), dense(2, 50)
    for truth in truths:
        whole = score_positions(truth, forecast, LENGTHS, ScoreSettings(), tail=tail)
        with monkeypatch.context() as patched:
            patched.setattr(positions, "_CHUNK_BYTES", 7 * 4 * 8)
            parts = score_positions(truth, forecast, LENGTHS, ScoreSettings(), tail=tail)
        assert list(parts.lo) == list(whole.lo)
        for name in whole.lo:
            np.testing.assert_array_equal(parts.lo[name], whole.lo[name])
            np.testing.assert_array_equal(parts.hi[name], whole.hi[name])


def test_lists_of_different_lengths_are_graded_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = top_of(dense(0, 50), 4)
    truth.token_ids[30, 3], truth.logprobs[30, 3] = -1, -np.inf
    settings = ScoreSettings(top_k=4)
    whole = score_positions(truth, dense(1, 50), LENGTHS, settings)
    monkeypatch.setattr(positions, "_CHUNK_BYTES", 7 * 4 * 8)
    parts = score_positions(truth, dense(1, 50), LENGTHS, settings)
    assert "topk_logprob_rmse" in whole.unscored
    assert parts.unscored == whole.unscored
    assert list(parts.lo) == list(whole.lo)


def test_half_precision_is_read_as_single() -> None:
    block = DenseBlock(dense(0).logprobs.astype(np.float16))
    assert to_dense(block, 8).logprobs.dtype == np.float32


@pytest.mark.parametrize(("floor", "top_k"), [(-0.1, 1), (1.0, 1), (float("nan"), 1), (0.1, 0)])
def test_bad_settings_are_refused(floor: float, top_k: int) -> None:
    with pytest.raises(InputError, match="bad score settings"):
        ScoreSettings(floor, top_k)


def test_without_a_floor_losses_have_no_bound() -> None:
    assert ScoreSettings(0.0).largest_kl_nats(8) == float("inf")
