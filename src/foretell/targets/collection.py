"""How a truth is collected: prompts to tokens, batches by length, and what is measured on a sample beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from foretell.base.errors import ContextError, DistributionError, InputError
from foretell.distributions import (
    Block,
    DenseBlock,
    FactoredBlock,
    TokenizedPrompt,
    TopKBlock,
    block_kind,
)
from foretell.suites import Suite, resolve_positions
from foretell.targets.target import Target

#: A shard holds at most this much, so that nothing is lost but minutes when a run is killed.
SHARD_BYTES = 128 << 20
#: The target's best kind.
AUTO = "auto"
#: Precisions of stored dense log-probabilities.
DTYPES = ("float32", "float16")
#: Prompts that noise, head and rounding are measured on, at this many of their scored positions at most.
_SAMPLE, _SAMPLE_POSITIONS = 8, 32
#: Every so many of them is asked whether hidden states rebuild the target's log-probabilities.
_HEAD_STEP = 4
#: Rebuilt log-probabilities may differ from the model's own by this much, in nats, for a factored truth.
HEAD_TOLERANCE_NATS = 1e-4


def tokenize(suite: Suite, encode: Callable[[str], Sequence[int]], context: int | None) -> list[TokenizedPrompt]:
    """The suite's prompts as token ids with their scored positions.

    Raises:
        ContextError: a prompt has no token, more than the context, or too few for its scored positions.
    """
    prompts = []
    for prompt in suite:
        tokens = tuple(int(token) for token in encode(prompt.text))
        if not tokens or (context is not None and len(tokens) > context):
            raise ContextError(
                "a prompt that the target cannot read",
                where=f"{suite.name} prompt {prompt.id!r}",
                got=f"{len(tokens)} tokens",
                expected=f"from 1 to {context}" if context else "at least 1",
                fix="Shorten or remove the prompt, or choose a target with a longer context.",
            )
        positions = resolve_positions(prompt, len(tokens))
        prompts.append(
            TokenizedPrompt(prompt.id, prompt.slice, prompt.weight, prompt.cluster, prompt.text, tokens, positions)
        )
    return prompts


def batches_by_length(prompts: Sequence[TokenizedPrompt], batch_tokens: int, row_bytes: int) -> list[list[int]]:
    """Prompt indices in batches of similar length, so that little is padded; each becomes one shard.

    The plan depends on the prompts alone, so a run that goes on makes the batches of the run that was stopped.
    """
    order = sorted(range(len(prompts)), key=lambda index: (len(prompts[index].token_ids), index))
    plan: list[list[int]] = []
    rows = 0
    for index in order:
        size, new_rows = len(prompts[index].token_ids), len(prompts[index].positions)
        full = plan and ((len(plan[-1]) + 1) * size > batch_tokens or (rows + new_rows) * row_bytes > SHARD_BYTES)
        if not plan or full:
            plan.append([])
            rows = 0
        plan[-1].append(index)
        rows += new_rows
    return plan


def sample_of(prompts: Sequence[TokenizedPrompt]) -> list[TokenizedPrompt]:
    """A few prompts of all lengths, the shortest and the longest among them, for measuring.

    Of prompts with many scored positions only some are kept, evenly spaced: measuring takes no more memory for those.
    """
    order = sorted(prompts, key=lambda prompt: (len(prompt.token_ids), prompt.id))
    count = min(_SAMPLE, len(order))
    chosen = [order[index * (len(order) - 1) // max(count - 1, 1)] for index in range(count)]
    return [replace(prompt, positions=_spaced(prompt.positions)) for prompt in chosen]


def _spaced(positions: tuple[int, ...]) -> tuple[int, ...]:
    count = min(_SAMPLE_POSITIONS, len(positions))
    return tuple(positions[index * (len(positions) - 1) // max(count - 1, 1)] for index in range(count))


def ask(target: Target, prompts: Sequence[TokenizedPrompt], kind: str) -> list[Block]:
    """One block a prompt, in one batch."""
    return target.distributions([p.token_ids for p in prompts], [p.positions for p in prompts], kind)


def choose_kind(target: Target, sample: Sequence[TokenizedPrompt], wanted: str) -> tuple[str, dict[str, Any]]:
    """The kind to store, and what was measured about it.

    'auto' is the target's best kind; factored only where hidden states rebuild its own log-probabilities.

    Raises:
        InputError: the target does not give that kind, or hidden states do not rebuild its log-probabilities.
    """
    if wanted not in (AUTO, *target.kinds):
        raise InputError(
            "a kind that this target does not give",
            where=f"--kind, target {target.identity.name}",
            got=repr(wanted),
            expected="one of " + ", ".join((AUTO, *target.kinds)),
            fix="Leave --kind out: auto takes the most exact kind that is small.",
        )
    chosen = target.kinds[0] if wanted == AUTO else wanted
    if chosen != "factored":
        return chosen, {}
    error = head_error_nats(target, sample[::_HEAD_STEP])
    if error <= HEAD_TOLERANCE_NATS:
        return chosen, {"factored_error_nats": error}
    if wanted == AUTO:
        return "dense", {"factored_refused": f"rebuilt log-probabilities are off by {error:.3g} nats"}
    raise InputError(
        "cannot be factored",
        where=target.identity.name,
        got=f"rebuilt log-probabilities off by {error:.3g} nats",
        expected=f"hidden states that rebuild them within {HEAD_TOLERANCE_NATS} nats",
        fix="Collect with --kind dense.",
    )


def check_dtype(dtype: str) -> None:
    """Refuse a precision that dense log-probabilities are not stored in.

    Raises:
        InputError: as said.
    """
    if dtype not in DTYPES:
        raise InputError(
            "unknown precision",
            where="--dtype",
            got=repr(dtype),
            expected=" or ".join(DTYPES),
            fix="Leave it out: the default is float32.",
        )


def head_error_nats(target: Target, sample: Sequence[TokenizedPrompt]) -> float:
    """Largest difference between the target's own log-probabilities and those rebuilt from its hidden states.

    Tokens below e⁻³⁰ do not count: no score can see them.
    """
    worst = 0.0
    for own, factored in zip(ask(target, sample, "dense"), ask(target, sample, "factored"), strict=True):
        assert isinstance(own, DenseBlock)
        rebuilt, known = _log_probabilities(factored), _log_probabilities(own)
        worst = max(worst, float(np.abs(rebuilt - known)[known > -30].max()))
    return worst


def noise_floor(target: Target, sample: Sequence[TokenizedPrompt], stored: Sequence[Block]) -> dict[str, Any]:
    """How far the target is from itself, as KL divergence in nats: each sampled prompt is asked again, alone, and
    compared with what is stored of it, which was asked in a batch and may have been rounded.

    Args:
        stored: one block a prompt, of its sampled positions.

    Returns:
        Mean over prompts (each the mean of its positions), the largest position, and how it was measured.

    Raises:
        DistributionError: the two are infinitely far apart, or not numbers.
    """
    means, largest = [], 0.0
    for prompt, block in zip(sample, stored, strict=True):
        kl = _self_divergence(ask(target, [prompt], block_kind(block))[0], block)
        means.append(float(kl.mean()))
        largest = max(largest, float(kl.max()))
    method = f"{len(sample)} prompts, each asked again alone, against what is stored"
    if isinstance(stored[0], TopKBlock):
        method += "; listed tokens and the rest as one (a lower bound)"
    if not np.isfinite(means).all():
        raise DistributionError(
            "a target that contradicts itself",
            where=f"target {target.identity.name}, prompt {sample[int(np.argmin(np.isfinite(means)))].id!r}",
            got="NaN, or probability 0 at one time and not at another",
            expected="about the same log-probabilities alone and in a batch",
            fix="Try another engine or float32; with such a target nothing can be measured.",
        )
    return {"kl_nats": float(np.mean(means)), "max_kl_nats": largest, "method": method}


def round_block(block: Block, dtype: str) -> Block:
    """A dense block in the precision that it is stored in; other kinds as they are."""
    if isinstance(block, DenseBlock) and block.logprobs.dtype != np.dtype(dtype):
        return DenseBlock(block.logprobs.astype(dtype))
    return block


def rounding_nats(target: Target, sample: Sequence[TokenizedPrompt], dtype: str) -> float:
    """Mean KL divergence, in nats, from the target's distributions to what is stored of them in the dtype."""
    blocks = ask(target, sample, "dense")
    return float(np.mean([_self_divergence(block, round_block(block, dtype)).mean() for block in blocks]))


