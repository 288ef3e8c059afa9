"""The output layer is recovered up to its symmetry, which shrinks to a rotation where the norm shows."""

from __future__ import annotations

import numpy as np
import pytest

from foretell.base.interval import Unscored
from foretell.distributions import Head, log_softmax
from foretell.information.layer.layer_bits import free_numbers, layer_bits
from foretell.information.layer.norm_sphere import (
    SphereLayer,
    orthogonal_error,
    positions_needed,
    rms_gain,
    sphere_layer,
)
from foretell.information.layer.output_layer import (
    Error,
    altered,
    error_by_positions,
    linear_error,
    recovered_layer,
    visible_layer,
    with_states,
)

from .made_models import Made, in_blocks, made

WIDTH, POSITIONS, TOKENS = 12, 200, 500


def recovered(model: Made, rank: int, positions: int = POSITIONS) -> tuple[Error, SphereLayer | Unscored]:
    rows = in_blocks(model.logprobs())
    found = recovered_layer(rows, model.tokens, positions, rank)
    return linear_error(found.basis, visible_layer(model.head)), sphere_layer(found, offset=False)


def test_up_to_a_linear_map() -> None:
    model = made(0, WIDTH, POSITIONS, TOKENS)
    error, _ = recovered(model, WIDTH)
    assert error.relative < 1e-6
    assert error.directions == WIDTH
    assert error.scale == pytest.approx(np.sqrt(np.mean(visible_layer(model.head) ** 2)))


def test_it_is_the_best_linear_map() -> None:
    model = made(0, WIDTH, POSITIONS, TOKENS)
    true = visible_layer(model.head)
    found = recovered_layer(in_blocks(model.logprobs().round(1)), TOKENS, POSITIONS, WIDTH)
    layer = found.layer()
    slow = np.linalg.lstsq(layer, true, rcond=None)[0]
    assert linear_error(found.basis, true).rms == pytest.approx(np.sqrt(np.mean((layer @ slow - true) ** 2)))
    # Hidden states of the recovered layer have unit mean squares.
    states = np.linalg.lstsq(layer, (found.states @ found.basis.T).T, rcond=None)[0].T
    assert states.T @ states / POSITIONS == pytest.approx(np.eye(WIDTH), abs=1e-8)


def test_another_layer_is_far() -> None:
    error, _ = recovered(made(0, WIDTH, POSITIONS, TOKENS), WIDTH)
    other = made(1, WIDTH, POSITIONS, TOKENS)
    found = recovered_layer(in_blocks(made(0, WIDTH, POSITIONS, TOKENS).logprobs()), TOKENS, POSITIONS, WIDTH)
    assert linear_error(found.basis, visible_layer(other.head)).relative > 0.9
    assert error.relative < 1e-6


def test_a_bias_is_one_more_column() -> None:
    model = made(2, WIDTH, POSITIONS, TOKENS, bias=True)
    rows = in_blocks(model.logprobs())
    found = recovered_layer(rows, TOKENS, POSITIONS, WIDTH + 1)
    assert visible_layer(model.head).shape == (TOKENS, WIDTH + 1)
    assert linear_error(found.basis, visible_layer(model.head)).relative < 1e-6


def test_a_direction_that_no_state_reaches_is_not_compared() -> None:
    model = made(3, WIDTH, POSITIONS, TOKENS, "layer")
    error, _ = recovered(model, WIDTH - 1)
    assert error.directions == WIDTH - 1
    assert error.relative < 1e-6


def test_the_mean_over_the_vocabulary_is_invisible() -> None:
    model = made(4, WIDTH, POSITIONS, TOKENS)
    shifted = Head(model.head.weight + np.linspace(-1, 1, WIDTH, dtype=np.float32))
    same = log_softmax(shifted.logits(model.states))
    assert same == pytest.approx(model.logprobs(), abs=1e-5)
    assert visible_layer(shifted) == pytest.approx(visible_layer(model.head), abs=1e-6)


def test_scale_is_part_of_the_layer() -> None:
    head = Head(np.array([[1.0], [3.0]]), scale=2.0)
    assert visible_layer(head).tolist() == [[-2.0], [2.0]]


