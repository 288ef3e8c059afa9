"""The draw and the cards: stratified, disjoint, repeatable, and the same by a slow textbook way."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import ForgeryError, OrderError
from foretell.verifier.prompts import Cards, draw_indices

SLICES = st.lists(st.sampled_from(["code", "facts", "prose"]), min_size=1, max_size=60)


def cards_of(slices: list[str]) -> Cards:
    return Cards("pool", tuple(slices), tuple(hashlib.sha256(str(i).encode()).hexdigest() for i in range(len(slices))))


def slow_draw(cards: Cards, used: set[int], count: int, charter: str, attempt: int) -> list[int]:
    """The rule of design/0008 in other words."""
    name = b"foretell draw 1\0" + json.dumps([cards.root, charter, attempt], separators=(",", ":")).encode()
    fresh = [i for i in range(len(cards.slices)) if i not in used]
    exact = {s: count * sum(cards.slices[i] == s for i in fresh) / len(fresh) for s in cards.slices}
    shares = {s: int(share + 1e-9) for s, share in exact.items()}
    while sum(shares.values()) < count:
        most = max(exact[s] - shares[s] for s in exact)
        shares[min(s for s in exact if exact[s] - shares[s] > most - 1e-9)] += 1
    chosen = []
    for s, share in shares.items():
        lots = sorted((hashlib.sha256(name + i.to_bytes(8, "big")).digest(), i) for i in fresh if cards.slices[i] == s)
        chosen += [i for _, i in lots[:share]]
    return sorted(chosen)


@given(SLICES, st.data())
def test_the_draw_follows_the_rule(slices: list[str], data: st.DataObject) -> None:
    cards = cards_of(slices)
    used = data.draw(st.sets(st.integers(0, len(slices) - 1), max_size=len(slices) - 1))
    count = data.draw(st.integers(1, len(slices) - len(used)))
    drawn = draw_indices(cards, used, count, "sha256:00", 3)
    assert list(drawn) == slow_draw(cards, used, count, "sha256:00", 3)
    assert len(drawn) == len(set(drawn)) == count
    assert not set(drawn) & used


def test_attempts_and_charters_draw_differently() -> None:
    cards = cards_of(["code", "facts"] * 50)
    draws = {draw_indices(cards, set(), 10, f"sha256:{charter}", attempt) for charter in "abc" for attempt in (1, 2)}
    assert len(draws) == 6


def test_every_prompt_is_drawn_about_as_often() -> None:
    cards = cards_of(["code"] * 10)
    counts = [0] * 10
    for attempt in range(2000):
        for index in draw_indices(cards, set(), 3, "sha256:00", attempt):
            counts[index] += 1
    # 600 expected each, standard deviation about 20: five of them.
    assert all(abs(count - 600) < 100 for count in counts)


def test_a_pool_runs_out() -> None:
    cards = cards_of(["code"] * 4)
    with pytest.raises(OrderError, match="the pool is used up: got 1 prompts that no attempt used, expected 2"):
        draw_indices(cards, {0, 1, 2}, 2, "sha256:00", 1)


def test_cards_read_back() -> None:
    cards = cards_of(["code", "facts"])
    assert Cards.parse(cards.write(), cards.root, "cards") == cards
    relabelled = Cards(cards.name, ("code", "code"), cards.commitments)
    for forged in (relabelled.write(), b"{}", b"[]", b"\xff", cards.write()[:-1]):
        with pytest.raises(ForgeryError, match="another pool than the charter's"):
            Cards.parse(forged, cards.root, "cards")
