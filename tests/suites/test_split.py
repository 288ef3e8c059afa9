"""Halves share no document, and overlap is refused with the prompts named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foretell.base.errors import InputError, SuiteError
from foretell.distributions import TokenizedPrompt
from foretell.suites import Prompt, Suite, load_suite
from foretell.suites.split import halves, require_disjoint

ONE, TWO = Prompt("a", "One", document="book"), Prompt("b", "Two")


def test_the_built_in_suite_is_halved_by_documents_and_slices() -> None:
    whole = load_suite("foretell-300")
    practice, judged = halves(whole)
    require_disjoint(practice, judged)
    assert {prompt.id for prompt in practice} | {prompt.id for prompt in judged} == {prompt.id for prompt in whole}
    assert len(practice) + len(judged) == len(whole)
    assert all(abs(practice.slices[name] - judged.slices[name]) <= 2 for name in whole.slices)
    assert (practice.name, judged.name) == ("foretell-300-practice", "foretell-300-judged")


def test_a_suite_of_one_document_cannot_be_halved() -> None:
    with pytest.raises(SuiteError, match=r"no two documents in a slice, of 1 in all.*Give a practice suite"):
        halves(Suite("one", (ONE, replace(ONE, id="c", text="Three"))))


@pytest.mark.parametrize(
    ("practised", "said"),
    [
        (Prompt("b", "Other"), r"'b' \(same id\)"),
        (Prompt("x", "Two"), r"'b' \(same text\)"),
        (Prompt("x", "Other", document="book"), r"'a' \(same document\)"),
        (TokenizedPrompt("x", "all", 1.0, "book", "Other", (1,), (0,)), r"'a' \(same document\)"),
    ],
)
def test_what_was_practised_on_is_not_judged(practised: Prompt | TokenizedPrompt, said: str) -> None:
    with pytest.raises(InputError, match=f"1 judged prompts that were practised on: {said}"):
        require_disjoint([practised, Prompt("y", "Something else")], [ONE, TWO])


def test_many_that_overlap_are_counted() -> None:
    suite = [Prompt(str(i), f"text {i}") for i in range(9)]
    with pytest.raises(InputError, match=r"9 judged prompts .*; and 4 more"):
        require_disjoint(suite, suite)


def test_a_document_that_is_named_like_a_prompt_overlaps_with_it() -> None:
    with pytest.raises(InputError, match=r"'b' \(same document\)"):
        require_disjoint([Prompt("x", "Other", document="b")], [TWO])
