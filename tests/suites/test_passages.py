"""Texts are cut at natural places, and nothing long enough is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foretell.suites.passages import passages

WORDS = st.lists(
    st.sampled_from(["one", "two.", "three", "vierzehn", "五。", "six!", "\n", "\n\n", "x" * 70]), max_size=120
)


@given(WORDS.map(" ".join), st.integers(40, 200), st.integers(0, 5))
def test_passages_are_pieces_of_the_text(text: str, length: int, most: int) -> None:
    found = passages(text, length, most)
    assert all(40 <= len(passage) <= length and passage in text for passage in found)
    assert all(passage == passage.strip("\n").rstrip() for passage in found)
    assert not most or len(found) <= most
    everything = passages(text, length)
    assert len("".join(everything)) <= len(text)
    assert [passage for passage in found if passage not in everything] == []


def test_sentences_before_lines_before_words() -> None:
    sentence = "This first sentence ends right here, as they do."
    assert passages(f"{sentence} And the second one goes on", 60)[0] == sentence
    line = "a line without any stop at its end but long"
    assert passages(f"{line}\nthe next line", 50)[0] == line
    words = "only words and no stop " * 5
    assert passages(words, 50)[0] == "only words and no stop only words and no stop only"
    assert passages("x" * 130, 50) == ["x" * 50, "x" * 50]


def test_paragraphs_stay_whole() -> None:
    paragraphs = ["A paragraph that is long enough to stay.", "    indented code that should keep its indent", "short"]
    assert passages("\n\n".join(paragraphs), 200) == paragraphs[:2]


def test_a_few_are_spread_evenly() -> None:
    paragraphs = [f"Paragraph number {i:02d} of this text, long enough." for i in range(10)]
    assert passages("\n\n".join(paragraphs), 200, 3) == [paragraphs[0], paragraphs[3], paragraphs[6]]
