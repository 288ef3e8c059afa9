"""Benchmark `collect`: tokens a second of collecting a truth, beside bare forward passes of the same batches."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.record import Findings, Variant, Work, take_turns
from foretell.distributions import TokenizedPrompt
from foretell.evaluation import collect
from foretell.suites import Suite, load_suite
from foretell.targets import collection
from foretell.targets.onnx_target import OnnxTarget
from foretell.targets.specs import open_target
from foretell.targets.target import Target

_GOAL = "at least 0.9 of the tokens a second of bare forward passes"
_SUITE = "foretell-300"
_QUICK_PROMPTS, _LARGE_PROMPTS = 20, 100
#: The suite this many times over (under new ids), so that what is measured once a truth does not dominate.
_TINY_COPIES = 3


def main(findings: Findings, *, quick: bool, rounds: int) -> None:
    """Measure and add to the findings."""
    suite = load_suite(_SUITE)
    tiny = open_target("tiny")
    small = _part(suite, _QUICK_PROMPTS)
    for part in [small] if quick else [suite, _repeated(suite, _TINY_COPIES)]:
        for kind in ("factored", "dense"):
            findings.works.append(_measure(tiny, part, kind, _bare_onnx, rounds))
    if quick:
        findings.notes.append("SmolLM2 was left out (--quick).")
        return
    smollm2 = open_target("smollm2")
    findings.works.append(_measure(smollm2, _part(suite, _LARGE_PROMPTS), "factored", _bare_torch, rounds))


def _part(suite: Suite, count: int) -> Suite:
    """Every n-th prompt, so that all slices are there."""
    step = len(suite) // count
    return Suite(f"{suite.name}, {count} prompts", suite.prompts[::step][:count])


def _repeated(suite: Suite, copies: int) -> Suite:
    prompts = [
        type(prompt)(f"{prompt.id}/{copy}", prompt.text, prompt.slice, scored=prompt.scored)
        for copy in range(copies)
        for prompt in suite
    ]
    return Suite(f"{suite.name}, {copies} times over", tuple(prompts))


_Bare = Callable[[Any, list[list[TokenizedPrompt]]], list[Variant]]


def _measure(target: Target, suite: Suite, kind: str, bare: _Bare, rounds: int) -> Work:
    prompts = collection.tokenize(suite, target.encode, target.context)
    plan = collection.batches_by_length(
        prompts, target.batch_tokens, collection.row_bytes(target, kind, np.dtype(np.float32).name)
    )
    batches = [[prompts[index] for index in batch] for batch in plan]
    tokens = sum(len(prompt.token_ids) for prompt in prompts)
    positions = sum(len(prompt.positions) for prompt in prompts)
    with tempfile.TemporaryDirectory() as folder:
        names = (Path(folder) / str(number) for number in itertools.count())
        own = Variant(
            f"foretell collect, {kind}",
            "foretell",
            lambda: collect(target, suite, next(names), kind=kind),
            note="tokenizing, checks, noise floor, shards and manifest on disk",
        )
        records = take_turns([own, *bare(target, batches)], rounds)
    return Work(
        f"collect: {target.identity.name}, {suite.name}, {kind}",
        records,
        _GOAL,
        tokens,
        "tokens",
        (f"{len(prompts):,} prompts, {tokens:,} tokens, {positions:,} scored positions, {len(batches)} batches.",),
    )


def _bare_onnx(target: OnnxTarget, batches: list[list[TokenizedPrompt]]) -> list[Variant]:
    """The session alone, on inputs that lie ready."""
    session = target._session
    wanted = {item.name for item in session.get_inputs()}
    feeds = []
    for batch in batches:
        ids, mask = _padded(batch)
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": np.indices(ids.shape)[1]}
        feeds.append({name: given[name] for name in wanted})

    def run(output: str) -> Callable[[], object]:
        return lambda: [session.run([output], feed) for feed in feeds]

    return [
        Variant("bare forward passes to logits", "peer", run("logits"), note="`InferenceSession.run`"),
        Variant("bare forward passes to hidden states", "limit", run("hidden"), note="without the output layer"),
    ]


def _bare_torch(target: Any, batches: list[list[TokenizedPrompt]]) -> list[Variant]:
    """The model alone, on inputs that lie ready."""
    model = target.model
    inputs = [torch.from_numpy(_padded(batch)[0]) for batch in batches]

    def run(module: Any) -> Callable[[], None]:
        def passes() -> None:
            with torch.inference_mode():
                for ids in inputs:
                    module(input_ids=ids, use_cache=False)

        return passes

    return [
        Variant("bare forward passes to logits", "peer", run(model), note="`model(input_ids)` in inference mode"),
        Variant(
            "bare forward passes to hidden states", "limit", run(model.base_model), note="without the output layer"
        ),
    ]


def _padded(batch: list[TokenizedPrompt]) -> tuple[np.ndarray, np.ndarray]:
    ids = np.zeros((len(batch), max(len(prompt.token_ids) for prompt in batch)), np.int64)
    mask = np.zeros_like(ids)
    for row, prompt in enumerate(batch):
        ids[row, : len(prompt.token_ids)], mask[row, : len(prompt.token_ids)] = prompt.token_ids, 1
    return ids, mask
