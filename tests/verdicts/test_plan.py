"""A plan's power is what fresh data have; a nearer tolerance asks for more prompts."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from foretell.base.errors import InputError
from foretell.scoring.summary import Losses, mean_loss
from foretell.verdicts.plan import make_plan
from foretell.verdicts.simulation import Aim, Simulation
from foretell.verdicts.tolerance import WHOLE, decide, judge

CAP = 4.0
SLICES = {"code": 0.3, "prose": 0.6}


def fresh(prompts: int, seed: int) -> Losses:
    """Documents of two prompts, a third of them code: exponential losses around the document's own level."""
    rng = np.random.default_rng(seed)
    rows, values = [], []
    for i in range(prompts):
        name = "code" if i // 2 % 3 == 0 else "prose"
        if i % 2 == 0:
            level = rng.gamma(4.0, SLICES[name] / 4.0)
        rows.append((f"p{i}", name, f"d{i // 2}", 1.0))
        values.append(min(level * rng.gamma(3.0, 1 / 3.0), CAP))
    losses = np.array(values)
    return Losses.of(rows, losses, losses, CAP)


def measured(prompts: int, aim: Aim, deserved: str, trials: int) -> float:
    """The share of fresh runs of that size that get the deserved verdict, by the bounds and the verdict themselves."""
    right = 0
    for trial in range(trials):
        losses = fresh(prompts, 10_000 + trial)
        bounds = {name: mean_loss(losses.only(name), aim.level).bounds for name in aim.slices}
        verdict = judge(mean_loss(losses, aim.level).bounds, bounds, aim.tolerance, slice_tolerances=aim.slices)
        right += verdict.decision == deserved
    return right / trials


@pytest.mark.parametrize(
    ("tolerance", "slices", "deserved"),
    [(0.75, {}, "pass"), (0.35, {}, "fail"), (0.8, {"prose": 0.9, "code": 0.5}, "pass"), (1.0, {"prose": 0.4}, "fail")],
)
def test_fresh_data_have_the_power_that_was_stated(tolerance: float, slices: dict[str, float], deserved: str) -> None:
    # The practice run is long, so that it is nearly the distribution itself.
    aim = Aim(tolerance, slices)
    plan = make_plan(fresh(3000, 1), aim)
    assert plan.deserved == deserved
    assert plan.prompts is not None
    assert plan.power is not None
    assert plan.likely is not None
    assert plan.simulated is not None
    assert plan.simulated.lo <= plan.power <= plan.simulated.hi
    trials = 150
    got = measured(plan.prompts, aim, deserved, trials)
    error = 3 * math.sqrt(0.25 / trials)
    assert plan.likely.lo - error <= got <= plan.likely.hi + error
    fewer = measured(max(2, plan.prompts // 3), aim, deserved, trials)
    assert fewer < got


def test_short_practice_runs_state_how_far_off_they_can_be() -> None:
    aim, covered, runs = Aim(0.75, {}), 0, 12
    for seed in range(runs):
        plan = make_plan(fresh(240, 500 + seed), aim, seed=seed)
        assert plan.prompts is not None
        assert plan.likely is not None
        truth = measured(plan.prompts, aim, "pass", 60)
        slack = 3 * math.sqrt(max(truth * (1 - truth), 0.01) / 60)
        covered += plan.likely.lo - slack <= truth <= plan.likely.hi + slack
    # At nine in ten, fewer than 8 of 12 come less than once in two hundred times.
    assert covered >= 8


def test_a_nearer_tolerance_asks_for_more() -> None:
    losses = fresh(600, 2)
    mean = float(losses.hi.mean())
    passing = [make_plan(losses, Aim(mean + gap, {})).prompts for gap in (0.1, 0.2, 0.8)]
    failing = [make_plan(losses, Aim(mean - gap, {})).prompts for gap in (0.1, 0.2, 0.3)]
    for needed in (passing, failing):
        numbers = [number for number in needed if number is not None]
        assert len(numbers) == 3
        assert numbers == sorted(numbers, reverse=True)
        assert len(set(numbers)) == 3


def test_a_higher_power_asks_for_more() -> None:
    losses = fresh(600, 2)
    needed = [make_plan(losses, Aim(0.8, {}, power=power)).prompts or 0 for power in (0.5, 0.8, 0.95)]
    assert needed == sorted(needed)
    assert needed[0] < needed[-1]


def test_the_slice_that_asks_for_the_most_is_named() -> None:
    losses = fresh(600, 3)
    plan = make_plan(losses, Aim(0.9, {"prose": 0.7, "code": 1.5}))
    assert plan.decisive == "prose"
    needs = {name: number or 0 for name, number in plan.alone.items()}
    assert needs["prose"] > max(needs[WHOLE], needs["code"])
    assert plan.prompts is not None
    assert plan.prompts >= 0.9 * needs["prose"]
    json.dumps(plan.record(), allow_nan=False)


def test_a_failure_is_decided_by_the_part_that_fails_first() -> None:
    plan = make_plan(fresh(600, 3), Aim(0.9, {"prose": 0.3, "code": 1.5}))
    assert (plan.deserved, plan.decisive) == ("fail", "prose")


def test_what_no_number_decides() -> None:
    losses = fresh(600, 4)
    exact = make_plan(losses, Aim(float(losses.hi.mean()) * (1 + 1e-9), {}))
    assert (exact.deserved, exact.prompts, exact.power, exact.likely) == ("pass", None, None, None)
    wide = Losses.of([(i, "a", i, 1.0) for i in "abcdef"], np.full(6, 0.1), np.full(6, 0.9), CAP)
    open_one = make_plan(wide, Aim(0.5, {}))
    assert (open_one.deserved, open_one.prompts, open_one.decisive) == (None, None, None)
    json.dumps(open_one.record(), allow_nan=False)


def test_draws_keep_the_proportions_of_the_slices() -> None:
    losses = fresh(600, 5)
    simulation = Simulation(losses, Aim(0.8, {}))
    assert simulation.power(300, 50) == simulation.power(300, 50)
    one = simulation.power(10**6, 20)
    assert one == 1.0
    assert decide(mean_loss(losses, 0.95).bounds, 0.8) == "pass"


@pytest.mark.parametrize(
    ("aim", "message"),
    [
        (Aim(0.0, {}), "tolerance, whole suite: .* expected a number between 0 and the cap of 4"),
        (Aim(4.0, {}), "tolerance, whole suite: .* got 4.0"),
        (Aim(0.5, {"code": math.nan}), "tolerance, code: "),
        (Aim(0.5, {"maths": 0.5}), "--judge-slice: .* got 'maths'"),
        (Aim(0.5, {}, level=1.0), "--level: "),
        (Aim(0.5, {}, power=0.0), "--power: "),
    ],
)
def test_what_cannot_be_planned(aim: Aim, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_plan(fresh(40, 6), aim)
