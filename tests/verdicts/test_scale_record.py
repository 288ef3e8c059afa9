"""scale.json: where a tolerance lies among rungs, what is told of each, and that a run keeps it unharmed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foretell.base.errors import DamageError
from foretell.base.interval import Interval, Unscored
from foretell.distributions import Distributions
from foretell.evaluation import score
from foretell.scoring.confidence import Bounds
from foretell.scoring.skill import DieboldMariano
from foretell.verdicts.run_folder import read_score
from foretell.verdicts.scale_record import (
    POOL,
    REFERENCE,
    RUNG,
    SCALE,
    Encompassing,
    Standing,
    add_to_run,
    read_scale,
    scale_record,
    sentences,
)

BOUNDS = Bounds(Interval(0.5, 0.5), Interval(0.4, 0.6), 0.95, "betting")
POOL_RECORD = {
    "name": "unigram:tiny",
    "members": [{"name": "uniform", "weight": 0.0}, {"name": "unigram:tiny", "weight": 1.0}],
    "practice": {"suite": "other", "prompts": 7, "documents": 6},
}


def standings(last: Standing) -> dict[str, Standing]:
    first = {"uniform": Standing(REFERENCE, 0.0), "unigram:tiny": Standing(POOL)}
    return first | {"model:tiny": last}


@pytest.fixture
def run(tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions], tmp_path: Path) -> Path:
    score(tiny_truth, list(tiny_forecasts.values()), tmp_path / "run")
    return tmp_path / "run"


def recorded(run: Path, last: Standing, tolerance: float | None = None) -> dict[str, Any]:
    content = read_score(run)
    content["settings"]["tolerance"] = tolerance
    return scale_record(content, standings(last), POOL_RECORD, {"target": "tiny"}, ["a sibling"])


def test_rungs_go_from_the_farthest_to_the_nearest_with_what_is_known(run: Path) -> None:
    gain = Encompassing(BOUNDS, DieboldMariano(3.0, 0.0027), 0.25)
    rungs = recorded(run, Standing(RUNG, None, BOUNDS, gain))["rungs"]
    assert [one["name"] for one in rungs] == ["uniform", "unigram:tiny", "model:tiny"]
    assert rungs[0]["weight_in_pool"] == 0.0
    assert "skill" not in rungs[0]
    assert (rungs[2]["skill"]["mean"], rungs[2]["skill"]["lo"]) == (0.5, 0.4)
    assert rungs[2]["encompassing"]["weight"] == 0.25
    assert rungs[2]["encompassing"]["diebold_mariano"]["statistic"] == 3.0


def test_reasons_stand_where_numbers_are_missing(run: Path) -> None:
    last = recorded(run, Standing(RUNG, None, Unscored("no ratio"), Unscored("no practice")))["rungs"][2]
    assert (last["skill"], last["encompassing"]) == ({"unscored": "no ratio"}, {"unscored": "no practice"})
    gain = Encompassing(BOUNDS, Unscored("one document"), 0.25)
    untested = recorded(run, Standing(RUNG, None, BOUNDS, gain))["rungs"][2]
    assert untested["encompassing"]["diebold_mariano"] == {"unscored": "one document"}


@pytest.mark.parametrize(
    ("tolerance", "place", "said"),
    [
        (
            1.0,
            ("best text-only pool", "model:tiny"),
            "lies between best text-only pool, which misses it, and model:tiny",
        ),
        (7.5, (None, "uniform"), "Everything on this scale meets a tolerance of 7.5 nats; the farthest is uniform."),
        (-1.0, ("model:tiny", None), "Nothing on this scale meets a tolerance of -1 nats but the truth itself"),
    ],
)
def test_a_tolerance_lies_between_two_rungs(
    run: Path, tolerance: float, place: tuple[str | None, str | None], said: str
) -> None:
    record = recorded(run, Standing(RUNG), tolerance)
    assert (record["tolerance"]["missed_by"], record["tolerance"]["met_by"]) == place
    words = sentences(record)
    assert said in words[1]
    assert words[0].endswith("7 practice prompts from 6 documents (other): unigram:tiny 1.000.")
    assert words[-1] == "Not on this scale: a sibling."


def test_without_a_tolerance_nothing_is_said_of_one(run: Path) -> None:
    record = recorded(run, Standing(RUNG))
    assert record["tolerance"] is None
    assert not any("tolerance" in line for line in sentences(record))


def test_a_run_keeps_its_scale_and_tells_damage(run: Path) -> None:
    before = read_score(run)
    assert read_scale(run) is None
    record = recorded(run, Standing(RUNG, None, BOUNDS, Unscored("no practice")))
    add_to_run(run, record)
    assert read_scale(run) == record
    assert read_score(run) == before
    (run / SCALE).write_text("{}")
    with pytest.raises(DamageError, match=r"scale\.json"):
        read_scale(run)
    (run / "score.json").write_text("{}")
    with pytest.raises(DamageError, match=r"score\.json"):
        add_to_run(run, record)
