"""Practice and judgement apart: a suite in two halves that share no document, and the check that two suites are so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from foretell.base.errors import InputError, SuiteError
from foretell.distributions import TokenizedPrompt
from foretell.suites.suite import Prompt, Suite

#: How many prompts an error names.
_MOST_NAMED = 5


def halves(suite: Suite) -> tuple[Suite, Suite]:
    """The practice half and the judged half of a suite: in each slice, documents by turns, in the suite's order.

    A document goes to one half with all its prompts; it counts to the slice of its first. Slices begin by turns with
    practice and judgement, so that the halves are of about one size.

    Raises:
        SuiteError: fewer than two documents.

    >>> suite = Suite("four", tuple(Prompt(str(i), f"text {i}", slice="ab"[i % 2]) for i in range(4)))
    >>> [[prompt.id for prompt in half] for half in halves(suite)]
    [['0', '3'], ['1', '2']]
    """
    side: dict[str, int] = {}
    turns: dict[str, int] = {}
    for prompt in suite:
        if prompt.cluster not in side:
            turn = turns.setdefault(prompt.slice, len(turns))
            side[prompt.cluster], turns[prompt.slice] = turn % 2, turn + 1
    parts = [tuple(prompt for prompt in suite if side[prompt.cluster] == half) for half in (0, 1)]
    if not all(parts):
        raise SuiteError(
            "a suite that cannot be halved",
            where=suite.name,
            got=f"no two documents in a slice, of {len(side)} in all",
            expected="a slice with two documents or more",
            fix="Give a practice suite of its own.",
        )
    return Suite(f"{suite.name}-practice", parts[0]), Suite(f"{suite.name}-judged", parts[1])


def require_disjoint(practice: Iterable[Prompt | TokenizedPrompt], judged: Iterable[Prompt | TokenizedPrompt]) -> None:
    """Refuse to practise on what is judged: no prompt (by id or by text) and no document may be on both sides.

    Raises:
        InputError: as said, with the judged prompts that are known from practice.

    >>> require_disjoint([Prompt("a", "One")], [Prompt("b", "Two")])
    """
    known: Mapping[str, set[str]] = {"id": set(), "text": set(), "document": set()}
    for prompt in practice:
        for part, value in _parts(prompt).items():
            known[part].add(value)
    shared = {prompt.id: [part for part, value in _parts(prompt).items() if value in known[part]] for prompt in judged}
    shared = {name: parts for name, parts in shared.items() if parts}
    if shared:
        named = "; ".join(f"{name!r} (same {parts[0]})" for name, parts in list(shared.items())[:_MOST_NAMED])
        more = f"; and {len(shared) - _MOST_NAMED} more" if len(shared) > _MOST_NAMED else ""
        raise InputError(
            "practice overlaps with what is judged",
            where="--practice",
            got=f"{len(shared)} judged prompts that were practised on: {named}{more}",
            expected="no prompt, text or document on both sides",
            fix="Practise on other prompts: weights that were fitted on the judged ones make every number too good.",
        )


def _parts(prompt: Prompt | TokenizedPrompt) -> dict[str, Any]:
    document = prompt.cluster if isinstance(prompt, Prompt) else prompt.document
    return {"id": prompt.id, "text": prompt.text, "document": document}