def test_up_to_a_rotation_where_the_norm_shows() -> None:
    model = made(5, WIDTH, POSITIONS, TOKENS)
    _, sphere = recovered(model, WIDTH)
    assert isinstance(sphere, SphereLayer)
    assert sphere.residual < 1e-5
    gain = rms_gain(model.states)
    assert not isinstance(gain, Unscored)
    assert gain == pytest.approx(model.gain, rel=1e-6)
    true = visible_layer(model.head) * model.gain
    assert orthogonal_error(sphere.layer, true).relative < 1e-5
    # Without the gain it is another layer, and no rotation helps.
    assert orthogonal_error(sphere.layer, visible_layer(model.head)).relative > 0.05


@pytest.mark.parametrize(("norm", "norm_bias", "bias"), [("rms", False, True), ("layer", True, False)])
def test_up_to_a_rotation_and_a_constant(norm: str, norm_bias: bool, bias: bool) -> None:
    model = made(6, WIDTH, POSITIONS, TOKENS, "layer" if norm == "layer" else "rms", norm_bias, bias)
    moving = WIDTH - (norm == "layer")
    rows = in_blocks(model.logprobs())
    sphere = sphere_layer(recovered_layer(rows, TOKENS, POSITIONS, moving + 1), offset=True)
    assert isinstance(sphere, SphereLayer)
    assert sphere.constant is not None
    layer = visible_layer(Head(model.head.weight)) * model.gain
    if norm == "layer":  # states before gain and bias have mean zero
        layer = layer @ np.linalg.svd(np.ones((1, WIDTH)))[2][1:].T
    assert orthogonal_error(sphere.with_radius(WIDTH), layer).relative < 1e-4
    if bias:
        assert sphere.constant == pytest.approx(visible_layer(model.head)[:, -1], abs=1e-4)


def test_what_a_rotation_takes() -> None:
    assert positions_needed(576, False) == 166_176
    assert positions_needed(4, True) == 14
    model = made(7, WIDTH, 70, TOKENS)
    _, sphere = recovered(model, WIDTH, 70)
    assert isinstance(sphere, Unscored)
    assert sphere.reason == "needs 78 positions to fit an ellipsoid in 12 dimensions, here 70"


def test_states_that_lie_on_no_ellipsoid() -> None:
    model = made(8, WIDTH, POSITIONS, TOKENS, "none")
    _, sphere = recovered(model, WIDTH)
    assert isinstance(sphere, Unscored)
    assert "on no ellipsoid" in sphere.reason or "no positive length" in sphere.reason
    gain = rms_gain(model.states)
    assert isinstance(gain, Unscored)
    assert "no RMSNorm's" in gain.reason
    few = rms_gain(model.states[:5])
    assert isinstance(few, Unscored)
    assert few.reason == "5 positions are too few for 12 gains"


def test_more_states_in_the_same_basis() -> None:
    model = made(9, WIDTH, 300, TOKENS)
    rows = in_blocks(model.logprobs())
    found = recovered_layer(in_blocks(model.logprobs()[:60]), TOKENS, 60, WIDTH)
    assert found.states.shape == (60, WIDTH)
    more = with_states(found.basis, rows)
    assert more.states.shape == (300, WIDTH)
    assert isinstance(sphere_layer(more, offset=False), SphereLayer)


def test_errors_by_positions_and_precision() -> None:
    model = made(10, WIDTH, 800, TOKENS)
    rows, true = in_blocks(model.logprobs()), visible_layer(model.head)
    exact = error_by_positions(rows, TOKENS, true, [20, 800], WIDTH)
    halves = error_by_positions(altered(rows, lambda part: part.astype(np.float16)), TOKENS, true, [20, 800], WIDTH)
    digit = error_by_positions(altered(rows, lambda part: part.round(1)), TOKENS, true, [20, 800], WIDTH)
    for few, many in (exact, halves, digit):
        assert many.rms < 0.5 * few.rms
    assert exact[1].rms < 0.01 * halves[1].rms < halves[1].rms < digit[1].rms


def test_bits() -> None:
    assert free_numbers(101, 10, norm_known=False) == 10 * (101 - 1 - 10)
    assert free_numbers(101, 10, norm_known=True) == 10 * 100 - 45
    for known in (True, False):
        found = layer_bits(Error(2.0**-10, 1.0, 10), 101, norm_known=known)
        assert found.per_number == 10
        assert found.total == 10 * found.free_numbers
    assert layer_bits(Error(0.0, 1.0, 10), 101, norm_known=False).per_number == 52
