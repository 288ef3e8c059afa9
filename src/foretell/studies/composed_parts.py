"""What study 9 composes: two checkpoints, forecasts of each of several qualities, and the ways of composing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from foretell.distributions import Block, DenseBlock, TokenizedPrompt, Vocabulary
from foretell.distributions.combining import logarithmic_pool
from foretell.forecasters.composed import ComposedForecaster
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.surrogate import SurrogateForecaster
from foretell.studies.workshop import Workshop
from foretell.targets.composite import CompositeTarget, open_composite
from foretell.targets.composite_definition import Definition, PlacedPart, read_rule
from foretell.targets.composite_rules import SCHEMA, Pipeline

#: The parts, in the order in which a rule with roles takes them: the first drafts, the second judges.
EARLY, LATE = "tiny@768", "tiny"
#: The checkpoint of each part's training that stands for what was known before.
EARLIER = {EARLY: "tiny@384", LATE: "tiny@1536"}


@dataclass(frozen=True)
class Level:
    """A quality of forecasts: of each part by its 8-bit copy, or by what lies between it and an earlier checkpoint.

    Attributes:
        share: of the earlier checkpoint in the logarithmic mean with the part; None for the 8-bit copy.
    """

    name: str
    share: float | None

    def spec_of(self, part: str) -> str:
        """What the forecast of a part is called."""
        if self.share is None:
            return f"model:int8:{part}"
        return f"model:{EARLIER[part]}" if self.share == 1 else f"{part} and {self.share:.0%} {EARLIER[part]}"


LEVELS = (
    Level("8-bit copies", None),
    Level("mixtures", 0.25),
    Level("earlier checkpoints", 1.0),
)


@dataclass(frozen=True)
class Way:
    """A way of composing the two parts.

    Attributes:
        settings: of the definition, besides schema and parts.
        group: what the figure's colour says.
        known: what is proved of a forecast composed by the same rule, in terms of the parts' losses.
    """

    name: str
    settings: Mapping[str, Any]
    group: str
    known: str


_NOTHING = "nothing"
POOLS, ROUTERS, CHAINS, BEST, VERIFIED = "pool", "router", "pipeline", "best of n", "draft and verify"
LINEAR, STRICT = "linear pool", "draft and verify, strict"
_PATTERN = r"(?m)^\s*(def|class|import|return)\b"
WAYS = (
    Way(LINEAR, {"kind": "linear-pool"}, POOLS, "at most the weighted mean of the parts' losses (convexity)"),
    Way("logarithmic pool", {"kind": "logarithmic-pool"}, POOLS, _NOTHING),
    Way(
        "router by pattern",
        {"kind": "router", "rule": "pattern", "pattern": _PATTERN},
        ROUTERS,
        "at each position that of the part that answers; on average at most the sum of the parts' losses",
    ),
    Way("router by confidence", {"kind": "router", "rule": "confidence", "threshold": 0.5}, ROUTERS, _NOTHING),
    Way("pipeline of 4 tokens", {"kind": "pipeline", "tokens": 4}, CHAINS, _NOTHING),
    *(
        Way(
            f"best of {n}",
            {"kind": "best-of-n", "n": n},
            BEST,
            f"at most {n} times the drafter's loss if the judge is known exactly; else nothing",
        )
        for n in (2, 8, 32)
    ),
    Way(STRICT, {"kind": "draft-and-verify", "lenience": 1.0}, VERIFIED, "the verifier's loss"),
    *(
        Way(f"draft and verify, lenience {x:g}", {"kind": "draft-and-verify", "lenience": x}, VERIFIED, _NOTHING)
        for x in (0.5, 0.1)
    ),
)
#: Of a quick run.
QUICK_WAYS = tuple(way for way in WAYS if way.name in (LINEAR, "pipeline of 4 tokens", "best of 8"))


class Between:
    """A forecast whose error is chosen: the logarithmic mean of a model and an earlier checkpoint of it."""

    def __init__(self, name: str, model: Forecaster, earlier: Forecaster, share: float, vocabulary: int) -> None:
        self.name, self._members, self._vocabulary = name, (model, earlier), vocabulary
        self._weights = (1 - share, share)

    def describe(self) -> dict[str, Any]:
        members = [member.describe() for member in self._members]
        return {"forecaster": "between", "members": members, "weights_of": list(self._weights)}

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        for member in self._members:
            member.prepare(prompts)

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        logs = [dense_logprobs(member.forecast(prompt), self._vocabulary) for member in self._members]
        return DenseBlock(logarithmic_pool(logs, self._weights).astype(np.float32))


def definition(way: Way) -> Definition:
    """A way as the definition of a composite of the two parts."""
    content: dict[str, Any] = {"schema": SCHEMA, **way.settings}
    names = _roles(way)
    weight = {"weight": 0.5} if way.group == POOLS else {}
    content["parts"] = [
        {"name": name, "target": target} | weight for name, target in zip(names, (EARLY, LATE), strict=True)
    ]
    rule = read_rule(content, way.name)
    return Definition(Path(way.name), rule, tuple(PlacedPart(part.name, part.target, None) for part in rule.ordered))


def _roles(way: Way) -> tuple[str, ...]:
    return {
        POOLS: ("early", "late"),
        ROUTERS: ("first", "otherwise"),
        CHAINS: ("writer", "reader"),
        BEST: ("drafter", "judge"),
        VERIFIED: ("drafter", "verifier"),
    }[way.group]


def composite(workshop: Workshop, way: Way) -> CompositeTarget:
    """The composite of the parts themselves."""
    return open_composite(way.name, definition(way), workshop.target)


def forecast_of(workshop: Workshop, level: Level, part: str, vocabulary: Vocabulary) -> Forecaster:
    """The forecast of a part at a level."""
    name = level.spec_of(part)
    ask = partial(SurrogateForecaster, vocabulary=vocabulary, kind="dense")
    if level.share is None or level.share == 1:
        return ask(name, workshop.target(name.removeprefix("model:")))
    model, earlier = (ask(f"model:{spec}", workshop.target(spec)) for spec in (part, EARLIER[part]))
    return Between(name, model, earlier, level.share, vocabulary.size)


def composed_forecast(way: Way, level: Level, members: Sequence[Forecaster], vocabulary: Vocabulary) -> Forecaster:
    """The way's rule applied to forecasts of the parts."""
    defined = definition(way)
    named = {part.name: member for part, member in zip(defined.parts, members, strict=True)}
    return ComposedForecaster(f"{way.name} of {level.name}", defined, named, vocabulary)


def asks_other_prompts(way: Way) -> bool:
    """Whether the parts are asked prompts that nobody knows beforehand, so that saved forecasts of them do not do."""
    return isinstance(definition(way).rule, Pipeline)
