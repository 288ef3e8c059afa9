"""Study 10 by made numbers: horizons, tolerances and directions turn the sentences; and the path runs on real ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from foretell.distributions import Vocabulary
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.specs import open_forecaster
from foretell.studies import workshop
from foretell.studies.horizons import (
    FROM_BIGRAM,
    LAST,
    LOGITS,
    SCALING,
    answer,
    better_than_text,
    horizons,
    passes,
)
from foretell.studies.s10_checkpoints import findings, run
from foretell.studies.workshop import Workshop
from foretell.targets.specs import open_target
from tests.studies.conftest import record

STEPS = (100, 200, 400, 800)
UNIFORM = {100: 1.0, 200: 2.0, 400: 2.6, 800: 3.0}


def entry(start: int, step: int, method: str, kl: float, skill: float, gain: float = 0.0) -> dict[str, Any]:
    """A forecast whose bounds are 0.1 to both sides."""
    found: dict[str, Any] | None = None
    if method == LOGITS:
        found = {"coefficient_before": -0.25}
    elif method != LAST:
        found = {"predicted_kl_nats": 3.3, "curve": [[start, UNIFORM[start]]]}
    return {
        "start": start,
        "step": step,
        "method": method,
        "doublings": math.log2(step / start),
        "kl_nats": record(kl, kl - 0.1, kl + 0.1),
        "skill": record(skill, skill - 0.1, skill + 0.1),
        "gain_over_last": record(gain, gain - 0.05, gain + 0.05),
        "coefficient": None if method == LAST else -0.25,
        "found": found,
    }


def made(skills: dict[int, float], gain: float = 0.2) -> list[dict[str, Any]]:
    """Forecasts by last of every step from every earlier one, skill by doublings, and of 800 by the others too."""
    pairs = [(a, b) for b in STEPS for a in STEPS if a < b]
    found = [entry(a, b, LAST, 0.4 * math.log2(b / a), skills[round(math.log2(b / a))]) for a, b in pairs]
    found += [entry(400, 800, method, 0.4 - gain, skills[1], gain) for method in (LOGITS, SCALING)]
    return [*found, entry(400, 800, FROM_BIGRAM, 0.4, skills[1])]


def targets(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pool = record(1.0, 0.9, 1.1)
    return [{"step": b, "pool": pool, "entries": [one for one in found if one["step"] == b]} for b in STEPS[1:]]


def test_a_horizon_that_holds_for_all() -> None:
    found = answer(made({1: 0.5, 2: 0.2, 3: 0.05}), UNIFORM)
    assert found[0] == (
        "At most 2 doublings of the training steps: so far ahead the last checkpoint as it is tells more than the best "
        "text-only pool (from step 100 to 400 and 200 to 800; up to 3 were tried). One doubling ahead it does for 3 of "
        "3 checkpoints."
    )


def test_a_horizon_that_holds_for_some_and_for_none() -> None:
    some = made({1: 0.5, 2: 0.2, 3: 0.05})
    some[0]["skill"] = record(0.0, -0.1, 0.1)
    assert answer(some, UNIFORM)[0].endswith("One doubling ahead it does for 2 of 3 checkpoints.")
    none = answer(made({1: 0.05, 2: 0.0, 3: -0.2}), UNIFORM)
    assert none[0] == (
        "Not at all, as far as is shown: the last checkpoint is nowhere better than the best text-only pool."
    )


def test_tolerances_are_told() -> None:
    found = made({1: 0.5, 2: 0.2, 3: 0.05})
    assert answer(found, UNIFORM)[1] == (
        "last meets a tolerance of 0.5 nats up to 1 doubling ahead, for every checkpoint; of 1 nats up to 2 doublings "
        "ahead, for every checkpoint; of 1.5 nats up to 3 doublings ahead, for every checkpoint; never one of 0.25 "
        "nats."
    )
    found[0]["kl_nats"] = record(1.0, 0.9, 1.1)
    assert "of 1 nats up to 2 doublings ahead (not for every checkpoint); " in answer(found, UNIFORM)[1]
    found = [one | {"kl_nats": record(2.0, 1.9, 2.1)} for one in found]
    assert answer(found, UNIFORM)[1] == (
        "last meets no tolerance of 0.25, 0.5, 1 and 1.5 nats, not even one doubling ahead."
    )


def test_skill_that_was_not_measured_is_no_skill() -> None:
    one = entry(400, 800, LAST, 0.4, 0.5)
    assert better_than_text(one)
    assert not better_than_text(one | {"skill": {"unscored": "nothing"}})
    assert not better_than_text(one | {"skill": None})


def test_tolerances_go_by_the_upper_bound() -> None:
    one = entry(400, 800, LAST, 0.4, 0.5)
    assert passes(0.5)(one)
    assert not passes(0.49)(one)
    assert horizons(made({1: 0.5, 2: 0.2, 3: 0.05})[:6], passes(1.0)) == (2, 2)


def test_methods_stand_beside_the_last() -> None:
    lines = answer(made({1: 0.5, 2: 0.2, 3: 0.05}, gain=0.3), UNIFORM)
    assert lines[2] == (
        "logits: its mean loss is below that of last in 1 of 1 pair; with bounds it is shown closer in 1 and farther "
        "in 0. From 400 to 800 it gains 0.3 nats (0.25 to 0.35). On these pairs it meets 1 tolerances that last does "
        "not, and misses 0 that last meets."
    )
    assert lines[4].startswith("scaling from a bigram: its mean loss is below that of last in 0 of 1 pair; with bounds")
    worse = answer(made({1: 0.5, 2: 0.2, 3: 0.05}, gain=-0.2), UNIFORM)[3]
    assert worse.startswith("scaling: its mean loss is below that of last in 0 of 1 pair; with bounds it is shown ")
    assert "closer in 0 and farther in 1." in worse
    assert worse.endswith("meets 0 tolerances that last does not, and misses 1 that last meets.")


@pytest.mark.parametrize(
    ("coefficients", "words"),
    [((-0.2, -0.3), "never above 0: a mean"), ((0.2, 0.3), "never below 0: going on"), ((-0.2, 0.3), "of both signs")],
)
def test_the_direction_is_told(coefficients: tuple[float, float], words: str) -> None:
    found = made({1: 0.5, 2: 0.2, 3: 0.05})
    for start, coefficient in zip((200, 400), coefficients, strict=True):
        found.append(entry(start, 800, LOGITS, 0.4, 0.5) | {"found": {"coefficient_before": coefficient}})
    assert any(words in line for line in answer(found, UNIFORM))


def test_the_law_is_compared_with_what_came() -> None:
    """It said that uniform's KL rises by 3.3 − 2.6 = 0.7; it rose by 0.4."""
    found = findings(targets(made({1: 0.5, 2: 0.2, 3: 0.05})), UNIFORM)
    assert found.answer[-1] == (
        "The power law said more rise of the uniform forecast's mean divergence than came in 1 of 1 pair; it was off "
        "by 0.3 to 0.3 nats, where up to 0.4 came."
    )
    assert ("scaling", "400", "800", "−0.25", "0.7", "0.4") in found.tables[2].rows


