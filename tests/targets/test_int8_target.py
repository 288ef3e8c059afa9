"""`int8:TARGET` on the shipped model's Hugging Face folder: what quantisation costs, and that nothing looks ahead."""

from __future__ import annotations

import numpy as np
import pytest

from foretell.base.errors import InputError
from foretell.distributions import DenseBlock, check_block
from foretell.scoring.divergences import kl_nats
from foretell.targets import tiny
from foretell.targets.specs import open_target
from foretell.targets.target import Target

TEXT = "class Reader:\n    def __init__(self, path):\n        self.path ="
#: Quantisation moves a small model's distributions by more than rounding does and by less than a checkpoint does.
ROUNDING_NATS, CHECKPOINT_NATS = 1e-6, 0.3


@pytest.fixture(scope="module")
def quantised() -> Target:
    return open_target(f"int8:hf:{tiny.checkpoint_folder()}")


def rows(target: Target, tokens: tuple[int, ...], positions: tuple[int, ...]) -> np.ndarray:
    block = target.distributions([tokens], [positions], "dense")[0]
    assert isinstance(block, DenseBlock)
    check_block(block, target.vocabulary.size, "int8")
    return block.logprobs


def test_it_is_near_its_original_and_not_the_same(quantised: Target) -> None:
    original = open_target("tiny")
    tokens = original.encode(TEXT)
    positions = tuple(range(4, len(tokens)))
    kl = kl_nats(rows(original, tokens, positions), rows(quantised, tokens, positions))
    assert ROUNDING_NATS < kl.mean() < CHECKPOINT_NATS
    assert quantised.identity.weights != original.identity.weights


def test_later_tokens_change_nothing(quantised: Target) -> None:
    tokens = quantised.encode(TEXT)
    longer = rows(quantised, (*tokens, 5, 6, 7), (3, 6))
    np.testing.assert_array_equal(rows(quantised, tokens, (3, 6)), longer)


def test_it_has_no_hidden_states_to_give(quantised: Target) -> None:
    with pytest.raises(InputError, match="got 'factored', expected 'dense'"):
        quantised.distributions([(1, 2)], [(1,)], "factored")


def test_only_torch_targets_can_be_quantised() -> None:
    with pytest.raises(InputError, match="cannot be quantised"):
        open_target(f"int8:onnx:{tiny.checkpoint_folder()}")


def test_checkpoints_of_the_shipped_model_have_copies_too() -> None:
    copy = open_target("int8:tiny@96")
    ids = copy.encode("def f(x):")
    (mine,), (theirs,) = (one.distributions([ids], [[len(ids) - 1]], "dense") for one in (copy, open_target("tiny@96")))
    assert isinstance(mine, DenseBlock)
    assert isinstance(theirs, DenseBlock)
    kl_nats = float((np.exp(theirs.logprobs) * (theirs.logprobs - mine.logprobs)).sum())
    assert 0 < kl_nats < 0.1
    with pytest.raises(InputError, match="no such checkpoint"):
        open_target("int8:tiny@95")
