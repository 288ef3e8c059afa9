"""Tests of local identifiability: counts of a matrix that is known, moves that are real, and what cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from foretell.base.errors import InputError
from foretell.base.interval import Unscored
from foretell.distributions import TokenizedPrompt
from foretell.information.directions.direction_settings import DirectionSettings, Effort
from foretell.information.directions.lanczos import lanczos
from foretell.information.directions.local_curves import last_only, local_curves
from foretell.information.directions.local_information import local_information
from foretell.information.directions.local_measuring import (
    different_prompts,
    move_to_draw,
    move_to_threshold,
    take_spectrum,
)
from foretell.information.directions.local_results import LocalInformation
from foretell.suites import Suite
from foretell.targets.collection import tokenize
from foretell.targets.specs import open_target
from foretell.targets.target import Target

SIZE = 3_000


@dataclass
class Bowl:
    """A made-up Fisher information with known eigenvalues; the true KL is the quadratic one times a factor."""

    values: np.ndarray
    factor: Callable[[float], float] = lambda size: 1.0
    positions: int = 1

    @property
    def size(self) -> int:
        return len(self.values)

    weights = size

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float64)

    def product(self, vector: np.ndarray) -> np.ndarray:
        return np.asarray(self.values * vector)

    def kl_nats(self, vector: np.ndarray) -> float:
        size = float(np.linalg.norm(vector)) / self.weights**0.5
        return 0.5 * float(vector**2 @ self.values) * self.factor(size)


def prompt(name: str, tokens: tuple[int, ...] = (1, 2), weight: float = 1.0) -> TokenizedPrompt:
    return TokenizedPrompt(name, "all", weight, name, "text", tokens, (len(tokens) - 1,))


PROMPTS = [prompt(str(index), (index, index + 1)) for index in range(8)]


def told(
    settings: DirectionSettings, factor: Callable[[float], float] = lambda size: 1.0, size: int = SIZE
) -> LocalInformation:
    """Each prompt pins ten directions of its own with the curvature 1 over the number of prompts."""

    def opened(chosen: Sequence[TokenizedPrompt]) -> Bowl:
        values = np.zeros(size)
        for one in chosen:
            values[10 * one.token_ids[0] : 10 * one.token_ids[0] + 10] = np.linspace(1, 2, 10) / len(chosen)
        return Bowl(values, factor)

    return local_information("bowl", opened, PROMPTS, settings, np.random.default_rng(0), symmetries=Unscored("none"))


#: Directions count above 2·0.015 / (0.01²·3000) = 0.1.
COUNTING = DirectionSettings((1, 4), (0.015,), (0.01,), prior=0.3, draws=2, effort=Effort(4, 30))


def test_every_prompt_pins_its_own_directions() -> None:
    found = told(COUNTING)
    assert [one.draws for one in found.measured] == [8, 2]
    one, four = (row.pinned[0] for row in found.rows)
    assert one.cut == pytest.approx(0.1)
    assert 10 in one.counted
    assert 40 in four.counted
    values = np.linspace(1, 2, 10)
    assert float(np.sum(values / (values + 0.1))) in one.effective
    assert float(4 * np.sum(values / 4 / (values / 4 + 0.1))) in four.effective
    assert one.range.lo <= one.effective.lo
    assert one.effective.hi <= one.range.hi
    assert found.rows[1].volume.bits.lo > found.rows[0].volume.bits.lo


def test_small_models_are_exact() -> None:
    found = told(replace(COUNTING, prompts=(1, 8)), size=200)
    assert [one.exact for one in found.measured] == [True, True]
    one, eight = (row.pinned[0] for row in found.rows)
    cut = 2 * 0.015 / (0.01**2 * 200)
    assert one.counted.is_point
    assert one.counted.lo == int(np.sum(np.linspace(1, 2, 10) > cut))
    assert eight.counted.lo == 0
    # All eight prompts can be chosen in one way only.
    assert found.measured[1].draws == 1


def test_the_curvature_has_to_hold_where_it_is_used() -> None:
    found = told(COUNTING, factor=lambda size: 3.0 if size > 0.005 else 1.0)
    (pinned,) = found.rows[0].pinned
    assert pinned.move is not None
    assert pinned.move.ratio == pytest.approx(3)
    assert pinned.untold is not None
    assert "moved by 1.00% of the weights' norm, the mean KL is 3 times what it predicts" in pinned.untold
    record = pinned.record()
    assert set(record["pinned"]) == {"unscored"}
    assert record["by_curvature"]["effective"]["hi"] == pinned.effective.hi
    (close,) = told(replace(COUNTING, sizes=(0.004,)), factor=lambda size: 3.0 if size > 0.005 else 1.0).rows[0].pinned
    assert close.untold is None


def test_too_little_work_is_not_determined() -> None:
    found = told(replace(COUNTING, prompts=(4,), effort=Effort(1, 2)))
    assert found.rows[0].volume.untold is not None
    assert "bounds are more than a factor of 10 apart" in found.rows[0].volume.untold


def test_what_rounding_hides_is_not_determined() -> None:
    found = told(replace(COUNTING, tolerances=(1e-15,)))
    (pinned,) = found.rows[0].pinned
    assert pinned.untold is not None
    assert "cannot be told from rounding" in pinned.untold


def test_more_prompts_than_there_are() -> None:
    found = told(replace(COUNTING, prompts=(1, 9)))
    assert found.missing == {9: "only 8 different prompts were given"}
    assert "9 prompts: not determined: only 8 different prompts were given." in found.sentences()
    none = told(replace(COUNTING, prompts=(9,)))
    assert none.rows == ()
    assert none.record()["not_determined"] == {"9": "only 8 different prompts were given"}


def test_prompts_that_ask_the_same_count_once_with_both_weights() -> None:
    merged = different_prompts([prompt("a"), prompt("b", weight=2.0), prompt("c", (3, 4))])
    assert [(one.id, one.weight) for one in merged] == [("a", 3.0), ("c", 1.0)]


def test_a_move_to_the_threshold_costs_exactly_the_tolerance() -> None:
    rng = np.random.default_rng(3)
    bowl = Bowl(np.exp(rng.normal(-4, 2, SIZE)))
    krylov = lanczos(bowl.product, rng.normal(size=SIZE), 25)
    move = move_to_threshold(bowl, krylov, 0.02, 0.01)
    assert move is not None
    assert move.ratio == pytest.approx(1, abs=1e-6)
    assert move_to_threshold(bowl, krylov, 1e6, 0.01) is None


def test_a_drawn_model_is_as_far_off_as_predicted() -> None:
    rng = np.random.default_rng(4)
    bowl = Bowl(np.exp(rng.normal(-6, 2, SIZE)))
    start = rng.normal(size=SIZE)
    krylov, length = lanczos(bowl.product, start, 60), float(np.linalg.norm(start))
    move = move_to_draw(bowl, krylov, length, 30.0, 0.5, 0.3)
    assert move is not None
    # The same by the eigenvalues themselves.
    exact = 0.3 * start / np.sqrt(1 + 30.0 * 0.3**2 * bowl.values)
    assert move.predicted_nats == pytest.approx(bowl.kl_nats(exact), rel=1e-3)
    assert move.true_nats == pytest.approx(bowl.kl_nats(exact), rel=1e-3)


def test_vectors_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretell.information.directions.local_measuring.MOST_BYTES", 100_000)
    with pytest.raises(InputError, match=r"--steps: the vectors would take too much memory: got 30 .* Give --steps 4"):
        take_spectrum(Bowl(np.ones(SIZE)), Effort(1, 30), np.random.default_rng(0), lambda: None)


@pytest.mark.parametrize(
    ("change", "where"),
    [({"prompts": ()}, "--prompts"), ({"tolerances": (0.0,)}, "--tolerance"), ({"prior": -1.0}, "--prior")],
)
def test_settings_are_checked(change: dict[str, Any], where: str) -> None:
    with pytest.raises(InputError, match=f"{where}: not a positive number"):
        replace(COUNTING, **change)


def test_the_shipped_target(tiny: Target, small_suite: Suite) -> None:
    prompts = tokenize(small_suite, tiny.encode, tiny.context)
    settings = DirectionSettings((2,), (0.1,), (0.001,), draws=1, effort=Effort(1, 10))
    found = local_curves(tiny, prompts, settings, np.random.default_rng(0))
    assert found.weights == 1_066_112
    (pinned,) = found.rows[0].pinned
    assert pinned.untold is None
    assert 10 < pinned.effective.lo < pinned.effective.hi < 2_000
    assert pinned.move is not None
    assert pinned.move.holds
    assert found.symmetries == {"gains": 1024, "values": 16384, "keys": 512, "neurons": 1408}
    assert [one.positions for one in last_only(prompts)] == [one.positions[-1:] for one in prompts]
    with pytest.raises(InputError, match="target int8:tiny: cannot be differentiated"):
        local_curves(open_target("int8:tiny"), prompts, settings, np.random.default_rng(0))
