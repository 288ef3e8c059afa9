"""The noisy channel: by hand, against exact mutual information in small cases, and where nothing can be told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.interval import Interval, Unscored
from foretell.information.release.channel import (
    SHAPE_BITS,
    jackknife,
    left_out,
    list_bits,
    open_channel,
    order_bits,
    rounding_variance,
    signal,
)
from foretell.information.release.channel import gram as gram_of

RANK, POSITIONS, TOKENS = 6, 400, 300


def low_rank(seed: int = 0, rank: int = RANK) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(POSITIONS, rank)) @ rng.normal(size=(rank, TOKENS))


def centred(rows: np.ndarray) -> np.ndarray:
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows - rows.mean(axis=0))


def documents(groups: int = 20) -> list[str]:
    return [f"d{i % groups}" for i in range(POSITIONS)]


def quantised_entropy(step: float, cells: int = 4000) -> float:
    """Entropy in bits of a standard Gaussian rounded to multiples of a step: what its rounding tells of it, exactly."""
    edges = (np.arange(-cells, cells + 1) - 0.5) * step
    below = np.array([0.5 * math.erfc(-edge / math.sqrt(2)) for edge in edges])
    p = np.diff(below)
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())


def test_bits_are_those_of_the_singular_values() -> None:
    rows = low_rank()
    squares = np.linalg.svd(centred(rows), compute_uv=False)[:RANK] ** 2
    channel = open_channel(rows, documents(), 0.0)
    for variance in (1e-4, 0.25):
        state = 0.5 * np.log2(1 + squares / POSITIONS / variance).sum()
        layer = TOKENS * 0.5 * np.log2(1 + squares / TOKENS / variance).sum()
        assert channel.state_bits(variance).bits == pytest.approx(state)
        assert channel.layer_bits(variance).bits == pytest.approx(layer)


def test_the_normaliser_and_what_all_positions_share_count_for_nothing() -> None:
    rows, rng = low_rank(), np.random.default_rng(5)
    moved = rows + rng.normal(size=(POSITIONS, 1)) * 9 + rng.normal(size=TOKENS)
    assert signal(gram_of(moved), TOKENS).squares[:RANK] == pytest.approx(
        signal(gram_of(rows), TOKENS).squares[:RANK], rel=1e-6
    )


def test_a_gaussian_channel_is_exact_for_gaussian_signals() -> None:
    """I(X; X + N) of jointly Gaussian vectors, from the entropies of both: ½ log₂ det(I + Σ/σ²)."""
    rng, variance = np.random.default_rng(1), 0.3
    layer = rng.normal(size=(5, 2))
    covariance = layer @ layer.T
    exact = 0.5 * math.log2(np.linalg.det(np.eye(5) + covariance / variance))
    states = rng.normal(size=(200_000, 2))
    rows = states @ layer.T
    squares = np.linalg.svd(rows, compute_uv=False)[:2] ** 2
    assert 0.5 * np.log2(1 + squares / len(rows) / variance).sum() == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("step", [0.5, 0.1, 0.01])
def test_rounding_as_noise_is_a_quarter_bit_short_of_the_exact_entropy(step: float) -> None:
    formula = 0.5 * math.log2(1 + 12 / step**2)
    exact = quantised_entropy(step)
    assert exact == pytest.approx(formula + SHAPE_BITS, abs=0.02)
    assert pytest.approx(0.2546, abs=1e-4) == SHAPE_BITS


@given(st.floats(1e-6, 10), st.floats(1.01, 100))
def test_more_noise_never_tells_more(variance: float, factor: float) -> None:
    channel = open_channel(low_rank()[:40], [], 0.0)
    less, more = channel.state_bits(variance * factor).bits, channel.state_bits(variance).bits
    assert isinstance(less, float)
    assert isinstance(more, float)
    assert 0 <= less < more


def test_float32_arithmetic_is_no_signal() -> None:
    exact, stored = low_rank(), low_rank().astype(np.float32)
    found = open_channel(stored, documents(), 0.0)
    assert int((found.whole.squares > 0).sum()) == RANK
    assert found.state_bits(1e-4).bits == pytest.approx(open_channel(exact, documents(), 0.0).state_bits(1e-4).bits)


def test_no_bits_are_told_where_the_signal_has_no_end() -> None:
    rng = np.random.default_rng(2)
    for rows in (rng.normal(size=(60, 300)), low_rank(rank=150)[:200]):
        found = open_channel(rows, [str(i % 7) for i in range(len(rows))], 1e-7).state_bits(0.01)
        assert isinstance(found.bits, Unscored)
        assert "fewer positions than twice the width" in found.bits.reason
        assert "unscored" in found.record()


def test_bounds_hold_the_figure_of_many_positions() -> None:
    """The jackknife's 95% bounds, made from 120 positions, against the covariance itself: on most of 40 draws."""
    rng = np.random.default_rng(3)
    layer, variance = rng.normal(size=(RANK, TOKENS)), 0.01
    columns = layer - layer.mean(axis=1, keepdims=True)
    truth = 0.5 * np.log2(1 + np.linalg.eigvalsh(columns @ columns.T) / variance).sum()
    inside = 0
    for _ in range(40):
        rows = rng.normal(size=(120, RANK)) @ layer
        bounds = open_channel(rows, documents()[:120], 0.0).state_bits(variance).bounds
        assert isinstance(bounds, Interval)
        inside += truth in bounds
    assert inside >= 32


def test_too_few_documents_give_no_bounds() -> None:
    found = open_channel(low_rank(), ["one"] * POSITIONS, 0.0).state_bits(0.01)
    assert found.bounds == Unscored("fewer than two documents")
    assert found.record()["bounds"] == {"unscored": "fewer than two documents"}
    assert left_out([]) == []


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(4).normal(size=10)
    without = [float(np.delete(values, i).mean()) for i in range(10)]
    bounds = jackknife(float(values.mean()) + 100, [one + 100 for one in without])
    assert isinstance(bounds, Interval)
    assert bounds.width / 2 == pytest.approx(1.96 * values.std(ddof=1) / math.sqrt(10))


def test_a_token_that_is_impossible_somewhere_is_left_out() -> None:
    rows = low_rank()
    with_one = np.column_stack([rows, np.where(np.arange(POSITIONS) == 3, -np.inf, 1.0)])
    assert open_channel(with_one, documents(), 0.0).state_bits(0.1) == open_channel(rows, documents(), 0.0).state_bits(
        0.1
    )


def test_lists_by_hand() -> None:
    listed = np.array([[-1.0, -2.0], [-3.0, -2.0]])  # variance 1 and 0
    expected = math.log2(5) + 0.5 * math.log2(1 + 1 / 0.5) + 2 * SHAPE_BITS
    assert list_bits(listed, 5, 0.5) == pytest.approx(expected)
    assert order_bits(5, 5) == pytest.approx(math.log2(120))
    assert order_bits(7, 0) == 0


def test_rounding_has_the_variance_that_it_is_said_to_have() -> None:
    values = -np.random.default_rng(6).uniform(0.5, 16, 200_000)
    rounded = values.astype(np.float16).astype(np.float64)
    assert np.mean((values - rounded) ** 2) == pytest.approx(rounding_variance(values, "float16"), rel=0.02)
