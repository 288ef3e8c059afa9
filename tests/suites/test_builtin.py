"""The suite that ships is what it says it is."""

from __future__ import annotations

from collections import defaultdict

import pytest

from foretell.suites import Suite, builtin_suites, load_suite
from foretell.targets.collection import tokenize
from foretell.targets.target import Target


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite("foretell-300")


def test_three_hundred_prompts_in_ten_slices(suite: Suite) -> None:
    assert "foretell-300" in builtin_suites()
    assert len(suite) >= 300
    assert len(suite.slices) == 10
    assert min(suite.slices.values()) >= 30


def test_no_text_comes_twice(suite: Suite) -> None:
    texts = [" ".join(prompt.text.split()) for prompt in suite]
    assert len(set(texts)) == len(texts)
    assert all(prompt.text == prompt.text.strip() or prompt.text.endswith((" ", "\n")) for prompt in suite)


def test_prompts_of_a_document_count_as_one(suite: Suite) -> None:
    weights: dict[str, float] = defaultdict(float)
    slices: dict[str, set[str]] = defaultdict(set)
    for prompt in suite:
        weights[prompt.document] += prompt.weight
        slices[prompt.document].add(prompt.slice)
    assert set(weights.values()) == {1.0}
    assert all(len(names) == 1 for names in slices.values())


def test_the_shipped_target_can_read_every_prompt(suite: Suite, tiny: Target) -> None:
    prompts = tokenize(suite, tiny.encode, tiny.context)
    assert [prompt.id for prompt in prompts] == [prompt.id for prompt in suite]
    assert max(len(prompt.token_ids) for prompt in prompts) <= 512
