"""The one-pass kernel on float32 against the float64 definitions, over shapes, vocabularies and floors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from foretell.distributions import DenseBlock
from foretell.scoring import METRICS, ScoreSettings, score_positions
from foretell.scoring import divergences as by_definition

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
MakeRows = Callable[[str, int, int, np.random.Generator], Float64]
SHAPES = ("random", "uniform", "one-hot", "sparse", "far tail", "peaked")

#: What single precision costs: `exp` and `log` are good to about 1e-7, and log-probabilities of a far tail are
#: rounded at 1e-6 of their size. Relative to the number, and absolute.
RTOL, ATOL = 2e-5, 2e-6
#: Nearly equal rows: every term is of second order, so the error is too.
NEAR_RTOL, NEAR_ATOL = 5e-3, 1e-11
#: Too small to be seen, and large enough for the kernel: without a floor, scoring takes the definitions instead.
TINY_FLOOR = 1e-15


def score(p: NDArray[np.floating], q: NDArray[np.floating], floor: float, top_k: int = 10) -> dict[str, Float64]:
    lengths = np.arange(p.shape[1], dtype=np.float32) % 7
    scores = score_positions(DenseBlock(p), DenseBlock(q), lengths, ScoreSettings(floor, top_k))
    assert not scores.unscored
    for name in scores.lo:
        np.testing.assert_array_equal(scores.lo[name], scores.hi[name])
    return scores.lo


def defined(p: Float32, q: Float32, floor: float, top_k: int = 10) -> dict[str, Float64]:
    a = by_definition.normalised(p)
    b = by_definition.floored(by_definition.normalised(q), floor)
    return {
        "kl_nats": by_definition.kl_nats(a, b),
        "abs_logprob_nats": by_definition.abs_logprob_nats(a, b),
        "tv": by_definition.tv(a, b),
        "js_nats": by_definition.js_nats(a, b),
        "top1_agreement": by_definition.top1_agreement(p, q),
        "topk_logprob_rmse": by_definition.topk_logprob_rmse(a, b, top_k),
        "entropy_nats": by_definition.entropy_nats(a),
        "expected_bytes": np.exp(a) @ (np.arange(p.shape[1]) % 7),
    }


def assert_as_defined(p: Float32, q: Float32, floor: float, top_k: int = 10) -> None:
    got, expected = score(p, q, floor, top_k), defined(p, q, floor, top_k)
    assert list(got) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, rtol=RTOL, atol=ATOL, err_msg=name)


@pytest.mark.parametrize("floor", [0.0, 1e-40, 1e-20, 1e-6, 0.05])
def test_every_pair_of_shapes(pair: tuple[Float64, Float64], floor: float) -> None:
    assert_as_defined(pair[0].astype(np.float32), pair[1].astype(np.float32), floor)


@pytest.mark.parametrize("vocabulary", [2, 3, 63, 256, 257, 4095, 4097, 60_000])
def test_every_size_of_vocabulary(vocabulary: int, make_rows: MakeRows) -> None:
    rng = np.random.default_rng(vocabulary)
    for p_shape, q_shape in (
        ("random", "peaked"),
        ("peaked", "uniform"),
        ("far tail", "random"),
        ("sparse", "one-hot"),
    ):
        p, q = (make_rows(shape, 3, vocabulary, rng).astype(np.float32) for shape in (p_shape, q_shape))
        for floor in (0.0, 1e-20, 1e-6):
            assert_as_defined(p, q, floor)


def test_more_rows_than_workers(make_rows: MakeRows) -> None:
    rng = np.random.default_rng(5)
    assert_as_defined(make_rows("random", 201, 30, rng).astype(np.float32),
                      make_rows("sparse", 201, 30, rng).astype(np.float32), 1e-6)  # fmt: skip


def test_a_forecast_with_zeros_and_no_floor_loses_infinitely_only_where_the_truth_has_mass() -> None:
    with np.errstate(divide="ignore"):
        p = np.log(np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]], np.float32))
        q = np.log(np.array([[0.5, 0.0, 0.5], [0.9, 0.1, 0.0]], np.float32))
    got = score(p, q, 0.0, top_k=3)
    assert got["kl_nats"][0] == got["abs_logprob_nats"][0] == np.inf
    assert np.isfinite(got["kl_nats"][1])
    assert np.isfinite(got["topk_logprob_rmse"][1])  # zero against zero is no error
    assert np.isfinite(got["js_nats"]).all()
    assert np.isfinite(got["tv"]).all()


@pytest.mark.parametrize("floor", [1e-12, 1e-6, 1e-2])
def test_no_loss_exceeds_the_floors_bound(floor: float, make_rows: MakeRows) -> None:
    rng = np.random.default_rng(1)
    p, q = (make_rows("one-hot", 64, 500, rng).astype(np.float32) for _ in range(2))
    bound = ScoreSettings(floor).largest_kl_nats(500)
    assert score(p, q, floor)["kl_nats"].max() == pytest.approx(bound, rel=1e-6)


def test_rows_may_be_logits(make_rows: MakeRows) -> None:
    rng = np.random.default_rng(2)
    p, q = (make_rows(shape, 5, 300, rng) for shape in ("random", "peaked"))
    shift = rng.uniform(-50, 50, (5, 1))
    shifted = score((p + shift).astype(np.float32), (q - shift).astype(np.float32), 1e-6)
    for name, values in score(p.astype(np.float32), q.astype(np.float32), 1e-6).items():
        # Around 100, single precision resolves 8e-6 of a logit.
        np.testing.assert_allclose(shifted[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


@given(st.integers(2, 300), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-7, 1e-6, 1e-4, 1e-2]))
def test_nearly_equal_rows(vocabulary: int, seed: int, step: float) -> None:
    rng = np.random.default_rng(seed)
    p = by_definition.normalised(rng.normal(size=(4, vocabulary)) * 3).astype(np.float32)
    q = (p + rng.normal(size=p.shape) * step).astype(np.float32)
    got, expected = score(p, q, TINY_FLOOR), defined(p, q, TINY_FLOOR)
    for name in ("kl_nats", "js_nats"):
        assert (got[name] >= 0).all(), name
        np.testing.assert_allclose(got[name], expected[name], rtol=NEAR_RTOL, atol=NEAR_ATOL, err_msg=name)


@given(st.integers(2, 60).flatmap(lambda v: arrays(np.float32, (2, 2, v), elements=st.floats(-90, 90, width=32))))
def test_what_must_hold_between_the_columns(rows: NDArray[np.float32]) -> None:
    got = score(rows[0], rows[1], 1e-9)
    kl, total, js = got["kl_nats"], got["tv"], got["js_nats"]
    assert (kl >= 0).all()
    assert (js >= 0).all()
    assert (js <= np.log(2) + 1e-5).all()  # logits around 90 are resolved at 8e-6
    assert (got["abs_logprob_nats"] >= kl * (1 - RTOL) - ATOL).all()
    assert (kl >= 2 * total**2 - ATOL).all()
    assert (total <= 1 + 1e-6).all()
    assert (got["entropy_nats"] <= np.log(rows.shape[2]) + 1e-5).all()


@given(st.integers(2, 60).flatmap(lambda v: arrays(np.float32, (2, v), elements=st.floats(-90, 90, width=32))))
def test_no_distance_from_oneself(row: Float32) -> None:
    got = score(row, row, TINY_FLOOR)
    assert np.abs(got["kl_nats"]).max() <= 1e-11
    assert np.abs(got["js_nats"]).max() <= 1e-11
    assert got["top1_agreement"].tolist() == [1.0, 1.0]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=900), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_ties_go_to_the_lowest_id(levels: list[int], top_k: int, seed: int) -> None:
    p = np.array([levels], np.float32)
    q = np.random.default_rng(seed).permutation(p[0])[None].astype(np.float32)
    got, expected = score(p, q, 1e-6, top_k), defined(p, q, 1e-6, top_k)
    assert got["top1_agreement"][0] == expected["top1_agreement"][0]
    assert got["topk_logprob_rmse"][0] == pytest.approx(expected["topk_logprob_rmse"][0], rel=1e-4, abs=1e-6)


def test_more_tokens_graded_than_there_are() -> None:
    p, q = np.log(np.array([[0.7, 0.3]], np.float32)), np.log(np.array([[0.4, 0.6]], np.float32))
    assert score(p, q, 0.0, top_k=50)["topk_logprob_rmse"] == score(p, q, 0.0, top_k=2)["topk_logprob_rmse"]
    assert_as_defined(p, q, 0.0, top_k=50)


def test_other_precisions_go_the_slow_way_to_the_same_numbers(make_rows: MakeRows) -> None:
    rng = np.random.default_rng(3)
    p, q = make_rows("random", 5, 200, rng), make_rows("peaked", 5, 200, rng)
    fast, slow = score(p.astype(np.float32), q.astype(np.float32), 1e-6), score(p, q, 1e-6)
    half = score(p.astype(np.float16), q.astype(np.float32), 1e-6)
    for name in METRICS:
        np.testing.assert_allclose(fast[name], slow[name], rtol=RTOL, atol=ATOL, err_msg=name)
        np.testing.assert_allclose(half[name], slow[name], rtol=2e-2, atol=2e-2, err_msg=name)
