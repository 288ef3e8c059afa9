"""`composed:FILE:NAME=SPEC,…`: what one predicts of a composite from forecasts of its parts, by the same rule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foretell.base.errors import InputError
from foretell.distributions import DenseBlock, TokenizedPrompt, Vocabulary
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.forecaster import Forecaster
from foretell.targets.composing import Answerer, compose, readings, scratchpads
from foretell.targets.composite_definition import Definition
from foretell.targets.composite_rules import NAME, Pipeline, Pool

_FORM = re.compile(rf"(.+?):({NAME}=.+)", re.DOTALL)


class ComposedForecaster:
    """A composite's rule applied to forecasts of its parts, as the composite applies it to the parts themselves.

    A member that lists its top tokens only has its rest spread evenly over the others.

    Args:
        definition: of the composite that is forecast.
        members: a forecaster for each of its parts, by the part's name.
    """

    def __init__(
        self, name: str, definition: Definition, members: Mapping[str, Forecaster], vocabulary: Vocabulary
    ) -> None:
        self.name, self.rule, self.vocabulary = name, definition.rule, vocabulary
        self.members = {part.name: members[part.name] for part in definition.parts}
        self._readings: dict[str, tuple[TokenizedPrompt, list[TokenizedPrompt]]] = {}

    def describe(self) -> dict[str, Any]:
        weights = self.rule.weights if isinstance(self.rule, Pool) else [None] * len(self.members)
        return {
            "forecaster": "composed",
            "composite": self.rule.settings(),
            "members": [
                {"part": part, "name": member.name} | ({} if weight is None else {"weight": weight}) | member.describe()
                for (part, member), weight in zip(self.members.items(), weights, strict=True)
            ],
            "rest_of_top_k": "even",
        }

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Check that every member can answer what it will be asked; a pipeline's writer writes here already.

        Each thing that it writes is the prompt of the next, so the writer is prepared anew for every token, with all
        prompts of that step; what cannot answer prompts that nobody knew, such as a file, is refused by this.
        """
        if not isinstance(self.rule, Pipeline):
            for member in self.members.values():
                member.prepare(prompts)
            return
        writer, reader = self.members.values()

        def write(asked: Sequence[TokenizedPrompt]) -> list[np.ndarray]:
            writer.prepare(asked)
            return self._answers(writer)(asked)

        found = readings(prompts, scratchpads(self.rule, write, prompts), self.vocabulary)
        reader.prepare([one for own in found for one in own])
        self._readings = {prompt.id: (prompt, own) for prompt, own in zip(prompts, found, strict=True)}

    def forecast(self, prompt: TokenizedPrompt) -> DenseBlock:
        """The rule applied to what the members say.

        Raises:
            InputError: of a pipeline, a prompt that `prepare` was not given.
            DistributionError: members of a logarithmic pool that rule out each other's tokens.
        """
        answerers = [self._answers(member) for member in self.members.values()]
        if not isinstance(self.rule, Pipeline):
            return DenseBlock(compose(self.rule, answerers, [prompt], self.vocabulary, self.name)[0])
        known, asked = self._readings.get(prompt.id, (None, []))
        if known != prompt:
            raise InputError(
                "a prompt that the pipeline has not read",
                where=f"{self.name} (prompt {prompt.id!r})",
                got="another prompt, or other positions",
                expected="the prompts of prepare()",
                fix="Prepare the forecaster with all prompts first.",
            )
        return DenseBlock(np.concatenate(answerers[1](asked)).astype(np.float32))

    def _answers(self, member: Forecaster) -> Answerer:
        size = self.vocabulary.size
        return lambda prompts: [dense_logprobs(member.forecast(prompt), size) for prompt in prompts]


def split_members(spec: str, rest: str) -> tuple[str, str]:
    """FILE and NAME=SPEC,… of what follows 'composed:'.

    Raises:
        InputError: it has not this form.

    >>> split_members("composed:…", "best.toml:drafter=model:tiny@96,judge=ngram:3:tiny")
    ('best.toml', 'drafter=model:tiny@96,judge=ngram:3:tiny')
    """
    found = _FORM.fullmatch(rest)
    if found is None:
        raise _refused(spec, "no part with its forecaster", "composed:FILE:NAME=SPEC,NAME=SPEC")
    return found[1], found[2]


def read_members(spec: str, members: str, definition: Definition) -> dict[str, str]:
    """The forecaster's spec of each part; a comma ends one only where a part's name and = follow.

    Raises:
        InputError: a part without a forecaster, with two, or a name that is no part's.
    """
    names = [part.name for part in definition.parts]
    starts = list(re.finditer(rf"(?:^|,)({'|'.join(map(re.escape, names))})=", members))
    given = [start[1] for start in starts]
    expected = f"one forecaster for each of {', '.join(names)}"
    if not starts or starts[0].start() > 0:
        raise _refused(spec, repr(members.partition("=")[0]), expected)
    if sorted(given) != sorted(names):
        twice = next((name for name in given if given.count(name) > 1), None)
        absent = [name for name in names if name not in given]
        raise _refused(spec, f"{twice} twice" if twice else f"none for {', '.join(absent)}", expected)
    ends = [start.start() for start in starts[1:]] + [len(members)]
    return {start[1]: members[start.end() : end] for start, end in zip(starts, ends, strict=True)}


def _refused(spec: str, got: str, expected: str) -> InputError:
    return InputError(
        "members that do not fit the composite",
        where=spec,
        got=got,
        expected=expected,
        fix="Name every part of the definition file once: composed:FILE:drafter=model:tiny@768,judge=ngram:5:stdlib. "
        "Where a composite is forecast by its own parts, give these other names than the outer parts have.",
    )
