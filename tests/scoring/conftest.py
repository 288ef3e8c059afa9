"""Distributions to score: random, peaked, flat, sparse, with far tails, and pairs that are nearly equal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
SHAPES = ("random", "uniform", "one-hot", "sparse", "far tail", "peaked")


def log_rows(shape: str, rows: int, vocabulary: int, rng: np.random.Generator) -> Float64:
    """Natural-log probabilities, float64 (rows, vocabulary)."""
    if shape == "uniform":
        logits = np.zeros((rows, vocabulary))
    elif shape == "one-hot":
        logits = np.full((rows, vocabulary), -np.inf)
        logits[np.arange(rows), rng.integers(vocabulary, size=rows)] = 0.0
    elif shape == "sparse":
        logits = np.where(rng.random((rows, vocabulary)) < 0.5, -np.inf, rng.normal(size=(rows, vocabulary)))
        logits[:, 0] = 0.0
    elif shape == "far tail":
        logits = np.where(rng.random((rows, vocabulary)) < 0.5, np.log(1e-30), rng.normal(size=(rows, vocabulary)))
        logits[:, 0] = 0.0
    else:
        logits = rng.normal(size=(rows, vocabulary)) * {"random": 2.0, "peaked": 12.0}[shape]
    logits -= logits.max(axis=1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


@pytest.fixture(scope="session")
def make_rows() -> Callable[[str, int, int, np.random.Generator], Float64]:
    """log_rows: test files of this folder are not importable from one another."""
    return log_rows


@pytest.fixture(params=[(p, q) for p in SHAPES for q in SHAPES], ids=lambda pair: f"{pair[0]} by {pair[1]}")
def pair(request: pytest.FixtureRequest) -> tuple[Float64, Float64]:
    """A truth and a forecast of every two shapes, float64 (6, 40)."""
    rng = np.random.default_rng(sum(map(ord, "".join(request.param))))
    return log_rows(request.param[0], 6, 40, rng), log_rows(request.param[1], 6, 40, rng)
