"""What one loss implies for another, against random distributions and capped means, and where nothing follows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import InputError
from foretell.scoring.divergences import abs_logprob_nats, js_nats, kl_nats, tv
from foretell.scoring.implications import implied

LOSS = {"kl_nats": kl_nats, "abs_logprob_nats": abs_logprob_nats, "tv": tv, "js_nats": js_nats}


def pairs(seed: int) -> np.ndarray:
    """Pairs of distributions over six tokens, (2, pairs, tokens): random ones, or such as make an inequality tight.

    Tight: two tokens nearly as likely (Pinsker, and the absolute value); a truth that is sure of one token (KL against
    the absolute value); no token in common (JS against total variation).
    """
    rng = np.random.default_rng(seed)
    delta = 10.0 ** rng.uniform(-3, -1)
    tight = (
        ([0.5, 0.5, 0, 0, 0, 0], [0.5 + delta, 0.5 - delta, 0, 0, 0, 0]),
        ([1, 0, 0, 0, 0, 0], [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]),
        ([0.5, 0.5, 0, 0, 0, 0], [0, 0, 0.5, 0.5, 0, 0]),
    )
    kind = seed % (len(tight) + 1)
    if kind < len(tight):
        return np.array(tight[kind])[:, None, :]
    made = [rng.dirichlet(np.full(6, 10.0 ** rng.uniform(-1.5, 1)), size=2) for _ in range(40)]
    return np.stack(made, axis=1)


def losses(seed: int, metric: str) -> np.ndarray:
    """Losses of some pairs."""
    return LOSS[metric](*np.log((pairs(seed) + 1e-12) / (1 + 6e-12)))


@given(
    st.integers(0, 10_000),
    st.sampled_from(sorted(LOSS)),
    st.sampled_from(sorted(LOSS)),
    st.floats(0.05, 30),
    st.floats(0.05, 30),
)
def test_the_mean_of_the_other_loss_is_never_larger(seed: int, one: str, other: str, cap: float, most: float) -> None:
    mean = float(np.minimum(losses(seed, one), cap).mean())
    bound = implied(one, mean, other, cap=cap, most=most)
    if bound is not None:
        assert np.minimum(losses(seed, other), most).mean() <= bound + 1e-9


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("kl_nats", "tv", math.sqrt(0.25)),
        ("abs_logprob_nats", "kl_nats", 0.5),
        ("abs_logprob_nats", "js_nats", math.log(2) * math.sqrt(0.25)),
        ("kl_nats", "abs_logprob_nats", 0.5 + 1.0),
        ("js_nats", "tv", 1.0),
        ("tv", "kl_nats", None),
        ("kl_nats", "topk_logprob_rmse", None),
        ("topk_logprob_rmse", "topk_logprob_rmse", 0.5),
    ],
)
def test_by_hand(one: str, other: str, expected: float | None) -> None:
    assert implied(one, 0.5, other, cap=8.0, most=8.0) == pytest.approx(expected)


def test_a_low_cap_hides_what_the_other_loss_shows() -> None:
    assert implied("kl_nats", 0.5, "kl_nats", cap=1.0, most=2.0) is None
    assert implied("kl_nats", 0.5, "tv", cap=1.0, most=1.0) is None
    assert implied("kl_nats", 0.5, "tv", cap=2.0, most=1.0) == 0.5


def test_no_loss() -> None:
    with pytest.raises(InputError, match="no such loss: got 'top1_agreement'"):
        implied("top1_agreement", 0.5, "tv", cap=1.0, most=1.0)


@pytest.mark.parametrize(
    ("seed", "one", "other"),
    [
        (0, "kl_nats", "tv"),
        (0, "kl_nats", "abs_logprob_nats"),
        (1, "abs_logprob_nats", "kl_nats"),
        (2, "tv", "js_nats"),
    ],
)
def test_the_bounds_are_as_good_as_they_can_be(seed: int, one: str, other: str) -> None:
    """Up to a tenth: a bound that is smaller than the inequality's would be caught above."""
    mean = float(losses(seed, one).mean())
    bound = implied(one, mean, other, cap=30.0, most=30.0)
    assert bound == pytest.approx(losses(seed, other).mean(), rel=0.1)
