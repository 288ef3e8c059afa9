"""The parts of a policy and what each of their fields may be."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from foretell.base.toml_models import Part
from foretell.scoring import ScoreSettings
from foretell.verdicts.charter_parts import Count, Loss, Positive, Text, Track
from foretell.verdicts.evidence_files import Value
from foretell.verdicts.other_evals import InspectSource, JsonSource, LmEvalSource, StatementSource

PartName = Annotated[str, StringConstraints(pattern=r"^[\w.+-]+(?: [\w.+-]+)*$", max_length=100)]
_LEVEL = 0.95


class Evidence(Part):
    """What every part has.

    Attributes:
        name: what the rule calls it.
        not_before, not_after: between which times the evidence has to be from, by its own date; one of another date
            does not count, nor one whose date is unknown.
    """

    name: PartName
    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Evidence:
        if self.not_before is not None and self.not_after is not None and self.not_after < self.not_before:
            raise ValueError("`not_before` before `not_after`")
        return self

    @property
    def dated(self) -> bool:
        """Whether its date matters."""
        return self.not_before is not None or self.not_after is not None


class VerdictPart(Evidence):
    """A pass in the ledger that stands, for a target.

    Attributes:
        target: digest of its weights, or its name in the verdict.
        metric, tolerance, cap: what the pass has to show at least; all three or none of them.
        level, floor, top_k: and how, where the three are given.
        slices: kinds of prompts that it has to cover.
        slice_tolerances: kinds that must meet a tolerance of their own.
        track: 'blind' or 'prospective', if a pass on the open track does not count.
    """

    kind: Literal["verdict"]
    target: Text
    metric: Loss | None = None
    tolerance: Positive | None = None
    cap: Positive | None = None
    level: Annotated[float, Field(gt=0.5, lt=1)] = _LEVEL
    floor: Annotated[float, Field(ge=0, lt=1)] = ScoreSettings().floor
    top_k: Count = ScoreSettings().top_k
    slices: list[Text] = Field(default_factory=list)
    slice_tolerances: dict[Text, Positive] = Field(default_factory=dict)
    track: Track | None = None

    @model_validator(mode="after")
    def _asks_whole(self) -> VerdictPart:
        asked = [self.metric, self.tolerance, self.cap]
        if None in asked and (any(one is not None for one in asked) or self.slice_tolerances):
            raise ValueError("metric, tolerance and cap together: a cap near the tolerance would be met by anything")
        return self


class Conditioned(Evidence):
    """What every part has that reads a file.

    Attributes:
        at_least, at_most: bounds that the value may touch.
        equals: a number, a word or a truth value, instead.
    """

    at_least: float | None = None
    at_most: float | None = None
    equals: Value | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> Conditioned:
        bounds = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if bool(bounds) == (self.equals is not None):
            raise ValueError("`at_least`, `at_most` or both, or else `equals`")
        if len(bounds) > 1 and bounds[0] > bounds[1]:
            raise ValueError("`at_least` up to `at_most`")
        return self

    @property
    def asks(self) -> str:
        """The condition in words."""
        if self.equals is not None:
            return f"{_words(self.equals)} is asked"
        bounds = [("at least", self.at_least), ("at most", self.at_most)]
        return " and ".join(f"{name} {bound:g}" for name, bound in bounds if bound is not None) + " is asked"


def _words(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)


class RunPart(Conditioned):
    """What a part has that reads a program's run on a model.

    Attributes:
        model: its name as the file has it; another model's run does not count. Whichever it is where None.
        partial: whether a run on a part of the samples counts.
    """

    model: Text | None = None
    partial: bool = False


class LmEvalPart(RunPart, LmEvalSource):
    """A figure of lm-eval."""


class InspectPart(RunPart, InspectSource):
    """A figure of Inspect."""


class JsonPart(Conditioned, JsonSource):
    """A value in any JSON."""


class StatementPart(Conditioned, StatementSource):
    """A value in a signed statement."""


FilePart: TypeAlias = LmEvalPart | InspectPart | JsonPart | StatementPart
PolicyPart: TypeAlias = Annotated[
    VerdictPart | LmEvalPart | InspectPart | JsonPart | StatementPart, Field(discriminator="kind")
]
