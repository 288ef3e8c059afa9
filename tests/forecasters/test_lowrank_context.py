"""Tests of the likeness of histories, and of its choice."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foretell.forecasters.lowrank_algebra import centred
from foretell.forecasters.lowrank_context import Histories, choose_likeness

TOKENS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=2, max_size=8)


@given(histories=TOKENS, share=st.sampled_from([0.0, 0.3, 1.0]))
def test_the_kernel_is_one(histories: list[list[int]], share: float) -> None:
    known = Histories(histories, 4)
    kernel = known.like(known, share)
    np.testing.assert_allclose(kernel, kernel.T)
    np.testing.assert_allclose(np.diag(kernel), 11.0, atol=1e-6)
    assert np.linalg.eigvalsh(kernel).min() > -1e-5  # float32 bags
    assert kernel.max() <= 11.0 + 1e-5


def test_longer_equal_endings_count_more() -> None:
    asked = Histories([(1, 2, 3, 4)], 6)
    others = Histories([(5, 5, 5, 5), (5, 5, 5, 4), (5, 5, 3, 4), (5, 2, 3, 4), (1, 2, 3, 4)], 6)
    assert asked.like(others, 0.0).tolist() == [[10.0, 10.25, 10.5, 10.75, 11.0]]


def test_the_choice_finds_what_the_answers_depend_on() -> None:
    """Answers that depend on the last token alone are forecast nearly exactly for documents that were left out."""
    rng = np.random.default_rng(0)
    table = centred(3 * rng.normal(size=(5, 12)))
    histories = [tuple(rng.integers(0, 5, 6).tolist()) for _ in range(120)]
    logs = table[[history[-1] for history in histories]]
    known = Histories(histories, 12)
    chosen = choose_likeness(known, logs, np.arange(120) // 4)
    assert chosen.kl_nats < 0.05
    assert chosen.bag_share == 0.1
    noise = choose_likeness(known, centred(rng.normal(size=(120, 12))), np.arange(120) // 4)
    assert noise.kl_nats > 0.2
    assert (noise.ridge, noise.scale) == (1.0, 0.6)
