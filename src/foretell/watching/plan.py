"""The plan of a watch: which checkpoints of a training run are forecast, how well they have to be, and by whom.

    schema = "foretell.watch/1"
    run = "stdlib-a"                       # the name of this run in the ledger
    tokenizer = "tiny"                     # whose tokenizer the checkpoints have
    pool = "pool.jsonl"                    # what prompts are drawn from; none is asked twice
    prompts = 40                           # drawn for each checkpoint
    target = "hf:{folder}"                 # how a checkpoint's folder is opened (this is the default)
    references = ["ngram:3:tiny"]          # shown beside each forecast; uniform always is

    [schedule]
    every = 10
    until = 40

    [[tolerances]]                         # each holds from its step until the next one
    from_step = 10
    tolerance = 0.5

    [[forecasters]]                        # optional: what this machine forecasts with, by itself
    from_step = 20
    spec = "next:last:{run}@{step}"

In specs, {run} is the run's folder, {step} the step that is forecast, {last} the folder of the latest checkpoint before
it; in `target`, {folder} is the checkpoint's. Paths are relative to where the command runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from foretell.base.errors import InputError
from foretell.base.toml_models import Form, Part, read_bytes, read_toml, validated
from foretell.verdicts.charter_parts import Count, HelpersPart, Loss, Positive, Text

#: A longer schedule is a slip of the pen.
_MOST_CHECKPOINTS = 100_000
#: What checkpoints are opened as, where the plan does not say.
FOLDER_TARGET = "hf:{folder}"
_PLACES, _TARGET_PLACES = ("run", "step", "last"), ("folder",)
_PLACE = re.compile(r"\{(\w*)\}")
_FORM = Form("watch plan", "docs/watching.md has one to begin with, and explains every field.", "foretell.watch/1")
Step = Annotated[int, Field(ge=0, le=2**53 - 1)]


class SchedulePart(Part):
    """The steps whose checkpoints are forecast: a list, or every so many up to one.

    Attributes:
        steps: rising; or
        every, until: every, 2·every, … up to until.
    """

    steps: list[Count] | None = None
    every: Count | None = None
    until: Count | None = None


class TolerancePart(Part):
    """The tolerance of checkpoints from a step on, in the metric's unit."""

    from_step: Step
    tolerance: Positive


class ForecasterPart(Part):
    """What checkpoints from a step on are forecast with, on this machine."""

    from_step: Step
    spec: Text


Holds = TypeVar("Holds", TolerancePart, ForecasterPart)


class ScoreTerms(Part):
    """What is measured at every checkpoint.

    Attributes:
        cap: by default, the most that a uniform forecast can lose.
    """

    metric: Loss = "kl_nats"
    floor: Annotated[float, Field(ge=0, lt=1)] = 1e-6
    cap: Positive | None = None
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95


class Plan(Part):
    """The whole plan, checked; made by `parse` or `read`.

    Attributes:
        helpers: other models behind a forecast; those that its record names are declared by themselves.
        deadline_days: how long after its charter a forecast is taken, if the checkpoint takes that long.
    """

    schema_: Literal["foretell.watch/1"] = Field(alias="schema")
    run: Text
    tokenizer: Text
    pool: Text
    prompts: Count
    target: Text = FOLDER_TARGET
    references: list[Text] = Field(default_factory=list)
    deadline_days: Annotated[int, Field(ge=1, le=36_500)] = 365
    schedule: SchedulePart
    tolerances: list[TolerancePart] = Field(min_length=1)
    forecasters: list[ForecasterPart] = Field(default_factory=list)
    score: ScoreTerms = ScoreTerms()
    helpers: HelpersPart = HelpersPart(rule="declared")

    @classmethod
    def parse(cls, data: bytes, where: str = "watch.toml") -> Plan:
        """The plan in a file's bytes.

        Raises:
            InputError: not TOML, or the first field that is missing, unknown, wrong, or at odds with another.
        """
        plan = validated(cls, read_toml(data, where, _FORM), where, _FORM)
        for field, got, expected in _contradictions(plan):
            raise InputError(
                "a watch plan that contradicts itself",
                where=f"{where}: {field}",
                got=got,
                expected=expected,
                fix="docs/watching.md explains every field.",
            )
        return plan

    @classmethod
    def read(cls, path: Path) -> Plan:
        """The plan in a file.

        Raises:
            InputError: no such file, or as `parse` says.
        """
        return cls.parse(read_bytes(path, _FORM), str(path))

    @property
    def steps(self) -> list[int]:
        """The scheduled steps, rising."""
        schedule = self.schedule
        if schedule.steps is not None:
            return list(schedule.steps)
        assert schedule.every is not None
        assert schedule.until is not None
        return list(range(schedule.every, schedule.until + 1, schedule.every))

    def tolerance(self, step: int) -> float:
        """The tolerance of a scheduled step."""
        part = _holding(self.tolerances, step)
        assert part is not None  # `parse` sees to it
        return part.tolerance

    def forecaster(self, step: int) -> str | None:
        """What this machine forecasts a step with, its places not filled in; None where the team does by itself."""
        part = _holding(self.forecasters, step)
        return None if part is None else part.spec


