"""The knee by made numbers: each of its states, and sentences that change with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foretell.studies.knee import Climber, Ladder, answer, below, sentence, state
from foretell.studies.s01_knee import findings
from tests.studies.conftest import record

SHOWN = Ladder(
    "tiny",
    3072,
    record(2.0, 1.9, 2.1),
    (Climber("uniform", record(4.4, 4.3, 4.5)), Climber("ngram:5:tiny", record(2.1, 2.0, 2.2))),
    (
        Climber("model:tiny@384", record(1.95, 1.8, 2.05), 1 / 8, record(0.02, -0.1, 0.1)),
        Climber("model:tiny@1536", record(0.5, 0.45, 0.6), 1 / 2, record(0.75, 0.7, 0.8)),
    ),
    tuple(Climber(f"ngram:5:stdlib/{n}", record(2.0 + n / 8, 2.0, 9.0), 1 / n) for n in (64, 16, 4, 1)),
    record(0.05, 0.0, 0.1),
    record(0.04, 0.0, 0.09),
)
COPY = Climber("model:int8:smollm2", record(1.2, 1.0, 1.4), None, record(0.4, 0.3, 0.5))
STATES = {
    "knee": SHOWN,
    "text goes on": replace(SHOWN, text_gain=record(0.4, 0.3, 0.5)),
    "undecided": replace(SHOWN, order_gain=record(0.15, 0.05, 0.3)),
    "no model below": replace(SHOWN, models=SHOWN.models[:1]),
}


@pytest.mark.parametrize("expected", STATES)
def test_each_state_has_its_sentence(expected: str) -> None:
    found = sentence(STATES[expected])
    assert state(STATES[expected]) == expected
    opening = {
        "knee": "tiny: a knee. The best text-only pool is at 2 nats (1.9 to 2.1), model:tiny@1536 at 0.5 nats",
        "text goes on": "tiny: no knee. The best text-only pool is at 2 nats",
        "undecided": "tiny: a knee is not decided.",
        "no model below": "tiny: no knee. No model-based forecaster is shown below the text-only 2 nats (1.9 to 2.1); "
        "the nearest is model:tiny@384",
    }
    assert found.startswith(opening[expected])
    assert ("a knee." in found) is (expected == "knee")


def test_skill_that_may_be_zero_or_is_not_known_is_not_below() -> None:
    assert [model.name for model in below(SHOWN)] == ["model:tiny@1536"]
    for skill in (None, {"unscored": "no prompts"}, record(0.1, 0.0, 0.2)):
        assert below(replace(SHOWN, models=(replace(SHOWN.models[1], skill=skill),))) == []


def test_one_gain_that_is_open_leaves_the_knee_open() -> None:
    open_gain, large = record(0.1, -0.1, 0.2), record(0.3, 0.22, 0.4)
    assert state(replace(SHOWN, text_gain=open_gain)) == state(replace(SHOWN, order_gain=open_gain)) == "undecided"
    assert state(replace(SHOWN, text_gain=large)) == state(replace(SHOWN, order_gain=large)) == "text goes on"


def test_what_is_said_of_training_follows_the_numbers() -> None:
    early = replace(SHOWN, target="tiny@96", step=96, pool=record(1.0, 0.9, 1.1), models=())
    rising = answer([early, SHOWN], SHOWN)
    assert any("rises: 1 nats (0.9 to 1.1) for tiny@96, 2 nats (1.9 to 2.1) for tiny" in line for line in rising)
    assert "An earlier checkpoint is shown below the text-only pool for tiny." in rising
    assert not any("more text makes" in line for line in rising)
    assert rising[-1] == "Of 2 checkpoints a knee is shown for tiny."
    ahead = answer([replace(early, text_gain=record(-0.3, -0.4, -0.2)), SHOWN], SHOWN)
    assert any(line.startswith("For tiny@96 more text makes the 5-gram worse (−0.3 nats") for line in ahead)
    same = answer([replace(early, pool=record(2.0, 1.8, 2.2)), STATES["undecided"]], STATES["undecided"])
    assert any("no change is shown" in line for line in same)
    assert same[-1] == "Of 2 checkpoints a knee is shown for none, and not decided for tiny."


def test_the_page_draws_all_of_it() -> None:
    early = replace(SHOWN, target="tiny@96", step=96, models=())
    found = findings([early, SHOWN], SHOWN)
    assert [table.title.partition(":")[0] for table in found.tables] == ["tiny", "tiny@96"]
    drawn = str(found.figure.to_dict())
    for series in ("best text-only pool", "the checkpoint before", "checkpoint after a share", "5-gram of a share"):
        assert series in drawn
    assert [ladder["state"] for ladder in found.facts["ladders"]] == ["no model below", "knee"]


def test_a_target_without_checkpoints_has_its_dial_alone() -> None:
    other = replace(SHOWN, target="smollm2", step=None, models=(COPY,))
    found = findings([other], other)
    assert len(found.answer) == 1
    assert found.answer[0].startswith("smollm2: a knee.")
    drawn = str(found.figure.to_dict())
    assert "other models" in drawn
    assert "training step" not in drawn
    assert found.caption.startswith("The dials for smollm2")
