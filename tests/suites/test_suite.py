"""A suite checks itself; scored positions are resolved, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import ContextError, SuiteError
from foretell.suites import Prompt, Scored, Suite, resolve_positions

GOOD = Prompt("a", "text")


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ((), "empty suite: got no prompts"),
        ((GOOD, Prompt("", "text")), r"item 2 \(prompt ''\): a prompt without an id"),
        ((GOOD, Prompt("b", "x"), GOOD), r"item 3 \(prompt 'a'\): duplicate id: got 'a' again"),
        ((Prompt("b", ""),), "empty prompt"),
        ((Prompt("b", "x", weight=0.0),), "bad weight: got 0.0"),
        ((Prompt("b", "x", weight=-1.0),), "bad weight: got -1.0"),
        ((Prompt("b", "x", weight=float("nan")),), "bad weight: got nan"),
        ((Prompt("b", "x", weight=float("inf")),), "bad weight: got inf"),
        ((Prompt("b", "x", scored=()),), r"no scored positions: got \[\]"),
    ],
)
def test_what_is_no_suite(prompts: tuple[Prompt, ...], message: str) -> None:
    with pytest.raises(SuiteError, match=f"^name.*{message}"):
        Suite("name", prompts)


def test_the_digest_is_of_the_rows_in_order_and_not_of_the_name() -> None:
    a, b = Prompt("a", "x"), Prompt("b", "y")
    suite = Suite("one", (a, b))
    assert Suite("two", (a, b)).digest == suite.digest
    others = [(b, a), (a,), (a, Prompt("b", "y", weight=2.0)), (a, Prompt("b", "y", scored="all"))]
    others += [
        (a, Prompt("b", "z")),
        (a, Prompt("c", "y")),
        (a, Prompt("b", "y", slice="s")),
        (a, Prompt("b", "y", document="d")),
    ]
    assert suite.digest not in {Suite("one", prompts).digest for prompts in others}
    assert Suite("one", (a, Prompt("b", "y", document="b"))).digest == suite.digest  # the prompt is its own document


@given(st.integers(1, 12), st.data())
def test_positions_count_from_either_end(tokens: int, data: st.DataObject) -> None:
    wanted = data.draw(st.sets(st.integers(0, tokens - 1), min_size=1))
    spelled = tuple(data.draw(st.sampled_from([t, t - tokens])) for t in wanted)
    assert resolve_positions(Prompt("a", "x", scored=spelled), tokens) == tuple(sorted(wanted))


@pytest.mark.parametrize(("scored", "expected"), [("last", (4,)), ("all", (0, 1, 2, 3, 4))])
def test_words_for_positions(scored: Scored, expected: tuple[int, ...]) -> None:
    assert resolve_positions(Prompt("a", "x", scored=scored), 5) == expected


@pytest.mark.parametrize("scored", [(5,), (-6,), (0, -5), (2, 2)])
def test_positions_that_do_not_fit(scored: tuple[int, ...]) -> None:
    with pytest.raises(ContextError, match=r"prompt 'a': scored positions do not fit the prompt: .* for 5 tokens"):
        resolve_positions(Prompt("a", "x", scored=scored), 5)
