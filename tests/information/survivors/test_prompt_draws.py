"""Draws of prompts: each order of a suite equally likely, and whole documents in the bootstrap."""

from __future__ import annotations

from collections import Counter

import numpy as np

from foretell.information.survivors.prompt_draws import fresh_orders, suite_orders


def test_every_order_of_three_comes_about_as_often() -> None:
    seen = Counter(tuple(order.tolist()) for order in suite_orders(3, 6000, np.random.default_rng(0)))
    assert len(seen) == 6
    assert max(abs(count - 1000) for count in seen.values()) < 150


def test_documents_come_whole_and_with_replacement() -> None:
    documents = ["a"] * 3 + ["b"] * 3 + ["c"]
    repeated = 0
    for order in fresh_orders(documents, 200, np.random.default_rng(0)):
        assert len(order) == len(documents)
        counts = Counter(order.tolist())
        # Whole documents, of which no more is missing than the last one had too much.
        times = [max(counts[place] for place in part) for part in ((0, 1, 2), (3, 4, 5), (6,))]
        assert len(documents) <= 3 * times[0] + 3 * times[1] + times[2] < len(documents) + 3
        repeated += max(counts.values()) > 1
    assert repeated > 100  # no repetition needs all three of them, which is 6 in 27 at most


def test_each_prompt_counts_alike_in_documents_of_one_size() -> None:
    documents = [str(place // 2) for place in range(8)]
    counts = Counter(
        place for order in fresh_orders(documents, 3000, np.random.default_rng(0)) for place in order.tolist()
    )
    assert max(abs(count - 3000) for count in counts.values()) < 200
