"""The shipped target and its checkpoints: real models that read text from left to right, and what they are bound to."""

from __future__ import annotations

import json

import numpy as np
import pytest

from foretell.base.canonical import digest_file
from foretell.base.errors import InputError
from foretell.distributions import DenseBlock, FactoredBlock, check_block
from foretell.scoring.divergences import normalised
from foretell.targets.target import Target
from foretell.targets.tiny import checkpoint_folder, facts, open_tiny, steps

CODE = "import os\nimport sys\n\n\ndef main(argv=None):\n    if argv is None:\n        argv = sys.argv\n    for"


def test_at_least_six_checkpoints_spread_over_training() -> None:
    found = steps()
    assert len(found) >= 6
    assert found == sorted(set(found))
    assert found[-1] == facts()["recipe"]["steps"]
    assert found[-1] / found[0] > 10


def test_one_tokenizer_for_all_and_other_weights_for_each() -> None:
    opened = [open_tiny(f"tiny@{step}") for step in steps()]
    assert len({target.identity.weights for target in opened}) == len(opened)
    assert len({(target.identity.tokenizer, target.vocabulary.size) for target in opened}) == 1
    assert open_tiny("tiny").identity.weights == opened[-1].identity.weights
    assert opened[0].identity.tokenizer == digest_file(checkpoint_folder() / "tokenizer.json")


def test_the_context_is_that_of_the_recipe(tiny: Target) -> None:
    assert tiny.context == facts()["recipe"]["context"] >= 256
    config = json.loads((checkpoint_folder() / "config.json").read_text())
    assert config["vocab_size"] == tiny.vocabulary.size


def test_it_reads_from_left_to_right(tiny: Target) -> None:
    ids = tiny.encode(CODE)
    everywhere = tuple(range(len(ids)))
    whole = tiny.distributions([ids], [everywhere], "dense")[0]
    cut = tiny.distributions([ids[:9]], [tuple(range(9))], "dense")[0]
    assert isinstance(whole, DenseBlock)
    assert isinstance(cut, DenseBlock)
    np.testing.assert_allclose(cut.logprobs, whole.logprobs[:9], atol=1e-4)


def test_neighbours_and_padding_do_not_matter(tiny: Target) -> None:
    texts = ["a", CODE, "The lamp in the hall"]
    batch = [tiny.encode(text) for text in texts]
    positions = [(len(ids) - 1,) for ids in batch]
    together = tiny.distributions(batch, positions, "dense")
    for ids, wanted, block in zip(batch, positions, together, strict=True):
        alone = tiny.distributions([ids], [wanted], "dense")[0]
        assert isinstance(alone, DenseBlock)
        assert isinstance(block, DenseBlock)
        np.testing.assert_allclose(block.logprobs, alone.logprobs, atol=1e-4)


@pytest.mark.parametrize("step", [steps()[0], steps()[-1]])
def test_hidden_states_rebuild_its_log_probabilities(step: int) -> None:
    target = open_tiny(f"tiny@{step}")
    ids = target.encode(CODE)
    everywhere = tuple(range(len(ids)))
    dense = target.distributions([ids], [everywhere], "dense")[0]
    factored = target.distributions([ids], [everywhere], "factored")[0]
    check_block(dense, target.vocabulary.size, "tiny")
    check_block(factored, target.vocabulary.size, "tiny")
    assert isinstance(dense, DenseBlock)
    assert isinstance(factored, FactoredBlock)
    assert target.kinds == ("factored", "dense")
    np.testing.assert_allclose(normalised(factored.head.logits(factored.hidden)), dense.logprobs, atol=1e-4)


def test_it_has_learned_and_goes_on_learning() -> None:
    losses = {}
    for step in (steps()[0], steps()[-1]):
        target = open_tiny(f"tiny@{step}")
        ids = target.encode(CODE)
        block = target.distributions([ids], [tuple(range(len(ids) - 1))], "dense")[0]
        assert isinstance(block, DenseBlock)
        losses[step] = -block.logprobs[np.arange(len(ids) - 1), ids[1:]].mean()
    first, last = losses.values()
    assert last < first < np.log(open_tiny("tiny").vocabulary.size)


@pytest.mark.parametrize(
    ("spec", "message"),
    [("tiny@7", "tiny@7: no such checkpoint: got 7, expected one of"), ("tiny@last", "bad target: got step 'last'")],
)
def test_other_checkpoints(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_tiny(spec)
