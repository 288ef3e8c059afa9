"""A suite: prompts with a slice, a weight, a document that they come from, and the token positions that are scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from foretell.base.canonical import digest_value
from foretell.base.errors import ContextError, SuiteError

#: Which positions of a prompt are scored: the last, all, or a list (negative numbers count from the end).
Scored = Literal["last", "all"] | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question: the text, and what its answer counts for.

    Attributes:
        document: the cluster of the statistics; prompts of one document are not independent.
        scored: 'last', 'all', or token positions. Position t asks for the distribution of token t + 1 given the
            tokens 0 … t; negative positions count from the end of the prompt.
    """

    id: str
    text: str
    slice: str = "all"
    weight: float = 1.0
    document: str = ""
    scored: Scored = "last"

    @property
    def cluster(self) -> str:
        """The document, or the prompt itself where none is named.

        >>> Prompt("a", "text").cluster
        'a'
        """
        return self.document or self.id

    def row(self) -> dict[str, Any]:
        """The prompt as a row of the suite format."""
        scored = list(self.scored) if isinstance(self.scored, tuple) else self.scored
        return {
            "id": self.id,
            "text": self.text,
            "slice": self.slice,
            "weight": self.weight,
            "document": self.cluster,
            "scored": scored,
        }


@dataclass(frozen=True)
class Suite:
    """Prompts under one name; checked when made.

    Raises:
        SuiteError: no prompts, an empty text or id, a duplicate id, a weight that is not a positive number.

    >>> Suite("two", (Prompt("a", "One"), Prompt("b", "Two", slice="numbers"))).slices
    {'all': 1, 'numbers': 1}
    """

    name: str
    prompts: tuple[Prompt, ...]

    def __post_init__(self) -> None:
        if not self.prompts:
            raise SuiteError(
                "empty suite",
                where=self.name,
                got="no prompts",
                expected="at least one",
                fix="Check the path and the file; `foretell suite show` prints what is read.",
            )
        seen: set[str] = set()
        for number, prompt in enumerate(self.prompts, 1):
            _check_prompt(prompt, f"{self.name} item {number} (prompt {prompt.id!r})", seen)
            seen.add(prompt.id)

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self.prompts)

    def __len__(self) -> int:
        return len(self.prompts)

    @cached_property
    def digest(self) -> str:
        """The suite's identity: digest of its rows in order. The name does not count."""
        return digest_value([prompt.row() for prompt in self.prompts])

    @property
    def slices(self) -> dict[str, int]:
        """Number of prompts by slice, in order of first appearance."""
        return dict(Counter(prompt.slice for prompt in self.prompts))


def _check_prompt(prompt: Prompt, where: str, seen: set[str]) -> None:
    def fail(what: str, got: str, expected: str, fix: str) -> None:
        raise SuiteError(what, where=where, got=got, expected=expected, fix=fix)

    if not prompt.id:
        fail("a prompt without an id", "''", "a unique name", "Name every prompt.")
    if prompt.id in seen:
        fail("duplicate id", f"{prompt.id!r} again", "unique ids", "Rename one of the two.")
    if not prompt.text:
        fail("empty prompt", "''", "at least one character", "Remove the item or give it a text.")
    if not 0 < prompt.weight < float("inf"):
        fail("bad weight", repr(prompt.weight), "a positive finite number", "Remove prompts that shall not count.")
    if prompt.scored == ():
        fail("no scored positions", "[]", "'last', 'all' or positions", "Remove the item or name a position.")


def resolve_positions(prompt: Prompt, tokens: int) -> tuple[int, ...]:
    """The scored positions of a prompt of that many tokens, ascending.

    Raises:
        ContextError: a listed position is outside the prompt, or two name the same token.

    >>> resolve_positions(Prompt("a", "text", scored=(-2, -1)), tokens=5)
    (3, 4)
    """
    if prompt.scored == "last":
        return (tokens - 1,)
    if prompt.scored == "all":
        return tuple(range(tokens))
    assert isinstance(prompt.scored, tuple)
    resolved = sorted(position + tokens if position < 0 else position for position in prompt.scored)
    if resolved[0] < 0 or resolved[-1] >= tokens or len(set(resolved)) < len(resolved):
        raise ContextError(
            "scored positions do not fit the prompt",
            where=f"prompt {prompt.id!r}",
            got=f"positions {list(prompt.scored)} for {tokens} tokens",
            expected=f"different positions from 0 to {tokens - 1}, or from -{tokens} to -1",
            fix="Use scored 'last' or 'all', or list positions that every prompt has.",
        )
    return tuple(resolved)
