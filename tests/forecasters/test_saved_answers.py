"""Saved answers: several folders of one forecaster answer as one, and what is missing or changed is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import DistributionError, InputError, VocabularyError
from foretell.distributions import DenseBlock, Distributions, DistributionWriter, TokenizedPrompt, Vocabulary
from foretell.distributions.block import log_softmax
from foretell.forecasters.saved_answers import SavedAnswers

A, B, C = (
    TokenizedPrompt("a", "all", 1.0, "a", "x", (0, 5, 6), (1, 2)),
    TokenizedPrompt("b", "all", 1.0, "b", "y", (0, 7), (1,)),
    TokenizedPrompt("c", "all", 1.0, "c", "z", (0, 8, 9, 10), (0, 3)),
)
Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write a forecast of some prompts, and give its folder."""

    def write(prompts: Sequence[TokenizedPrompt], vocabulary: Vocabulary, folder: str, name: str = "mine") -> Path:
        facts = {
            "role": "forecast",
            "source": {"name": name},
            "suite": {"name": "s", "digest": "d"},
            "dtype": "float32",
        }
        writer = DistributionWriter(tmp_path / folder, prompts, [range(len(prompts))], vocabulary, facts)
        rng = np.random.default_rng(len(folder))
        writer.write(
            0, DenseBlock(log_softmax(rng.normal(size=(sum(len(p.positions) for p in prompts), vocabulary.size))))
        )
        writer.finish()
        return tmp_path / folder

    return write


def test_two_folders_answer_as_one(save: Save, vocabulary: Vocabulary) -> None:
    first, second = save([A, B], vocabulary, "one"), save([C], vocabulary, "other")
    answers = SavedAnswers([first, second], vocabulary)
    assert answers.name == "mine"
    answers.prepare([C, A])
    for prompt, folder, index in ((A, first, 0), (B, first, 1), (C, second, 0)):
        expected, got = Distributions(folder).block(index), answers.forecast(prompt)
        assert isinstance(expected, DenseBlock)
        assert isinstance(got, DenseBlock)
        np.testing.assert_array_equal(got.logprobs, expected.logprobs)
    assert len(answers.describe()["manifests"]) == 2


def test_what_is_missing_is_named(save: Save, vocabulary: Vocabulary) -> None:
    answers = SavedAnswers([save([A], vocabulary, "one")], vocabulary)
    assert answers.missing([A, B, C]) == ["b", "c"]
    with pytest.raises(DistributionError, match="no answer to 2 of 3 prompts: b, c,"):
        answers.prepare([A, B, C])


@pytest.mark.parametrize("change", [{"token_ids": (0, 5, 7)}, {"positions": (2,)}])
def test_a_changed_prompt_is_refused(save: Save, vocabulary: Vocabulary, change: dict[str, tuple[int, ...]]) -> None:
    answers = SavedAnswers([save([A], vocabulary, "one")], vocabulary)
    with pytest.raises(DistributionError, match=r"prompt 'a'.*another prompt under the same id"):
        answers.prepare([replace(A, **change)])  # type: ignore[arg-type]


def test_folders_that_are_not_one_forecast_are_refused(save: Save, vocabulary: Vocabulary) -> None:
    one = save([A], vocabulary, "one")
    with pytest.raises(InputError, match="prompt 'a' again"):
        SavedAnswers([one, save([A, B], vocabulary, "other")], vocabulary)
    with pytest.raises(InputError, match="a forecast by theirs"):
        SavedAnswers([one, save([B], vocabulary, "third", name="theirs")], vocabulary)


def test_another_vocabulary_is_refused(save: Save, vocabulary: Vocabulary, bare_vocabulary: Vocabulary) -> None:
    with pytest.raises(VocabularyError, match="a forecast for another vocabulary"):
        SavedAnswers([save([A], bare_vocabulary, "one")], vocabulary)
