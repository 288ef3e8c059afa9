"""What a release costs a score: by hand, by theory, and which verdicts and orders it changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foretell.base.interval import Interval, Unscored
from foretell.distributions import DenseBlock, TopKBlock
from foretell.distributions.combining import log_normalised
from foretell.distributions.release import Noise, Round, TopK, full_logprobs, released
from foretell.information.release.release_error import changes, raised_noise, score_error, smallest_judgeable
from foretell.scoring import divergences
from foretell.scoring.partial import PartialTruth, kl_interval
from foretell.scoring.summary import Losses

LOGITS = arrays(np.float64, (2, 6), elements=st.floats(-12, 12))
CAP = 5.0


def losses(lo: list[float], hi: list[float] | None = None, documents: str | None = None) -> Losses:
    names = documents or "abcdefgh"[: len(lo)]
    keys = [(f"p{i}", "s", name, 1.0) for i, name in enumerate(names)]
    return Losses.of(keys, np.array(lo), np.array(lo if hi is None else hi), CAP)


def read(block: DenseBlock | TopKBlock) -> np.ndarray:
    return full_logprobs(block, "test")


@given(LOGITS, LOGITS, st.integers(0, 3))
def test_rounding_moves_a_score_no_farther_than_its_step_allows(p: np.ndarray, q: np.ndarray, digits: int) -> None:
    """|Δ KL| ≤ (e^s − 1)·Σ p |log p/q| + e^s·s, as no log-probability that is read is off by more than the step s."""
    p, q, rule = log_normalised(p), log_normalised(q), Round(digits)
    block = released(rule, DenseBlock(p), np.random.default_rng(0))
    assert isinstance(block, DenseBlock)
    step = rule.step_nats
    moved = np.abs(divergences.kl_nats(read(block), q) - divergences.kl_nats(p, q))
    allowed = np.expm1(step) * divergences.abs_logprob_nats(p, q) + np.exp(step) * step
    assert (moved <= allowed + 1e-4).all()


@given(LOGITS, LOGITS, st.integers(1, 5))
def test_the_interval_of_a_list_holds_the_exact_score(p: np.ndarray, q: np.ndarray, k: int) -> None:
    p, q = log_normalised(p), divergences.floored(log_normalised(q), 1e-6)
    block = released(TopK(k), DenseBlock(p), np.random.default_rng(0))
    assert isinstance(block, TopKBlock)
    for row, exact in enumerate(divergences.kl_nats(p, q)):
        ids, listed, given_q = block.token_ids[row], np.exp(block.logprobs[row].astype(float)), np.exp(q[row])
        rest = max(0.0, 1 - listed.sum())
        found = kl_interval(PartialTruth(listed, given_q[ids], np.delete(given_q, ids), rest))
        assert found.lo - 1e-4 <= exact <= found.hi + 1e-4


def test_noise_moves_a_score_by_what_its_second_derivatives_say() -> None:
    """E[KL(p̃‖q)] − KL(p‖q) ≈ σ²/2 · (1 − Σp² − 2 Σ p²(g − KL)), g = log p/q: the trace of the Hessian in the logits."""
    rng, sigma = np.random.default_rng(0), 0.05
    p = log_normalised(rng.normal(size=(1, 30)) * 2)
    q = log_normalised(rng.normal(size=(1, 30)))
    kl = float(divergences.kl_nats(p, q)[0])
    weights, gain = np.exp(p[0]), p[0] - q[0]
    expected = sigma**2 / 2 * (1 - (weights**2).sum() - 2 * (weights**2 * (gain - kl)).sum())
    many = np.repeat(p, 20_000, axis=0)
    block = released(Noise(sigma), DenseBlock(many), rng)
    assert isinstance(block, DenseBlock)
    mirrored = DenseBlock(2 * many - block.logprobs)  # as likely, and what is odd in the noise cancels
    moved = (divergences.kl_nats(read(block), q) + divergences.kl_nats(read(mirrored), q)) / 2 - kl
    error = moved.std() / np.sqrt(len(moved))
    assert moved.mean() == pytest.approx(expected, rel=0.02, abs=4 * error)
    assert expected > 40 * error  # the test can tell it from nothing


def test_an_error_by_hand() -> None:
    exact, after = losses([0.1, 0.3]), losses([0.2, 0.2], [0.2, 0.6])
    one = score_error("mine", exact, after)
    assert one.exact == pytest.approx(0.2)
    assert [one.released.lo, one.released.hi] == pytest.approx([0.2, 0.4])
    assert [one.bias.lo, one.bias.hi] == pytest.approx([0.0, 0.2])
    assert one.rms == pytest.approx(np.sqrt((0.1**2 + 0.3**2) / 2))
    assert one.largest == pytest.approx(0.3)
    # Documents differ by 0.1 and −0.1 below, by 0.1 and 0.3 above: standard errors of 0.1 each.
    assert isinstance(one.bounds, Interval)
    assert [one.bounds.lo, one.bounds.hi] == pytest.approx([-0.196, 0.396])
    assert one.error == pytest.approx(0.396)
    assert one.record()["bias_bounds"]["method"] == "approximate: normal"


def test_one_document_gives_no_bounds_and_the_largest_error_counts() -> None:
    one = score_error("mine", losses([0.1, 0.3], documents="aa"), losses([0.1, 0.4], documents="aa"))
    assert one.bounds == Unscored("fewer than two documents")
    assert one.error == pytest.approx(0.1)
    assert one.record()["bias_bounds"] == {"unscored": "fewer than two documents"}


def test_what_can_be_judged() -> None:
    near = score_error("near", losses([0.0] * 4), losses([1e-4] * 4))
    far = score_error("far", losses([2.0] * 4), losses([2.1] * 4))
    wrong = score_error("wrong", losses([2.0] * 4), losses([2.4] * 4))
    assert smallest_judgeable([near, far], 0.0) == pytest.approx(1e-3)
    assert smallest_judgeable([near, far, wrong], 0.0) == pytest.approx(4.0)
    assert smallest_judgeable([near], 0.5) == 0.5
    assert smallest_judgeable([], 0.0) == 0.0


def test_noise_is_raised_by_distortion_and_by_what_scores_may_miss() -> None:
    exact = {"kl_nats": 0.0, "max_kl_nats": 1e-4, "method": "asked again"}
    near = score_error("near", losses([0.0] * 4), losses([3e-3] * 4))
    raised = raised_noise(exact, 1e-3, 4e-4, [near])
    assert raised["kl_nats"] == pytest.approx(3e-3)
    assert raised["max_kl_nats"] == pytest.approx(9e-4)
    assert raised["method"].startswith("asked again; raised by what the release rule distorts")
    assert raised_noise(exact, 1e-3, 4e-4, [])["kl_nats"] == pytest.approx(1e-3)


def test_nothing_changes_where_nothing_was_altered() -> None:
    before = [losses([0.1] * 8), losses([1.0] * 8)]
    found = changes(before, before, 0.0)
    assert (found.changed, found.reversed, found.pairs, found.swapped, found.undecided) == (0, 0, 1, 0, 0)
    assert found.verdicts == 400


def test_orders_swap_or_are_no_longer_known() -> None:
    before = [losses([0.1] * 8), losses([0.2] * 8), losses([1.0] * 8)]
    after = [losses([0.3] * 8), losses([0.2] * 8), losses([0.1] * 8, [2.0] * 8)]
    found = changes(before, after, 0.0)
    assert (found.pairs, found.swapped, found.undecided) == (3, 1, 2)
    assert found.record()["swapped"] == 1


def test_verdicts_turn_round_where_a_score_moves_far() -> None:
    rng = np.random.default_rng(0)
    keys = [(f"p{i}", "s", f"d{i}", 1.0) for i in range(4000)]
    near, far = (mean + rng.uniform(-0.01, 0.01, 4000) for mean in (0.1, 4.0))
    found = changes([Losses.of(keys, near, near, CAP)], [Losses.of(keys, far, far, CAP)], 0.0)
    assert 0 < found.reversed < found.changed <= found.verdicts
    assert changes([Losses.of(keys, near, near, CAP)], [Losses.of(keys, near, near, CAP)], 0.0).changed == 0