def row_bytes(target: Target, kind: str, dtype: str) -> int:
    """What one position takes in a shard."""
    if kind == "factored" and target.head is not None:
        return 4 * int(target.head.weight.shape[1])
    return int(np.dtype(dtype).itemsize) * target.vocabulary.size if kind == "dense" else 4096


def _self_divergence(a: Block, b: Block) -> np.ndarray:
    if isinstance(a, TopKBlock) and isinstance(b, TopKBlock):
        return np.array([_merged_divergence(a, b, row) for row in range(len(a))])
    p, q = _log_probabilities(a), _log_probabilities(b)
    # Every term p (e^-d - 1 + d) is non-negative, so differences near rounding do not cancel.
    d = p - q
    return np.asarray((np.exp(p) * (np.expm1(-d) + d)).sum(axis=1))


def _merged_divergence(a: TopKBlock, b: TopKBlock, row: int) -> float:
    p = dict(zip(a.token_ids[row].tolist(), np.exp(a.logprobs[row].astype(float)).tolist(), strict=True))
    q = dict(zip(b.token_ids[row].tolist(), np.exp(b.logprobs[row].astype(float)).tolist(), strict=True))
    both = [token for token in p if token in q and token >= 0 and p[token] > 0]
    rest = 1 - sum(p[token] for token in both), 1 - sum(q[token] for token in both)
    total = sum(p[token] * np.log(p[token] / q[token]) for token in both)
    return float(max(0.0, total + (rest[0] * np.log(rest[0] / rest[1]) if min(rest) > 0 else 0.0)))


def _log_probabilities(block: Block) -> np.ndarray:
    assert isinstance(block, DenseBlock | FactoredBlock), block_kind(block)
    values = block.logprobs if isinstance(block, DenseBlock) else block.head.logits(block.hidden)
    values = values.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))