def test_the_tables_count_and_list() -> None:
    found = findings(targets(made({1: 0.5, 2: 0.2, 3: 0.05})), UNIFORM)
    assert found.tables[0].rows[:3] == (
        ("last", "1", "3", "3", "0", "3", "3", "3"),
        ("last", "2", "2", "2", "0", "0", "2", "2"),
        ("last", "3", "1", "0", "0", "0", "0", "1"),
    )
    assert len(found.tables[1].rows) == 9
    assert found.facts["uniform_kl_nats"]["800"] == 3.0


def test_the_path_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def few(corpora: Sequence[str], vocabulary: Vocabulary, *, progress: object) -> Iterator[list[Forecaster]]:
        """Reading the standard library for an infini-gram takes longer than all the rest."""
        for spec in ("uniform", "unigram:tiny"):
            yield [open_forecaster(spec, vocabulary, open_target=open_target)]

    monkeypatch.setattr(workshop, "text_references", few)
    monkeypatch.setattr(workshop, "QUICK_PROMPTS", 10)
    found = run(Workshop(tmp_path, quick=True))
    (target,) = found.facts["targets"]
    numbers = {(one["start"], one["method"]): one for one in target["entries"]}
    assert set(numbers) == {(192, LAST), *((384, method) for method in (LAST, LOGITS, SCALING, FROM_BIGRAM))}
    assert numbers[384, LAST]["kl_nats"]["mean"] < numbers[192, LAST]["kl_nats"]["mean"]
    assert numbers[384, LAST]["gain_over_last"]["mean"] == 0
    assert numbers[384, LOGITS]["coefficient"] == numbers[384, LOGITS]["found"]["coefficient_before"] < 0
    assert [step for step, _ in numbers[384, SCALING]["found"]["curve"]] == [96, 192, 384]
