"""`composite:FILE`: several targets composed by a rule into a target of its own, with an identity of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.canonical import canonical_json, digest_value
from foretell.base.errors import ContextError, InputError, VocabularyError
from foretell.distributions import Block, DenseBlock, Head, TokenizedPrompt, Vocabulary
from foretell.targets import collection
from foretell.targets.composing import Answerer, compose
from foretell.targets.composite_definition import COMPOSITE, Definition
from foretell.targets.composite_rules import Pipeline, Pool, Rule
from foretell.targets.target import Target, TargetIdentity

#: Of a part's identity, what a composite is bound to: not its name, which may be a path.
_BOUND = ("weights", "tokenizer", "dtype")


@dataclass(frozen=True)
class OpenPart:
    """A part with its name in the definition."""

    name: str
    target: Target


def open_composite(name: str, definition: Definition, open_part: Callable[[str], Target]) -> CompositeTarget:
    """The composite of a definition, its parts opened, composites among them too.

    Args:
        open_part: from a part's spec to its target.

    Raises:
        InputError: a part that gives its top tokens only.
        VocabularyError: parts with different vocabularies.
        ContextError: a pipeline that writes more than its parts can read.
    """
    opened: list[OpenPart] = []
    for part in definition.parts:
        inner = part.definition
        target = open_part(part.spec) if inner is None else open_composite(part.spec, inner, open_part)
        opened.append(OpenPart(part.name, target))
    return CompositeTarget(name, definition, opened)


class CompositeTarget:
    """Targets composed by a rule. Its distributions are exact: nothing is sampled.

    Args:
        name: the spec, such as 'composite:pool.toml'.
        definition: with its parts in the rule's order.
        parts: the targets of these parts, opened by the caller.

    Raises:
        InputError, VocabularyError, ContextError: as `open_composite`.
    """

    def __init__(self, name: str, definition: Definition, parts: Sequence[OpenPart]) -> None:
        self.definition, self.parts = definition, tuple(parts)
        self._name, self._rule = name, definition.rule
        for part in parts:
            _check_part(name, part, parts[0])
        self.vocabulary: Vocabulary = parts[0].target.vocabulary
        self.context = _context(name, definition, parts)
        self.batch_tokens = min(part.target.batch_tokens for part in parts)
        self.kinds: tuple[str, ...] = ("dense",)
        self.head: Head | None = None

    @cached_property
    def identity(self) -> TargetIdentity:
        """Bound to the rule and to what the parts are: neither names nor paths of parts or files are in its digest."""
        known = [part.target.identity for part in self.parts]
        return TargetIdentity(
            name=self._name,
            weights=digest_value({"settings": self._rule.settings(), "parts": _bound(self._rule, known)}),
            tokenizer=self.vocabulary.digest,
            engine=f"{COMPOSITE} of {' + '.join(sorted({engine for one in known for engine in _engines(one)}))}",
            dtype=" + ".join(sorted({dtype for one in known for dtype in one.dtype.split(" + ")})),
        )

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids as the first part reads the text; all parts have the same tokenizer."""
        return self.parts[0].target.encode(text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        """One dense block a prompt, rows by ascending position."""
        if kind != "dense":
            raise InputError(
                "a kind that this target does not give",
                where=self._name,
                got=repr(kind),
                expected="'dense'",
                fix="Collect with --kind dense.",
            )
        prompts = [
            TokenizedPrompt(str(index), "all", 1.0, str(index), "", tuple(ids), tuple(sorted(wanted)))
            for index, (ids, wanted) in enumerate(zip(batch, positions, strict=True))
        ]
        answerers = [answerer(part.target) for part in self.parts]
        return [DenseBlock(rows) for rows in compose(self._rule, answerers, prompts, self.vocabulary, self._name)]


def answerer(target: Target) -> Answerer:
    """A target as a part of a composition: asked in batches of similar length that it does well with."""

    def answer(prompts: Sequence[TokenizedPrompt]) -> list[NDArray[np.floating]]:
        row_bytes = collection.row_bytes(target, "dense", "float32")
        said: dict[int, NDArray[np.floating]] = {}
        for batch in collection.batches_by_length(prompts, target.batch_tokens, row_bytes):
            for index, block in zip(batch, collection.ask(target, [prompts[i] for i in batch], "dense"), strict=True):
                assert isinstance(block, DenseBlock)
                said[index] = block.logprobs
        return [said[index] for index in range(len(prompts))]

    return answer


def part_records(target: Target) -> list[dict[str, Any]]:
    """The parts of a composite for a record: name, identity, and the parts of a part that is one; [] for others."""
    if not isinstance(target, CompositeTarget):
        return []
    records = []
    for part in target.parts:
        inner = part_records(part.target)
        records.append({"part": part.name} | part.target.identity.record() | ({"parts": inner} if inner else {}))
    return records


def _bound(rule: Rule, known: Sequence[TargetIdentity]) -> list[dict[str, Any]]:
    """What the digest holds of each part; the members of a pool in an order of their own, so that theirs is none."""
    parts: list[dict[str, Any]] = [{field: getattr(one, field) for field in _BOUND} for one in known]
    if not isinstance(rule, Pool):
        return parts
    weighted = [part | {"weight": weight} for part, weight in zip(parts, rule.weights, strict=True)]
    return sorted(weighted, key=canonical_json)


def _engines(identity: TargetIdentity) -> list[str]:
    return identity.engine.removeprefix(f"{COMPOSITE} of ").split(" + ")


def _check_part(name: str, part: OpenPart, first: OpenPart) -> None:
    own, other = part.target.vocabulary, first.target.vocabulary
    if (own.digest, own.size) != (other.digest, other.size):
        raise VocabularyError(
            "parts with different vocabularies",
            where=f"{name}, part {part.name!r}",
            got=f"{own.digest} with {own.size} ids",
            expected=f"{other.digest} with {other.size} ids, as part {first.name!r} has",
            fix="Compose models of one tokenizer; vocabularies are never aligned by guess.",
        )
    if "dense" not in part.target.kinds:
        raise InputError(
            "a part that gives its top tokens only",
            where=f"{name}, part {part.name!r}",
            got=", ".join(part.target.kinds),
            expected="log-probabilities of every token",
            fix="Compose models that can be asked for all of them.",
        )


def _context(name: str, definition: Definition, parts: Sequence[OpenPart]) -> int:
    """The smallest of the parts; a pipeline's writer reads what it wrote but the last token, its reader all of it."""
    contexts = [part.target.context for part in parts]
    rule = definition.rule
    if not isinstance(rule, Pipeline):
        return min(contexts)
    left = min(contexts[0] - rule.tokens + 1, contexts[1] - rule.tokens)
    if left < 1:
        raise ContextError(
            "a pipeline that writes more than its parts can read",
            where=f"{name}: tokens",
            got=str(rule.tokens),
            expected=f"at most {rule.tokens + left - 1}",
            fix="Let the writer write less.",
        )
    return left
