"""Truth and forecast must be about the same tokens at the same positions; chunks cover each prompt once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import DistributionError, VocabularyError
from foretell.distributions import (
    Block,
    DenseBlock,
    Distributions,
    DistributionWriter,
    TokenizedPrompt,
    Vocabulary,
    pairing,
)
from foretell.distributions.folder import block_arrays
from foretell.distributions.pairing import check_same_questions, paired_chunks

from .conftest import FACTS

Make = Callable[..., Distributions]


@pytest.fixture
def made(tmp_path: Path, words: Vocabulary, block_of: Callable[..., Block]) -> Make:
    """Distributions over prompts in one folder; each row's seed is its prompt's number."""

    def make(
        name: str,
        prompts: Sequence[TokenizedPrompt],
        plan: list[list[int]] | None = None,
        vocabulary: Vocabulary = words,
    ) -> Distributions:
        plan = plan or [list(range(len(prompts)))]
        writer = DistributionWriter(tmp_path / name, prompts, plan, vocabulary, FACTS)
        for shard, indices in enumerate(plan):
            parts = [
                block_arrays(block_of("dense", len(prompts[i].positions), seed=int(prompts[i].id[1:])))["logprobs"]
                for i in indices
            ]
            writer.write(shard, DenseBlock(np.concatenate(parts)))
        writer.finish()
        return Distributions(tmp_path / name)

    return make


def test_prompts_are_matched_by_name_in_any_order(made: Make, prompts: list[TokenizedPrompt]) -> None:
    truth, forecast = made("truth", prompts), made("forecast", prompts[::-1])
    assert check_same_questions(truth, forecast) == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("most", [1, 4, 6, 100])
def test_chunks_bring_the_same_rows_together(
    most: int, made: Make, prompts: list[TokenizedPrompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing, "_CHUNK_ROWS", most)
    truth = made("truth", prompts, [[4], [2, 0], [1, 3]])
    forecast = made("forecast", prompts[::-1], [[3], [0, 1, 2, 4]])
    seen: list[int] = []
    for chunk in paired_chunks(truth, forecast):
        rows = sum(len(prompts[index].positions) for index in chunk.prompts)
        assert rows <= most or len(chunk.prompts) == 1
        assert len(chunk.truth) == len(chunk.forecast) == rows
        np.testing.assert_array_equal(block_arrays(chunk.truth)["logprobs"], block_arrays(chunk.forecast)["logprobs"])
        seen += chunk.prompts
    assert seen == truth.storage_order()


def test_other_prompts_are_refused(made: Make, prompts: list[TokenizedPrompt]) -> None:
    truth = made("truth", prompts)
    with pytest.raises(DistributionError, match=r"other prompts: got 2 missing \(first: \['p3'\]\), 0 not asked"):
        check_same_questions(truth, made("fewer", prompts[:3]))
    more = [*prompts, replace(prompts[0], id="p9")]
    with pytest.raises(DistributionError, match=r"0 missing .*, 1 not asked \(first: \['p9'\]\)"):
        check_same_questions(truth, made("more", more))


def test_other_tokens_are_refused(made: Make, prompts: list[TokenizedPrompt]) -> None:
    changed = [*prompts[:2], replace(prompts[2], token_ids=(3, 4, 1)), *prompts[3:]]
    with pytest.raises(VocabularyError, match=r"prompt 'p2': other tokens: got 3 tokens \(3, 4, 1\).*\(3, 4, 5\)"):
        check_same_questions(made("truth", prompts), made("changed", changed))


@pytest.mark.parametrize("positions", [(0, 1), (1, 2), (0,)])
def test_other_positions_are_refused(positions: tuple[int, ...], made: Make, prompts: list[TokenizedPrompt]) -> None:
    changed = [*prompts[:2], replace(prompts[2], positions=positions), *prompts[3:]]
    with pytest.raises(
        DistributionError, match=r"prompt 'p2': missing or unasked positions: got .*expected \[0, 1, 2\]"
    ):
        check_same_questions(made("truth", prompts), made("changed", changed))


def test_another_vocabulary_is_refused(
    made: Make, prompts: list[TokenizedPrompt], words: Vocabulary, tmp_path: Path
) -> None:
    truth = made("truth", prompts)
    other = tmp_path / "tokenizer.json"
    other.write_text(words.path.read_text() + "\n")
    with pytest.raises(VocabularyError, match=r"another vocabulary.*--like TRUTH"):
        check_same_questions(truth, made("other", prompts, vocabulary=Vocabulary(other, words.size)))
    with pytest.raises(VocabularyError, match=r"another vocabulary: got 9 tokens .*expected 8 tokens"):
        check_same_questions(truth, made("padded", prompts, vocabulary=Vocabulary(words.path, 9)))
