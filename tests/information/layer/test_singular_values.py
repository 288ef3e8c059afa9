"""Sketched singular values against those of the whole matrix, by numpy and by torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.information.layer.singular_values import (
    OVERSAMPLING,
    Sketch,
    first_rows,
    noise_edge,
    singular_values,
    triangle,
)


def low_rank(seed: int, positions: int, length: int, rank: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.normal(size=(positions, rank)) @ rng.normal(size=(rank, length)))


def test_short_rows_are_kept_whole() -> None:
    rows = low_rank(0, 30, 100, 7)
    sketch = Sketch(100, 30)
    assert sketch.exact
    mine = singular_values(triangle(sketch.of(rows)))
    assert mine == pytest.approx(np.linalg.svd(rows, compute_uv=False), abs=1e-10)
    assert mine == pytest.approx(torch.linalg.svdvals(torch.from_numpy(rows)).numpy(), abs=1e-10)


@pytest.mark.parametrize("length", [4_001, 4_099, 6_000, 10_007])  # odd, prime, composite
def test_long_rows_keep_their_singular_values_nearly_and_their_rank(length: int) -> None:
    rows = low_rank(1, 60, length, 20)
    sketch = Sketch(length, 60)
    assert sketch.width == OVERSAMPLING * 60
    mine, whole = singular_values(sketch.of(rows)), singular_values(rows)
    assert mine[:20] / whole[:20] == pytest.approx(np.ones(20), abs=0.4)
    assert mine[20:].max() < 1e-10 * mine[0]


def test_noise_keeps_its_size() -> None:
    noise = np.random.default_rng(2).normal(size=(100, 20_000))
    sketch = Sketch(20_000, 100)
    largest = singular_values(sketch.of(noise))[0]
    assert largest == pytest.approx(noise_edge(np.sqrt(20_000 / sketch.width), 100, sketch.width), rel=0.05)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 20), st.integers(2, 30), st.data())
def test_first_rows_of_the_triangle_stand_for_first_positions(
    seed: int, positions: int, length: int, data: st.DataObject
) -> None:
    rows = np.random.default_rng(seed).normal(size=(positions, length))
    count = data.draw(st.integers(1, positions))
    mine = singular_values(first_rows(triangle(rows), count))
    whole = np.linalg.svd(rows[:count], compute_uv=False)
    assert mine[: len(whole)] == pytest.approx(whole, abs=1e-9)
