"""How a composite computes: its rule applied to what its parts say, whether these are models or forecasts of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import DistributionError
from foretell.distributions import TokenizedPrompt, Vocabulary
from foretell.distributions.combining import (
    Logs,
    best_of_n,
    draft_and_verify,
    linear_pool,
    log_normalised,
    logarithmic_pool,
)
from foretell.targets.composite_rules import (
    BestOfN,
    ConfidenceRouter,
    DraftAndVerify,
    LinearPool,
    LogarithmicPool,
    PatternRouter,
    Pipeline,
    Rule,
)

#: From prompts to log-probabilities of each one's scored positions, (positions, vocabulary), normalised.
Answerer = Callable[[Sequence[TokenizedPrompt]], list[NDArray[np.floating]]]
#: Positions that are combined at a time, in float64.
_ROWS = 64


def compose(
    rule: Rule, parts: Sequence[Answerer], prompts: Sequence[TokenizedPrompt], vocabulary: Vocabulary, name: str
) -> list[NDArray[np.float32]]:
    """What a composite says: one array a prompt, (positions, vocabulary), rows in the order of the prompt's positions.

    Row t depends on the tokens 0 … t only, for every rule. All rules but the pipeline ask each part the prompts as
    they are, and once.

    Args:
        parts: in the rule's order.
        name: of the composite, for an error.

    Raises:
        DistributionError: a logarithmic pool whose parts rule out each other's tokens.
    """
    if isinstance(rule, Pipeline):
        writer, reader = parts
        asked = readings(prompts, scratchpads(rule, writer, prompts), vocabulary)
        rows = (log_normalised(said)[0] for said in reader([one for own in asked for one in own]))
        return [np.stack([next(rows) for _ in own]).astype(np.float32) for own in asked]
    answers = [part(prompts) for part in parts]
    return [
        _combined(rule, prompt, said, vocabulary, name)
        for prompt, said in zip(prompts, zip(*answers, strict=True), strict=True)
    ]


def _combined(
    rule: Rule, prompt: TokenizedPrompt, said: Sequence[NDArray[np.floating]], vocabulary: Vocabulary, name: str
) -> NDArray[np.float32]:
    result = np.empty(said[0].shape, np.float32)
    combine = _combiner(rule, prompt, vocabulary)
    for start in range(0, len(result), _ROWS):
        part = slice(start, start + _ROWS)
        result[part] = combine([log_normalised(logs[part]) for logs in said], prompt.positions[part])
    if np.isnan(result).any():
        position = prompt.positions[int(np.argmax(np.isnan(result).any(axis=1)))]
        raise DistributionError(
            "nothing left in the pool",
            where=f"{name} (prompt {prompt.id!r} position {position})",
            got="parts that rule out each other's tokens",
            expected="at least one token with mass from every part",
            fix="Use a linear pool.",
        )
    return result


def _combiner(
    rule: Rule, prompt: TokenizedPrompt, vocabulary: Vocabulary
) -> Callable[[Sequence[Logs], Sequence[int]], Logs]:
    """The rule as a function of the parts' log-probabilities at some positions of a prompt."""
    match rule:
        case LinearPool():
            return lambda logs, _: linear_pool(logs, rule.weights)
        case LogarithmicPool():
            return lambda logs, _: logarithmic_pool(logs, rule.weights)
        case BestOfN():
            return lambda logs, _: best_of_n(logs[0], logs[1], rule.n)
        case DraftAndVerify():
            return lambda logs, _: draft_and_verify(logs[0], logs[1], rule.lenience)
        case ConfidenceRouter():
            return lambda logs, _: _routed(logs[0].max(axis=1) >= np.log(rule.threshold), logs)
        case PatternRouter():
            found = partial(_found, re.compile(rule.pattern), prompt, vocabulary)
            return lambda logs, positions: _routed(np.array([found(at) for at in positions]), logs)
        case _:
            raise AssertionError(f"no way to compute {rule!r}")


def _routed(first: NDArray[np.bool_], logs: Sequence[Logs]) -> Logs:
    return np.asarray(np.where(first[:, None], logs[0], logs[1]))


def _found(pattern: re.Pattern[str], prompt: TokenizedPrompt, vocabulary: Vocabulary, position: int) -> bool:
    """Whether a pattern is found in the text of the tokens 0 … position; broken characters at its end are U+FFFD."""
    text = b"".join(vocabulary.token_bytes[token] for token in prompt.token_ids[: position + 1])
    return pattern.search(text.decode("utf-8", errors="replace")) is not None


def scratchpads(
    rule: Pipeline, writer: Answerer, prompts: Sequence[TokenizedPrompt]
) -> list[tuple[tuple[int, ...], ...]]:
    """What a pipeline's writer goes on with: for each prompt, at each scored position, so many likeliest tokens.

    At every step the writer reads the tokens up to that position and what it has written so far.
    """
    prefixes = [(prompt, prompt.token_ids[: at + 1]) for prompt in prompts for at in prompt.positions]
    written: list[tuple[int, ...]] = [() for _ in prefixes]
    for _ in range(rule.tokens):
        asked = [_question(prompt, (*ids, *more)) for (prompt, ids), more in zip(prefixes, written, strict=True)]
        # Of equally likely tokens that with the lowest id.
        written = [(*more, int(np.argmax(said[0]))) for more, said in zip(written, writer(asked), strict=True)]
    each = iter(written)
    return [tuple(next(each) for _ in prompt.positions) for prompt in prompts]


def readings(
    prompts: Sequence[TokenizedPrompt], written: Sequence[Sequence[tuple[int, ...]]], vocabulary: Vocabulary
) -> list[list[TokenizedPrompt]]:
    """What a pipeline's reader reads for each prompt, at each scored position; it is asked about the last token.

    First the tokens that open every text, then what was written, then the rest of the prompt up to that position.
    """
    empty = vocabulary.encode("")
    found: list[list[TokenizedPrompt]] = []
    for prompt, own in zip(prompts, written, strict=True):
        found.append([])
        for at, more in zip(prompt.positions, own, strict=True):
            ids = prompt.token_ids[: at + 1]
            opening = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ids, empty, strict=False)))
            found[-1].append(_question(prompt, (*ids[:opening], *more, *ids[opening:])))
    return found


def _question(prompt: TokenizedPrompt, token_ids: tuple[int, ...]) -> TokenizedPrompt:
    last = len(token_ids) - 1
    return replace(prompt, id=f"{prompt.id} … {len(token_ids)}", token_ids=token_ids, positions=(last,))
