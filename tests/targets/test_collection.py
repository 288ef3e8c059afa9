"""How a truth is collected: tokens, batches, samples, kinds, and the noise that is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import ContextError, InputError
from foretell.distributions import Block, DenseBlock, FactoredBlock, Head, TokenizedPrompt, TopKBlock, Vocabulary
from foretell.scoring.divergences import normalised
from foretell.suites import Prompt, Suite
from foretell.targets import collection
from foretell.targets.target import Target, TargetIdentity

SIZE, WIDTH = 6, 3
HEAD = Head(np.random.default_rng(0).normal(size=(SIZE, WIDTH)).astype(np.float32))


@dataclass
class MadeUp:
    """A target of six tokens whose logits may change from call to call."""

    vocabulary: Vocabulary = field(default_factory=lambda: Vocabulary(Path("none"), SIZE))
    noise: float = 0.0
    bend: float = 0.0
    kinds: tuple[str, ...] = ("factored", "dense")
    head: Head | None = HEAD
    context: int = 100
    batch_tokens: int = 64
    identity: TargetIdentity = field(default_factory=lambda: TargetIdentity("made-up", "w", "t", "e", "float32"))
    calls: int = 0

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(ord(character) % SIZE for character in text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        self.calls += 1
        rng = np.random.default_rng(self.calls)
        blocks: list[Block] = []
        for ids, wanted in zip(batch, positions, strict=True):
            hidden = np.array([[np.sin(ids[t]), t, 1.0] for t in wanted], np.float32) / 3
            logits = HEAD.logits(hidden) + rng.normal(size=(len(wanted), SIZE)) * self.noise
            logprobs = normalised(logits + self.bend * logits**2)
            if kind == "topk":
                ids_ = np.argsort(-logprobs, axis=1)[:, :3]
                listed = np.take_along_axis(logprobs, ids_, axis=1)
                blocks.append(TopKBlock(ids_, listed, np.log1p(-np.exp(listed).sum(axis=1))))
            else:
                dense = DenseBlock(logprobs.astype(np.float32))
                blocks.append(FactoredBlock(hidden, HEAD) if kind == "factored" else dense)
        return blocks


def prompts_of(sizes: Sequence[int], scored: int = 1) -> list[TokenizedPrompt]:
    return [
        TokenizedPrompt(f"p{i}", "all", 1.0, f"p{i}", "x", (1,) * size, tuple(range(max(0, size - scored), size)))
        for i, size in enumerate(sizes)
    ]


def test_prompts_become_tokens(tiny: Target, small_suite: Suite) -> None:
    prompts = collection.tokenize(small_suite, tiny.encode, tiny.context)
    for prompt, made in zip(small_suite, prompts, strict=True):
        assert tiny.vocabulary.tokenizer.decode(list(made.token_ids)) == prompt.text
        assert (made.id, made.slice, made.weight, made.document) == (
            prompt.id,
            prompt.slice,
            prompt.weight,
            prompt.cluster,
        )


def test_a_prompt_that_is_too_long() -> None:
    suite = Suite("s", (Prompt("a", "abc"), Prompt("b", "abcd")))
    with pytest.raises(ContextError, match=r"s prompt 'b': .*cannot read: got 4 tokens, expected from 1 to 3"):
        collection.tokenize(suite, MadeUp().encode, 3)
    assert len(collection.tokenize(suite, MadeUp().encode, None)) == 2


def test_a_prompt_without_tokens() -> None:
    with pytest.raises(ContextError, match="got 0 tokens, expected at least 1"):
        collection.tokenize(Suite("s", (Prompt("a", "x"),)), lambda text: [], None)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 200), st.integers(1, 5))
def test_batches_hold_every_prompt_once_by_length(sizes: list[int], batch_tokens: int, scored: int) -> None:
    prompts = prompts_of(sizes, scored)
    row_bytes = collection.SHARD_BYTES // 7  # seven rows a shard
    plan = collection.batches_by_length(prompts, batch_tokens, row_bytes)
    order = [index for batch in plan for index in batch]
    assert sorted(order) == list(range(len(sizes)))
    assert [sizes[index] for index in order] == sorted(sizes)
    for batch in plan:
        assert len(batch) == 1 or len(batch) * max(sizes[index] for index in batch) <= batch_tokens
        assert len(batch) == 1 or sum(len(prompts[index].positions) for index in batch) <= 7
    assert plan == collection.batches_by_length(prompts, batch_tokens, row_bytes)


@given(st.lists(st.integers(1, 50), min_size=0, max_size=40))
def test_a_sample_is_of_all_lengths(sizes: list[int]) -> None:
    sample = collection.sample_of(prompts_of(sizes))
    assert len({prompt.id for prompt in sample}) == len(sample) == min(8, len(sizes))
    assert {len(prompt.token_ids) for prompt in sample} >= {min(sizes, default=0), max(sizes, default=0)} - {0}
    if len(sizes) <= 8:
        assert sorted(len(prompt.token_ids) for prompt in sample) == sorted(sizes)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=12))
def test_a_sample_has_few_positions_of_each_prompt(sizes: list[int]) -> None:
    whole = {prompt.id: prompt for prompt in prompts_of(sizes, scored=90)}
    for prompt in collection.sample_of(list(whole.values())):
        all_positions = whole[prompt.id].positions
        assert len(prompt.positions) == len(set(prompt.positions)) == min(32, len(all_positions))
        assert set(prompt.positions) <= set(all_positions)
        assert list(prompt.positions) == sorted(prompt.positions)
        assert (prompt.positions[0], prompt.positions[-1]) == (all_positions[0], all_positions[-1])


SAMPLE = prompts_of([2, 3, 5], scored=2)


def measured_noise(target: MadeUp, prompts: list[TokenizedPrompt], kind: str) -> dict[str, Any]:
    return collection.noise_floor(target, prompts, collection.ask(target, prompts, kind))


@pytest.mark.parametrize("count", range(1, 9))
def test_noise_is_measured_on_every_prompt_of_a_sample(count: int) -> None:
    measured = measured_noise(MadeUp(noise=1e-2), prompts_of(range(2, 2 + count)), "dense")
    assert measured["kl_nats"] > 0
    assert measured["method"].startswith(f"{count} prompts")


def test_the_kind_is_the_best_that_holds() -> None:
    kind, measured = collection.choose_kind(MadeUp(), SAMPLE, "auto")
    assert kind == "factored"
    assert measured["factored_error_nats"] < 1e-6
    assert collection.choose_kind(MadeUp(), SAMPLE, "dense") == ("dense", {})
    kind, measured = collection.choose_kind(MadeUp(bend=0.1), SAMPLE, "auto")
    assert kind == "dense"
    assert "rebuilt log-probabilities are off by" in measured["factored_refused"]
    assert collection.choose_kind(MadeUp(kinds=("topk",), head=None), SAMPLE, "auto") == ("topk", {})


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        (
            MadeUp(bend=0.1),
            "factored",
            r"made-up: cannot be factored: got rebuilt log-probabilities off by .*--kind dense",
        ),
        (MadeUp(), "topk", "a kind that this target does not give: got 'topk', expected one of auto, factored, dense"),
        (MadeUp(kinds=("dense",), head=None), "factored", "got 'factored', expected one of auto, dense"),
        (MadeUp(), "sparse", "got 'sparse'"),
    ],
)
def test_kinds_that_cannot_be_had(target: MadeUp, kind: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        collection.choose_kind(target, SAMPLE, kind)


def test_a_steady_target_has_no_noise() -> None:
    for kind in ("dense", "factored", "topk"):
        assert measured_noise(MadeUp(), SAMPLE, kind)["kl_nats"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("noise", [1e-3, 1e-2])
def test_noise_is_measured_at_its_size(noise: float) -> None:
    prompts = prompts_of([20] * 8, scored=20)
    measured = measured_noise(MadeUp(noise=noise), prompts, "dense")
    # Logits that differ by d have KL ≈ half of d's variance under p: σ² (1 − Σp²) for the noise of two draws.
    steady = MadeUp().distributions([prompts[0].token_ids], [prompts[0].positions], "dense")[0]
    assert isinstance(steady, DenseBlock)
    expected = noise**2 * float(np.mean(1 - (np.exp(steady.logprobs) ** 2).sum(axis=1)))
    assert measured["kl_nats"] == pytest.approx(expected, rel=0.25)
    assert measured["max_kl_nats"] > measured["kl_nats"]
    listed = measured_noise(MadeUp(noise=noise), prompts, "topk")
    assert 0 < listed["kl_nats"] < 2 * expected
    assert "lower bound" in listed["method"]


def test_half_precision_costs_what_is_reported() -> None:
    cost = collection.rounding_nats(MadeUp(), SAMPLE, "float16")
    assert 0 < cost < 1e-5
    assert collection.rounding_nats(MadeUp(), SAMPLE, "float32") == 0
    block = collection.round_block(DenseBlock(np.log(np.full((1, 4), 0.25))), "float16")
    assert isinstance(block, DenseBlock)
    assert block.logprobs.dtype == np.float16
    factored = FactoredBlock(np.zeros((1, WIDTH), np.float32), HEAD)
    assert collection.round_block(factored, "float16") is factored


def test_bytes_of_a_row() -> None:
    assert collection.row_bytes(MadeUp(), "factored", "float32") == 4 * WIDTH
    assert collection.row_bytes(MadeUp(), "dense", "float16") == 2 * SIZE


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "nonsense"])
def test_other_precisions_are_refused(dtype: str) -> None:
    with pytest.raises(InputError, match=f"--dtype: unknown precision: got '{dtype}', expected float32 or float16"):
        collection.check_dtype(dtype)
