"""A plan says which checkpoints, how good and by whom; everything that is wrong with one is named by its field."""

from __future__ import annotations

from pathlib import Path

import pytest

from foretell.base.errors import InputError
from foretell.watching.plan import Plan, fill
from tests.watching.running import Running

HEAD = 'schema = "foretell.watch/1"\nrun = "r"\ntokenizer = "tiny"\npool = "p"\nprompts = 4\n'
SCHEDULE = "[schedule]\nevery = 10\nuntil = 40\n"
TOLERANCE = "[[tolerances]]\nfrom_step = 10\ntolerance = 0.5\n"


def test_a_schedule_by_intervals_with_tolerances_that_tighten() -> None:
    tighter = "[[tolerances]]\nfrom_step = 30\ntolerance = 0.2\n"
    plan = Plan.parse((HEAD + SCHEDULE + TOLERANCE + tighter).encode())
    assert plan.steps == [10, 20, 30, 40]
    assert [plan.tolerance(step) for step in plan.steps] == [0.5, 0.5, 0.2, 0.2]
    assert plan.forecaster(10) is None
    assert (plan.helpers.rule, plan.target, plan.score.metric) == ("declared", "hf:{folder}", "kl_nats")


def test_a_schedule_by_list_and_forecasters_from_steps_on(running: Running) -> None:
    plan = Plan.parse(
        running.changed(forecasters=((384, "uniform"), (768, "next:last:{run}@{step}"))).plan_text.encode()
    )
    assert plan.steps == [192, 384, 768]
    assert [plan.forecaster(step) for step in plan.steps] == [None, "uniform", "next:last:{run}@{step}"]


def test_places_are_filled_in() -> None:
    assert fill("model:hf:{last}", last="runs/a/checkpoint-10") == "model:hf:runs/a/checkpoint-10"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"watch\.toml: schema: a watch plan that is wrong: got nothing"),
        (HEAD + TOLERANCE, r"watch\.toml: schedule: a watch plan that is wrong: got nothing"),
        (HEAD + SCHEDULE, r"watch\.toml: tolerances: a watch plan that is wrong: got nothing"),
        (HEAD + "colour = 1\n" + SCHEDULE + TOLERANCE, "colour: .*got a field that no watch plan has"),
        (HEAD.replace("= 4", '= "4"') + SCHEDULE + TOLERANCE, "prompts: a watch plan that is wrong: got '4'"),
        (
            HEAD + SCHEDULE.replace("10", "0") + TOLERANCE,
            "schedule.every: .*got 0, expected greater than or equal to 1",
        ),
        (HEAD + SCHEDULE.replace("40", "45") + TOLERANCE, "schedule.until: .*got 45, expected a multiple of 10"),
        (HEAD + SCHEDULE.replace("40", "0x7fffffff") + TOLERANCE, "schedule.until: .*expected a multiple of 10"),
        (HEAD + "[schedule]\nevery = 10\n" + TOLERANCE, "schedule: .*got one of every and until"),
        (HEAD + "[schedule]\n" + TOLERANCE, "schedule: .*got both ways, or neither"),
        (HEAD + SCHEDULE + "steps = [1]\n" + TOLERANCE, "schedule: .*got both ways, or neither"),
        (HEAD + "[schedule]\nsteps = []\n" + TOLERANCE, "schedule.steps: .*got none"),
        (HEAD + "[schedule]\nsteps = [20, 10]\n" + TOLERANCE, "schedule.steps: .*got step 10 after 20"),
        (HEAD + "[schedule]\nsteps = [20, 20]\n" + TOLERANCE, "schedule.steps: .*got step 20 after 20"),
        (HEAD + SCHEDULE + TOLERANCE + TOLERANCE, "tolerances: .*got step 10 after 10"),
        (HEAD + "[schedule]\nsteps = [5]\n" + TOLERANCE, "tolerances: .*got none before step 10, expected one for"),
        (HEAD + SCHEDULE + TOLERANCE.replace("0.5", "0.0"), "tolerances.0.tolerance: .*expected greater than 0"),
        (HEAD + SCHEDULE + TOLERANCE + "[score]\ncap = 0.4\n", "tolerances: .*got 0.5 from step 10, expected below"),
        (HEAD + SCHEDULE + TOLERANCE + '[score]\nmetric = "nats"\n', "score.metric: .*got 'nats'"),
        (HEAD + 'target = "tiny"\n' + SCHEDULE + TOLERANCE, "target: .*expected {folder} in it"),
        (HEAD + 'references = ["model:{next}"]\n' + SCHEDULE + TOLERANCE, "references: .*got {next} in 'model:{next}'"),
        (
            HEAD + SCHEDULE + TOLERANCE + '[[forecasters]]\nfrom_step = 1\nspec = "x:{folder}"\n',
            "forecasters from step 1: .*got {folder} in 'x:{folder}', expected only {run}, {step}, {last}",
        ),
        ("schema = ", r"watch\.toml: not a watch plan: got .*, expected TOML in UTF-8"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Plan.parse(text.encode())


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no watch plan: got no such file"):
        Plan.read(tmp_path / "watch.toml")
    with pytest.raises(InputError, match="no watch plan: got a folder"):
        Plan.read(tmp_path)