def fill(spec: str, **values: str) -> str:
    """A spec with its places filled in.

    >>> fill("next:last:{run}@{step}", run="runs/a", step="20")
    'next:last:runs/a@20'
    """
    return _PLACE.sub(lambda found: values[found[1]], spec)


def _holding(parts: Sequence[Holds], step: int) -> Holds | None:
    """The last part that holds from the step or an earlier one."""
    return next((part for part in reversed(parts) if part.from_step <= step), None)


def _contradictions(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """(field, got, expected) of what no field can see alone."""
    yield from _of_schedule(plan.schedule)
    for field, parts in (("tolerances", plan.tolerances), ("forecasters", plan.forecasters)):
        yield from _rising(field, [part.from_step for part in parts])
    first = plan.steps[0]
    if plan.tolerances[0].from_step > first:
        yield "tolerances", f"none before step {plan.tolerances[0].from_step}", f"one for the first step, {first}"
    if plan.score.cap is not None:
        for part in plan.tolerances:
            if part.tolerance >= plan.score.cap:
                yield (
                    "tolerances",
                    f"{part.tolerance:g} from step {part.from_step}",
                    f"below the cap {plan.score.cap:g}",
                )
    specs = [*((f"forecasters from step {part.from_step}", part.spec) for part in plan.forecasters)]
    specs += [("references", spec) for spec in plan.references]
    for field, spec in specs:
        yield from _places(field, spec, _PLACES)
    yield from _places("target", plan.target, _TARGET_PLACES)
    if "{folder}" not in plan.target:
        yield "target", repr(plan.target), "{folder} in it: each checkpoint is another target"


def _of_schedule(schedule: SchedulePart) -> Iterator[tuple[str, str, str]]:
    by_list = schedule.steps is not None
    if by_list == (schedule.every is not None or schedule.until is not None):
        yield "schedule", "both ways, or neither", "either steps, or every and until"
    elif schedule.steps is not None:
        if not schedule.steps:
            yield "schedule.steps", "none", "at least one step"
        yield from _rising("schedule.steps", schedule.steps)
    elif schedule.every is None or schedule.until is None:
        yield "schedule", "one of every and until", "both"
    elif schedule.until % schedule.every or schedule.until // schedule.every > _MOST_CHECKPOINTS:
        expected = f"a multiple of {schedule.every}, at most {_MOST_CHECKPOINTS} times"
        yield "schedule.until", str(schedule.until), expected


def _rising(field: str, steps: Iterable[int]) -> Iterator[tuple[str, str, str]]:
    before = -1
    for step in steps:
        if step <= before:
            yield field, f"step {step} after {before}", "rising steps"
        before = step


def _places(field: str, spec: str, known: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for name in _PLACE.findall(spec):
        if name not in known:
            yield field, f"{{{name}}} in {spec!r}", "only " + ", ".join(f"{{{one}}}" for one in known)
