"""Two real tokenizers: SmolLM2 reads for tiny, and tiny for SmolLM2; each says what it would say in its own tokens."""

from __future__ import annotations

import numpy as np
import pytest

from foretell.distributions import DenseBlock, TokenizedPrompt, Vocabulary
from foretell.forecasters.specs import open_forecaster
from foretell.targets.hf_target import TorchTarget
from foretell.targets.smollm2 import open_smollm2
from foretell.targets.target import Target

#: A text, and the letters with which what comes next begins.
CAPITAL, PARIS = "The capital of France is", " P"
CODE, CLOSING = "for i in range(10):\n    print(i", ")"


@pytest.fixture(scope="module")
def smollm2() -> TorchTarget:
    return open_smollm2()


def share_of(logprobs: np.ndarray, vocabulary: Vocabulary, start: str) -> float:
    """What a row of log-probabilities gives to tokens that begin with these letters."""
    begins = [piece.startswith(start.encode()) for piece in vocabulary.token_bytes]
    return float(np.exp(logprobs.astype(np.float64))[begins].sum())


def read_by(other: Target, spec: str, vocabulary: Vocabulary, text: str) -> np.ndarray:
    """What another model says after the text, in this vocabulary: (vocabulary,)."""
    forecaster = open_forecaster(spec, vocabulary, open_target=lambda name: other)
    ids = vocabulary.encode(text)
    block = forecaster.forecast(TokenizedPrompt("p", "all", 1.0, "p", text, ids, (len(ids) - 1,)))
    assert isinstance(block, DenseBlock)
    assert block.logprobs.shape == (1, vocabulary.size)
    return np.asarray(block.logprobs[0])


def said_by(target: Target, text: str) -> np.ndarray:
    """What a model says after the text in its own tokens."""
    ids = target.encode(text)
    (block,) = target.distributions([ids], [[len(ids) - 1]], "dense")
    assert isinstance(block, DenseBlock)
    return np.asarray(block.logprobs[0])


def test_smollm2_reads_for_tiny(smollm2: TorchTarget, tiny: Target) -> None:
    row = read_by(smollm2, "crosswalk:smollm2:nodes=1", tiny.vocabulary, CAPITAL)
    own = share_of(said_by(smollm2, CAPITAL), smollm2.vocabulary, PARIS)
    assert own > 0.75
    assert share_of(row, tiny.vocabulary, PARIS) == pytest.approx(own, abs=0.05)
    assert share_of(said_by(tiny, CAPITAL), tiny.vocabulary, PARIS) < 0.05  # tiny itself does not know


def test_tiny_reads_for_smollm2(smollm2: TorchTarget, tiny: Target) -> None:
    row = read_by(tiny, "crosswalk:tiny", smollm2.vocabulary, CODE)
    own = share_of(said_by(tiny, CODE), tiny.vocabulary, CLOSING)
    assert share_of(row, smollm2.vocabulary, CLOSING) == pytest.approx(own, abs=0.05)
    assert np.exp(row.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)
