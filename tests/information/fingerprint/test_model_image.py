"""Distances from the images of made-up output layers, against scipy's least squares, with all kinds of head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg

from foretell.distributions import Head
from foretell.information.fingerprint import model_image
from foretell.information.fingerprint.model_image import Distance, columns_of, distance
from foretell.information.fingerprint.precision import Precision, precision_of

VOCABULARY, WIDTH = 500, 24


def layer(seed: int, **more: float) -> Head:
    rng = np.random.default_rng(seed)
    bias = rng.normal(size=VOCABULARY).astype(np.float32) if more.pop("biased", 0) else None
    return Head(rng.normal(size=(VOCABULARY, WIDTH)).astype(np.float32) / 3, bias, **more)


def answers(head: Head, positions: int = 3) -> np.ndarray:
    hidden = np.random.default_rng(9).normal(size=(positions, WIDTH)).astype(np.float32) * 2
    logits = head.logits(hidden).astype(np.float64)
    return np.asarray((logits - np.logaddexp.reduce(logits, axis=1)[:, None]).astype(np.float32))


def measured(head: Head, rows: np.ndarray, tokens: np.ndarray | None = None) -> list[Distance]:
    tokens = np.arange(VOCABULARY) if tokens is None else tokens
    found = distance(head, rows, tokens, precision_of(rows), np.random.default_rng(0))
    assert not isinstance(found, str)
    return found


KINDS = {
    "plain": {},
    "biased": {"biased": 1.0},
    "scaled": {"scale": 0.25},
    "biased and scaled": {"biased": 1.0, "scale": 2.0},
    "capped": {"softcap": 6.0},
    "capped, biased and scaled": {"softcap": 5.0, "scale": 0.5, "biased": 1.0},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_lies_in_its_own_image_and_in_no_other(kind: str) -> None:
    own, other = layer(1, **KINDS[kind]), layer(2, **KINDS[kind])
    rows = answers(own, 2)
    for one in measured(own, rows):
        assert one.residual <= one.threshold < 0.01 * one.unrelated
    for one in measured(other, rows):
        assert one.residual > 100 * one.threshold
        assert one.residual > 0.5 * one.unrelated


@pytest.mark.parametrize("kind", KINDS)
def test_some_of_the_tokens_will_do(kind: str) -> None:
    own, other = layer(1, **KINDS[kind]), layer(2, **KINDS[kind])
    tokens = np.sort(np.random.default_rng(3).permutation(VOCABULARY)[:60])
    rows = answers(own, 1)[:, tokens]
    (right,), (wrong,) = measured(own, rows, tokens), measured(other, rows, tokens)
    assert right.residual <= right.threshold
    assert wrong.residual > wrong.threshold
    assert right.freedom == 60 - WIDTH - 1


def test_the_residual_is_that_of_least_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    head, rows = layer(1), answers(layer(2))
    design = np.column_stack([head.weight.astype(np.float64), np.ones(VOCABULARY)])
    solved = scipy.linalg.lstsq(design, rows.astype(np.float64).T)[0]
    expected = np.linalg.norm(rows - (design @ solved).T, axis=1)
    for block in (8192, 70):
        monkeypatch.setattr(model_image, "_BLOCK_ROWS", block)
        np.testing.assert_allclose([one.residual for one in measured(head, rows)], expected, rtol=1e-9)


def test_a_layer_of_lower_rank_is_no_reason_to_miss_a_model() -> None:
    head = layer(1)
    weight = head.weight.copy()
    weight[:, -3:] = weight[:, :3]
    weight[:, 5] = 0
    low = replace(head, weight=weight)
    assert all(one.residual <= one.threshold for one in measured(low, answers(low)))


def test_a_wider_spread_than_a_cap_allows() -> None:
    rows = answers(layer(1))
    words = distance(layer(1, softcap=1.0), rows, np.arange(VOCABULARY), Precision(23), np.random.default_rng(0))
    assert isinstance(words, str)
    assert words.startswith("its logits are capped at ±1, and these spread over")


@pytest.mark.parametrize("to", [np.float16, 3, 2, 1, 0])
def test_rounding_never_puts_a_model_out_of_its_image(to: type | int) -> None:
    for seed in range(6):
        head = layer(seed, biased=float(seed % 2))
        exact = answers(head)
        rows = exact.round(to) if isinstance(to, int) else exact.astype(to)
        assert all(one.residual <= one.threshold for one in measured(head, rows))


def test_columns() -> None:
    assert columns_of(layer(0)) == WIDTH + 1
