"""The tables of a ladder and what each of their fields may be; `ladder.py` has what they owe each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from foretell.base.toml_models import Part
from foretell.lineage import Strictness, shortfalls
from foretell.verdicts.charter_parts import Count, Loss, Positive, Text, Track
from foretell.verdicts.other_evals import InspectSource, JsonSource, LmEvalSource

#: Stands for a model's name in the pattern of its results.
MODEL = "{model}"
#: How training compute is counted: 6 × parameters × tokens, or as whoever registers a model says.
COUNTED, GIVEN = "6ND", "given"
#: What may have helped with a forecast that counts, from the strictest on.
HELPERS = ("none", "approved", "declared")

#: A signing key as it stands in the first line of a NAME.pub: its name, a hash, and the key itself.
Key = Annotated[str, StringConstraints(pattern=r"^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$")]


class ComputePart(Part):
    """How training compute is counted.

    Attributes:
        rule: '6ND' takes models only whose compute is 6 × parameters × tokens; 'given' takes any.
    """

    rule: Literal["6ND", "given"]


class RequirementPart(Part):
    """What the models of a batch must have passed before more compute is spent.

    Attributes:
        metric, tolerance, cap, level, floor, top_k, slice_tolerances: as a charter has them; a pass counts if its
            charter is at least as strict.
        slices: kinds of prompts that its pool must have had.
        track: blind and prospective exclude passes on the open track.
        helpers: 'none' excludes forecasts with declared help, 'approved' those whose charter let help go unapproved.
        every_model: whether no registered model of a batch may be left without such a pass.
        at_least: how many models of a batch must have one.
        reach: share of a rung's limit that the largest of them must have taken, so that a batch just above the limit
            below cannot unlock what is far above it.
    """

    metric: Loss
    tolerance: Positive
    cap: Positive
    level: Annotated[float, Field(gt=0.5, lt=1)]
    floor: Annotated[float, Field(ge=0, lt=1)]
    top_k: Count = 10
    track: Track
    helpers: Literal["none", "approved", "declared"]
    slices: list[Text] = Field(default_factory=list)
    slice_tolerances: dict[Text, Positive] = Field(default_factory=dict)
    every_model: bool
    at_least: Count
    reach: Annotated[float, Field(ge=0, le=1)] = 0.0

    @property
    def strictness(self) -> Strictness:
        """As what a pass is compared with."""
        return Strictness(
            self.metric,
            self.tolerance,
            self.cap,
            self.floor,
            self.level,
            self.top_k,
            self.track,
            frozenset(self.slices),
            dict(self.slice_tolerances),
        )

    def milder_than(self, other: RequirementPart) -> Iterator[str]:
        """How some batch may meet this and not the other requirement: in words, nothing where none may."""
        if self.metric != other.metric:
            yield f"the loss is {self.metric}, not {other.metric}"
        for words in shortfalls(self.strictness, other.strictness, other.slices):
            yield f"a pass is enough that was not: {words}"
        if HELPERS.index(self.helpers) > HELPERS.index(other.helpers):
            yield f"help with forecasts: {self.helpers}, not {other.helpers}"
        if other.every_model and not self.every_model:
            yield "not every model of the batch has to count"
        if self.at_least < other.at_least:
            yield f"at least {self.at_least} of a batch have to count, not {other.at_least}"
        if self.reach < other.reach:
            yield f"the largest of them takes {self.reach:g} of the limit, not {other.reach:g}"


class RungPart(Part):
    """One step of training compute, from the limit of the rung below to its own; stricter in what is given here.

    Attributes:
        up_to_flop: the most that a training may take when this rung is unlocked.
    """

    name: Text
    up_to_flop: Positive
    tolerance: Positive | None = None
    cap: Positive | None = None
    level: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    floor: Annotated[float, Field(ge=0, lt=1)] | None = None
    track: Track | None = None
    helpers: Literal["none", "approved", "declared"] | None = None
    slices: list[Text] | None = None
    slice_tolerances: dict[Text, Positive] | None = None
    every_model: bool | None = None
    at_least: Count | None = None
    reach: Annotated[float, Field(ge=0, le=1)] | None = None

    def requirement(self, general: RequirementPart) -> RequirementPart:
        """What the models of this rung must have passed before the next one is unlocked."""
        own: dict[str, Any] = self.model_dump(exclude={"name", "up_to_flop"}, exclude_none=True)
        return general.model_copy(update=own)


Source = Annotated[LmEvalSource | InspectSource | JsonSource, Field(discriminator="kind")]


class StepPart(Part):
    """A result from which on a tolerance holds."""

    at_least: float
    tolerance: Positive


class CapabilityPart(Part):
    """A benchmark whose result makes the tolerance tighter: the more a model can do, the better it must be foreseen.

    Attributes:
        source: which number of which file, as in a policy; the file is below the folder of results, {model} in its
            path stands for the model's name (see `ladder_results.file_name`), * for anything.
        steps: rising results with falling tolerances, in the unit of the requirement's metric.
    """

    benchmark: Text
    source: Source
    steps: list[StepPart] = Field(min_length=1)

    def tolerance(self, result: float) -> float | None:
        """The tolerance from which on a result asks for; None below the first step.

        >>> steps = [StepPart(at_least=0.3, tolerance=0.4), StepPart(at_least=0.6, tolerance=0.2)]
        >>> source = JsonSource(kind="json", file="{model}.json", pointer="/score")
        >>> table = CapabilityPart(benchmark="sums", source=source, steps=steps)
        >>> [table.tolerance(result) for result in (0.29, 0.3, 0.59, 0.6)]
        [None, 0.4, 0.4, 0.2]
        """
        reached = [step.tolerance for step in self.steps if result >= step.at_least]
        return reached[-1] if reached else None

    @property
    def strictest(self) -> float:
        """The tolerance of the last step: no result asks for less."""
        return self.steps[-1].tolerance


class LadderParts(Part):
    """All that a ladder says.

    Attributes:
        evaluators: signing keys of others whose verdicts count, besides whoever signs the ladder.
        rungs: with rising limits. Models of the first need nothing below them.
        leave_out: registered models that no batch holds, with the reason.
    """

    schema_: Literal["foretell.ladder/1"] = Field(alias="schema")
    title: Text
    evaluators: list[Key] = Field(default_factory=list)
    compute: ComputePart
    requirement: RequirementPart
    rungs: list[RungPart] = Field(min_length=1)
    capability: list[CapabilityPart] = Field(default_factory=list)
    leave_out: dict[Text, Text] = Field(default_factory=dict)
