"""Tests of another model as forecaster, with a small target that follows the protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from foretell.base.errors import ContextError, VocabularyError
from foretell.distributions import Block, DenseBlock, Head, TokenizedPrompt, TopKBlock, Vocabulary
from foretell.forecasters.ngram import KneserNey
from foretell.forecasters.ngram_counts import count_ngrams
from foretell.forecasters.surrogate import SurrogateForecaster
from foretell.forecasters.tokenized_corpus import TokenizedCorpus
from foretell.targets.target import TargetIdentity


class BigramTarget:
    """A target that is a bigram model."""

    context = 4
    batch_tokens = 64
    kinds = ("dense", "topk")
    head: Head | None = None

    def __init__(self, vocabulary: Vocabulary, model: KneserNey) -> None:
        self.vocabulary, self.model = vocabulary, model
        self.identity = TargetIdentity("bigram", "sha256:w", vocabulary.digest, "test 1", "float64")

    def encode(self, text: str) -> tuple[int, ...]:
        return self.vocabulary.encode(text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        rows = [self.model.at(ids, at) for ids, at in zip(batch, positions, strict=True)]
        if kind == "topk":
            return [TopKBlock(r.argmax(1)[:, None], r.max(1)[:, None], np.log1p(-np.exp(r.max(1)))) for r in rows]
        assert kind == "dense"
        return [DenseBlock(row) for row in rows]


@pytest.fixture
def target(vocabulary: Vocabulary, lay_out: Callable[..., TokenizedCorpus]) -> BigramTarget:
    corpus = lay_out([[0, 5, 6, 7, 5, 6]], 1)
    return BigramTarget(vocabulary, KneserNey(count_ngrams(corpus, vocabulary.size, 2), 2))


def test_the_forecast_is_the_models_own(
    target: BigramTarget, vocabulary: Vocabulary, ask: Callable[..., TokenizedPrompt]
) -> None:
    forecaster = SurrogateForecaster("model:bigram", target, vocabulary)
    prompt = ask([0, 5, 6], (1, 2))
    forecaster.prepare([prompt])
    block = forecaster.forecast(prompt)
    assert isinstance(block, DenseBlock)
    np.testing.assert_array_equal(block.logprobs, target.model.at([0, 5, 6], [1, 2]))
    assert forecaster.describe() == {"forecaster": "model", "model": target.identity.record(), "kind": "dense"}
    listed = SurrogateForecaster("model:bigram", target, vocabulary, "topk").forecast(prompt)
    assert isinstance(listed, TopKBlock)


def test_another_tokenizer_is_refused(target: BigramTarget, bare_vocabulary: Vocabulary) -> None:
    with pytest.raises(VocabularyError, match=r"model:bigram: a model with another vocabulary: got sha256.* expected"):
        SurrogateForecaster("model:bigram", target, bare_vocabulary)


def test_a_prompt_that_is_too_long_is_refused_beforehand(
    target: BigramTarget, vocabulary: Vocabulary, ask: Callable[..., TokenizedPrompt]
) -> None:
    forecaster = SurrogateForecaster("model:bigram", target, vocabulary)
    with pytest.raises(ContextError, match=r"\(prompt 'p'\): .* got 5 tokens, expected at most 4"):
        forecaster.prepare([ask([0, 5, 6, 7, 5])])
