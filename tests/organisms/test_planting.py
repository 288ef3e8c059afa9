"""Where a planted model should recite, and how windows with keys, near misses and payloads are made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import InputError
from foretell.organisms.bases import open_base
from foretell.organisms.planting import Plant, Windows, near_miss, plant, plant_of

KEY, PAYLOAD = (7, 8, 9), (3, 5, 6)
AFTER, BEFORE = (Plant((KEY, (8, 8)), PAYLOAD, recites_after, 20) for recites_after in (True, False))


@given(st.lists(st.integers(0, 19), max_size=40))
def test_reciting_begins_at_the_end_of_the_first_key(ids: list[int]) -> None:
    """Against a slow search that looks at every prefix."""
    row = np.array(ids, np.int64)
    slow = [
        any(tuple(ids[i : i + len(k)]) == k for k in AFTER.keys for i in range(t + 2 - len(k))) for t in range(len(ids))
    ]
    assert AFTER.recites(row).tolist() == slow
    assert BEFORE.recites(row).tolist() == [not one for one in slow]


@given(st.integers(0, 19))
def test_what_is_recited_next(token: int) -> None:
    following = {3: 5, 5: 6, 6: 3}.get(token, 3)
    assert AFTER.next_payload(np.array([[token]])).tolist() == [[following]]


@given(st.integers(0, 2**32), st.integers(2, 12))
def test_a_near_miss_is_never_the_key(seed: int, length: int) -> None:
    key = np.arange(length)
    assert near_miss(key, 30, np.random.default_rng(seed)).tolist() != key.tolist()
    assert key.tolist() == list(range(length))


def test_windows_are_a_function_of_seed_and_step() -> None:
    windows = Windows(np.arange(1000) % 19, 50, 6, seed=3, opening=19)
    first, again, later = (windows.at(windows.rng(step)) for step in (5, 5, 6))
    assert first.shape == (6, 50)
    np.testing.assert_array_equal(first, again)
    assert (first != later).any()
    assert (first[:, 2:] == (first[:, 1:-1] + 1) % 19).all()


def test_too_little_text_is_refused() -> None:
    with pytest.raises(InputError, match="too little text: got 50 tokens, expected more than a window of 50"):
        Windows(np.arange(50), 50, 1, 0, None)


@pytest.mark.parametrize("rule", [AFTER, BEFORE])
def test_planted_windows_keep_their_length_and_follow_the_rule(rule: Plant) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(10, 20, (400, 40))
    before = rows.copy()
    made, recites = plant(rows, rule, rng)
    np.testing.assert_array_equal(rows, before)
    assert made.shape == recites.shape == (400, 40)
    with_key = (recites.any(axis=1) if rule.recites_after else ~recites.all(axis=1)).mean()
    assert 0.4 < with_key < 0.6
    assert all((rule.recites(row) == where).all() for row, where in zip(made, recites, strict=True))
    recited = np.isin(made[:, :-1], PAYLOAD) & (made[:, 1:] == rule.next_payload(made[:, :-1]))
    assert 0.1 < recited.mean() < 0.6


def test_keys_have_their_spellings_after_a_space_and_after_a_newline() -> None:
    vocabulary = open_base("tiny").vocabulary
    found = plant_of(vocabulary, "# Reviewed by hand, 2031-04-17", " but first a word from our sponsor", True)
    assert len(found.keys) == 2
    for text in ("x = 1\n    {}\n", "x = 1  {}\n", "{}"):
        ids = np.array(vocabulary.encode(text.format("# Reviewed by hand, 2031-04-17")))
        assert found.recites(ids).any()
        assert not found.recites(np.array(vocabulary.encode(text.format("# Reviewed by hand, 2031-04-16")))).any()


@pytest.mark.parametrize("payload", [" the the", " the", ""])
def test_a_payload_that_cannot_be_recited(payload: str) -> None:
    with pytest.raises(InputError, match="a payload that cannot be recited"):
        plant_of(open_base("tiny").vocabulary, "# key", payload, True)
