"""Tests of rows laid down in a file: what is read is what was said, in blocks of any size, and weights sum to 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foretell.distributions import DenseBlock, Distributions, TokenizedPrompt
from foretell.forecasters.spooled_rows import SpooledRows

PROMPT = TokenizedPrompt("a", "all", 1.0, "a", "text", (1, 2, 3), (1, 2))
PROMPTS = [PROMPT, replace(PROMPT, id="b", weight=3.0, positions=(0,))]


@pytest.mark.parametrize("entries", [1, 1 << 20])
def test_rows_come_back(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretell.forecasters.spooled_rows._BLOCK_ENTRIES", entries)

    def source(prompt: TokenizedPrompt) -> DenseBlock:
        return DenseBlock(np.log([[0.25, 0.75], [0.5, 0.5]][: len(prompt.positions)]))

    rows = SpooledRows([source, lambda prompt: DenseBlock(source(prompt).logprobs[:, ::-1])], PROMPTS, 2)
    parts = list(rows.blocks())
    logs = np.concatenate([part for part, _ in parts], axis=1)
    assert rows.shape == logs.shape == (2, 3, 2)
    assert len(parts) == (3 if entries == 1 else 1)
    np.testing.assert_allclose(np.exp(logs[0]), [[0.25, 0.75], [0.5, 0.5], [0.25, 0.75]], rtol=1e-6)
    np.testing.assert_array_equal(logs[1], logs[0][:, ::-1])
    np.testing.assert_allclose(np.concatenate([weights for _, weights in parts]), [1 / 8, 1 / 8, 3 / 4])


def test_a_truth_is_a_source(tiny_truth: Distributions) -> None:
    rows = SpooledRows([lambda prompt: tiny_truth.block(tiny_truth.prompts.index(prompt))], tiny_truth.prompts, 2048)
    assert rows.shape[1] == len(tiny_truth)
    assert rows.row_weights.sum() == pytest.approx(1)
