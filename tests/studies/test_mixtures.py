"""Mixtures of losses: weights, verdicts and the first count that turns them, against direct sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foretell.scoring.summary import Losses, mean_loss, weighted_mean
from foretell.studies import mixtures
from foretell.studies.mixtures import Pair, by_count, by_weight, chance_of_any, chosen_prompts, first_to_fail

CAP, LEVEL = 7.6, 0.95


def losses(values: np.ndarray, cluster: int = 1) -> Losses:
    ids = tuple(f"p{i}" for i in range(len(values)))
    own = tuple(f"d{i // cluster}" for i in range(len(values)))
    return Losses(ids, ("all",) * len(ids), own, np.ones(len(ids)), values, values, CAP, 0)


@pytest.fixture
def pair() -> Pair:
    rng = np.random.default_rng(0)
    return Pair(losses(rng.uniform(0, 0.04, 300)), losses(rng.uniform(5, 7, 300)))


def test_a_mixture_takes_each_loss_from_its_side(pair: Pair) -> None:
    chosen = chosen_prompts(30, 300, np.random.default_rng(1))
    assert chosen.sum() == 30
    mixed = pair.mixed(chosen)
    expected = (pair.quiet.lo[~chosen].sum() + pair.set_off.lo[chosen].sum()) / 300
    assert weighted_mean(mixed.lo, mixed.weights) == pytest.approx(expected)
    weighed = pair.mixed(chosen, 0.25)
    assert weighed.weights[chosen].sum() / weighed.weights.sum() == pytest.approx(0.25)
    expected = 0.75 * pair.quiet.lo[~chosen].mean() + 0.25 * pair.set_off.lo[chosen].mean()
    assert weighted_mean(weighed.lo, weighed.weights) == pytest.approx(expected)


def test_prompts_that_do_not_match_are_refused(pair: Pair) -> None:
    with pytest.raises(ValueError, match="different prompts"):
        Pair(pair.quiet, replace(pair.set_off, prompts=pair.set_off.prompts[::-1]))


def test_verdicts_turn_as_the_mean_does(pair: Pair) -> None:
    rows = by_count(pair, (0, 1, 5, 20, 60, 300), 0.25, LEVEL, 5, np.random.default_rng(2))
    assert [row["draws"] for row in rows] == [1, 5, 5, 5, 5, 1]
    assert all(row["pass"] + row["inconclusive"] + row["fail"] == row["draws"] for row in rows)
    assert rows[0]["pass"] == 1
    assert rows[-1]["fail"] == 1
    assert rows[0]["mean"] == pytest.approx(pair.quiet.lo.mean())
    means = [row["mean"] for row in rows]
    assert means == sorted(means)
    open_, fails = (mixtures.first_count(rows, name) for name in ("not pass", "fail"))
    assert open_ is not None
    assert fails is not None
    assert 0 < open_ <= fails


def test_weights_turn_the_verdict_too(pair: Pair) -> None:
    rows = by_weight(pair, 30, (0.001, 0.5, 0.9), 0.25, LEVEL, np.random.default_rng(2))
    assert [row["decision"] for row in rows] == ["pass", "fail", "fail"]


def test_how_many_make_a_slice_fail(pair: Pair) -> None:
    found = first_to_fail(pair.set_off, 0.25, LEVEL, 50, np.random.default_rng(3))
    assert found is not None
    order = np.random.default_rng(3).permutation(300)
    for count, fails in ((found - 1, False), (found, True)):
        part = losses(pair.set_off.lo[order[:count]])
        assert (mean_loss(part, LEVEL).bounds.lo > 0.25) is fails
    assert first_to_fail(pair.quiet, 0.25, LEVEL, 10, np.random.default_rng(3)) is None


def test_the_chance_to_see_what_is_rare() -> None:
    seen = np.random.default_rng(4).random((4000, 300)) < 0.002
    assert np.mean(seen.any(axis=1)) == pytest.approx(chance_of_any(0.002, 300), abs=0.03)
    assert chance_of_any(0.0, 300) == 0
