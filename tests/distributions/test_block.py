"""Blocks: slices, concatenation, and heads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from foretell.base.errors import DistributionError
from foretell.distributions import Block, Head, TopKBlock, block_kind, concatenate, rows
from foretell.distributions.folder import block_arrays


@pytest.mark.parametrize("kind", ["dense", "topk", "factored"])
def test_cut_and_joined_again(kind: str, block_of: Callable[..., Block]) -> None:
    block = block_of(kind, 7)
    joined = concatenate([rows(block, 0, 3), rows(block, 3, 3), rows(block, 3, 7)])
    assert block_kind(joined) == kind
    assert len(joined) == 7
    for name, array in block_arrays(block).items():
        np.testing.assert_array_equal(block_arrays(joined)[name], array)


def test_lists_of_unequal_length_are_padded() -> None:
    short = TopKBlock(np.array([[3]]), np.array([[-0.5]]), np.array([-1.0]))
    long = TopKBlock(np.array([[1, 2]]), np.array([[-0.5, -2.0]]), np.array([-3.0]))
    joined = concatenate([short, long])
    assert isinstance(joined, TopKBlock)
    assert joined.token_ids.tolist() == [[3, -1], [1, 2]]
    assert joined.logprobs.tolist() == [[-0.5, -np.inf], [-0.5, -2.0]]


def test_different_kinds_do_not_join(block_of: Callable[..., Block]) -> None:
    with pytest.raises(DistributionError, match="blocks of different kinds: got DenseBlock and TopKBlock"):
        concatenate([block_of("topk", 1), block_of("dense", 1)])


@pytest.mark.parametrize("softcap", [0.0, 2.0])
@pytest.mark.parametrize("bias", [None, np.arange(4, dtype=np.float32)])
def test_logits_of_a_head(bias: np.ndarray | None, softcap: float) -> None:
    rng = np.random.default_rng(0)
    weight, hidden = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    z = 0.25 * (np.einsum("pd,vd->pv", hidden.astype(float), weight) + (0 if bias is None else bias))
    expected = softcap * np.tanh(z / softcap) if softcap else z
    logits = Head(weight, bias, scale=0.25, softcap=softcap).logits(hidden)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
