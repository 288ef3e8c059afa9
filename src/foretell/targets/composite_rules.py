"""The kinds of composites and what each field of a definition may be; how they compute is in `composing.py`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

SCHEMA = "foretell.composite/1"
#: A part's name, which a forecaster's spec repeats before `=`.
NAME = r"[a-z][a-z0-9-]{0,39}"
#: Weights may be written as decimals: their sum may be so far from 1, and they are divided by it.
_SUM_TOLERANCE = 1e-6
_MOST_PARTS, _MOST_DRAWS, _MOST_TOKENS = 32, 10_000, 1024


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, RecursionError) as error:
        raise ValueError(f"a regular expression that Python reads ({error})") from error
    return pattern


Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Pattern = Annotated[Text, AfterValidator(_compiles)]
Share = Annotated[float, Field(gt=0, le=1)]


class _Table(BaseModel):
    """A table of the file: nothing unknown, nothing converted, nothing changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Part(_Table):
    """A part by its name and the spec of its target."""

    name: Name
    target: Text


class WeightedPart(Part):
    """A member of a pool."""

    weight: Share


class Rule(_Table):
    """What every definition has.

    Attributes:
        roles: names that the parts of this kind have, in the order in which the rule takes them; any where empty.
    """

    roles: ClassVar[tuple[str, ...]] = ()
    schema_: Literal["foretell.composite/1"] = Field(alias="schema")
    parts: Sequence[Part]

    @model_validator(mode="after")
    def _check_names(self) -> Rule:
        names = [part.name for part in self.parts]
        if len(set(names)) < len(names):
            raise ValueError(f"parts with names of their own, not {', '.join(names)}")
        if self.roles and set(names) != set(self.roles):
            raise ValueError(f"the parts {' and '.join(self.roles)}, not {', '.join(names)}")
        return self

    @property
    def ordered(self) -> list[Part]:
        """The parts in the order in which the rule takes them."""
        return sorted(self.parts, key=lambda part: self.roles.index(part.name)) if self.roles else list(self.parts)

    def settings(self) -> dict[str, Any]:
        """Kind and parameters, without the parts."""
        return self.model_dump(by_alias=True, exclude={"parts"})


class Pool(Rule):
    """A mean of all parts."""

    parts: Annotated[list[WeightedPart], Field(min_length=2, max_length=_MOST_PARTS)]

    @model_validator(mode="after")
    def _check_weights(self) -> Pool:
        total = math.fsum(part.weight for part in self.parts)
        if abs(total - 1) > _SUM_TOLERANCE:
            raise ValueError(f"weights that sum to 1, not to {total:.6g}")
        return self

    @property
    def weights(self) -> list[float]:
        """Of the parts, divided by their sum."""
        total = math.fsum(part.weight for part in self.parts)
        return [part.weight / total for part in self.parts]


class LinearPool(Pool):
    """p(x) = Σᵢ wᵢ pᵢ(x)."""

    kind: Literal["linear-pool"]


class LogarithmicPool(Pool):
    """p(x) ∝ Πᵢ pᵢ(x)^wᵢ."""

    kind: Literal["logarithmic-pool"]


class _TwoParts(Rule):
    parts: Annotated[list[Part], Field(min_length=2, max_length=2)]


class _Router(_TwoParts):
    roles = ("first", "otherwise")
    kind: Literal["router"]


class PatternRouter(_Router):
    """The first part where the pattern is found in the text so far, else the other."""

    rule: Literal["pattern"]
    pattern: Pattern


class ConfidenceRouter(_Router):
    """The first part where its likeliest token has at least this probability, else the other."""

    rule: Literal["confidence"]
    threshold: Share


class Pipeline(_TwoParts):
    """The writer goes on greedily by so many tokens; the reader reads these before the prompt."""

    roles = ("writer", "reader")
    kind: Literal["pipeline"]
    tokens: Annotated[int, Field(ge=1, le=_MOST_TOKENS)]


class BestOfN(_TwoParts):
    """Of n draws from the drafter, the one to which the judge gives the highest probability."""

    roles = ("drafter", "judge")
    kind: Literal["best-of-n"]
    n: Annotated[int, Field(ge=1, le=_MOST_DRAWS)]


class DraftAndVerify(_TwoParts):
    """Speculative sampling: the drafter's token where the verifier accepts it, leniently or not."""

    roles = ("drafter", "verifier")
    kind: Literal["draft-and-verify"]
    lenience: Share = 1.0


#: By kind, and for routers by rule.
RULES: dict[tuple[str, str], type[Rule]] = {
    ("linear-pool", ""): LinearPool,
    ("logarithmic-pool", ""): LogarithmicPool,
    ("router", "pattern"): PatternRouter,
    ("router", "confidence"): ConfidenceRouter,
    ("pipeline", ""): Pipeline,
    ("best-of-n", ""): BestOfN,
    ("draft-and-verify", ""): DraftAndVerify,
}
