"""`next:METHOD:RUN@STEP`: a checkpoint of a training run forecast from those of the run that come before it.

last. What the latest earlier checkpoint says.

logits. On the line (see `extrapolation`) from the checkpoint before the latest through the latest. How far to go is
measured on the transition before: the coefficient that would have forecast the latest best from the two before it. One
above 0 extrapolates, and is scaled by the logarithm of the steps ahead over that of the steps behind. One below 0 is a
mean of the two checkpoints, which evens out what training moved to and fro; it is kept as it is, because a mean has no
distance to go. Three earlier checkpoints are needed, since with two nothing is measured.

scaling. The reference curve is the mean KL divergence of a text-only reference from each earlier checkpoint. A power
law is fitted to it and says what it will be at STEP. The forecast is on the line from the reference through the latest
checkpoint, as far out as the law says: what the model has learned beyond the reference, made stronger. For the
reference 'uniform' this sharpens or flattens the latest checkpoint by a temperature. Three are needed here too.

Nothing of a checkpoint at STEP or later is opened, whether it exists or not. The earlier ones may be asked about the
very prompts that are forecast, and are: what is measured, is measured on practice prompts where they are given, and
else on a sample of the prompts to be forecast.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from foretell.base.errors import InputError, VocabularyError
from foretell.distributions import Block, DenseBlock, Distributions, TokenizedPrompt, Vocabulary
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.extrapolation import along
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.next_rules import Choice, Line, PaceRule, Rule, ScalingRule, practice_sample, require_finite
from foretell.forecasters.surrogate import SurrogateForecaster
from foretell.forecasters.training_run import Checkpoint, earlier_checkpoints, require_tokenizer
from foretell.targets.target import Target

LAST, LOGITS, SCALING = "last", "logits", "scaling"
#: How many earlier checkpoints each method needs.
NEEDED = {LAST: 1, LOGITS: 3, SCALING: 3}
#: The reference of a scaling curve, where none is named: it needs no text.
REFERENCE = "uniform"
_REQUEST = re.compile(
    r"next:(?P<method>[a-z]+):(?P<run>.+?)@(?P<step>\d+)(?::from=(?P<until>\d+))?(?::reference=(?P<reference>.+))?"
)
_DIGITS = 6
Open = Callable[[str], Target]


@dataclass(frozen=True)
class Request:
    """What a spec asks for.

    Attributes:
        until: use no checkpoint after this step; None for all before `step`.
        reference: the spec of a text-only forecaster, for scaling.
    """

    method: str
    run: str
    step: int
    until: int | None = None
    reference: str = REFERENCE


def read_request(spec: str) -> Request:
    """The parts of a spec.

    Raises:
        InputError: not one of these specs.

    >>> read_request("next:scaling:runs/a@400:from=100:reference=ngram:2:stdlib")
    Request(method='scaling', run='runs/a', step=400, until=100, reference='ngram:2:stdlib')
    """
    found = _REQUEST.fullmatch(spec)
    if found is None or found["method"] not in NEEDED or (found["reference"] and found["method"] != SCALING):
        raise InputError(
            "no forecast of a next checkpoint",
            where="forecaster spec",
            got=repr(spec),
            expected=f"next:METHOD:RUN@STEP, METHOD one of {', '.join(NEEDED)}",
            fix="RUN is a folder with checkpoint-N or step-N in it, or tiny; :from=K may follow, and for scaling "
            ":reference=SPEC after that, with a text-only forecaster.",
        )
    until = None if found["until"] is None else int(found["until"])
    return Request(found["method"], found["run"], int(found["step"]), until, found["reference"] or REFERENCE)


def open_next(
    spec: str,
    vocabulary: Vocabulary,
    open_target: Open,
    *,
    open_reference: Callable[[str], Forecaster],
    practice: Distributions | None = None,
    model_kind: str | None = None,
) -> Forecaster:
    """The forecaster of a spec; every earlier checkpoint that it uses is opened once, so that its record names it.

    Args:
        open_reference: opens a text-only reference by its spec; called for scaling only.
        practice: its prompts serve to measure on; its distributions are not read.
        model_kind: what 'last' asks the checkpoint for, see `SurrogateForecaster`.

    Raises:
        InputError: a bad spec, no such run, or too few checkpoints before STEP.
        VocabularyError: a checkpoint or the practice is in another vocabulary.
    """
    asked = read_request(spec)
    earlier = earlier_checkpoints(spec, asked.run, asked.step, until=asked.until, least=NEEDED[asked.method])
    used = {LAST: earlier[-1:], LOGITS: earlier[-3:], SCALING: earlier}[asked.method]
    facts = {"forecaster": "next checkpoint", "method": asked.method, "run": asked.run, "step": asked.step}
    facts |= {"from_steps": [one.step for one in used]}

    for checkpoint in used:
        require_tokenizer(checkpoint)

    def opened(checkpoint: Checkpoint, kind: str | None = "dense") -> SurrogateForecaster:
        return SurrogateForecaster(spec, open_target(checkpoint.target), vocabulary, kind)

    if asked.method == LAST:
        return LastCheckpoint(facts, opened(used[-1], model_kind))
    if asked.method == LOGITS:
        line, rule = _towards_later(used, asked.step, opened)
    else:
        line, rule = _away_from_text(open_reference(asked.reference), used, asked.step, opened)
    prompts = None if practice is None else _practice_prompts(spec, practice, vocabulary)
    return LineForecaster(spec, facts, line, rule, vocabulary.size, prompts)


def _towards_later(
    used: Sequence[Checkpoint], ahead: int, opened: Callable[[Checkpoint], SurrogateForecaster]
) -> tuple[Line, Rule]:
    oldest, base, latest = (opened(one) for one in used)
    line = Line(base, latest, [_identity(one) for one in (oldest, base, latest)])
    return line, PaceRule(oldest, [one.step for one in used], ahead)


def _away_from_text(
    reference: Forecaster, used: Sequence[Checkpoint], ahead: int, opened: Callable[[Checkpoint], SurrogateForecaster]
) -> tuple[Line, Rule]:
    # All but the latest are opened again when they are measured: a run may have more than memory holds at once.
    models = [_identity(opened(one)) for one in used[:-1]]
    latest = opened(used[-1])
    others = [(one.step, partial(opened, one)) for one in used[:-1]]
    return Line(reference, latest, [*models, _identity(latest)]), ScalingRule(others, used[-1].step, ahead)


def _identity(model: SurrogateForecaster) -> dict[str, Any]:
    return model.target.identity.record()


def _practice_prompts(spec: str, practice: Distributions, vocabulary: Vocabulary) -> tuple[TokenizedPrompt, ...]:
    own = practice.vocabulary
    if (own.digest, own.size) != (vocabulary.digest, vocabulary.size):
        raise VocabularyError(
            "practice in another vocabulary",
            where=f"{spec}, {practice.folder}",
            got=f"{own.digest} with {own.size} ids",
            expected=f"{vocabulary.digest} with {vocabulary.size} ids",
            fix="Practise on a truth of the same tokenizer.",
        )
    return practice.prompts


class LastCheckpoint:
    """The latest earlier checkpoint, as it is.

    Args:
        facts: of the request, for the record.
    """

    def __init__(self, facts: dict[str, Any], latest: SurrogateForecaster) -> None:
        self.name, self._facts, self._latest = latest.name, facts, latest

    def describe(self) -> dict[str, Any]:
        own = self._latest.describe()
        return self._facts | {"models": [own["model"]], "kind": own["kind"]}

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Check that the checkpoint can read every prompt."""
        self._latest.prepare(prompts)

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        return self._latest.forecast(prompt)


class LineForecaster:
    """A forecast on the line through two others; see the module's first lines.

    Args:
        name: the spec.
        facts: of the request, for the record.
        prompts: to measure the coefficient on; a sample of those to be forecast where None.
    """

    def __init__(
        self,
        name: str,
        facts: dict[str, Any],
        line: Line,
        rule: Rule,
        vocabulary: int,
        prompts: Sequence[TokenizedPrompt] | None,
    ) -> None:
        self.name, self._facts, self._line, self._rule = name, facts, line, rule
        self._vocabulary, self._practice = vocabulary, prompts
        self._choice: Choice | None = None

    def describe(self) -> dict[str, Any]:
        """The models, and once prepared, which coefficient is used and how it was found."""
        choice = self._choice
        return self._facts | {
            "models": self._line.models,
            "line": {"base": self._line.base.name, "base_facts": self._line.base.describe()},
            "measured_on": "the prompts to be forecast" if self._practice is None else "practice prompts",
            "coefficient": None if choice is None else round(choice.coefficient, _DIGITS),
            "found": None if choice is None else choice.found,
        }

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Check that both ends of the line can read every prompt, and measure how far to go.

        Raises:
            ContextError: a prompt is too long for the checkpoints.
            DistributionError: a token has probability zero, so that there is no line.
        """
        for end in (self._line.base, self._line.latest):
            end.prepare(prompts)
        if self._practice is None or self._choice is None:
            sample = practice_sample(prompts if self._practice is None else self._practice, self._vocabulary)
            self._choice = self._rule.choose(self._line, sample, self._vocabulary)

    def forecast(self, prompt: TokenizedPrompt) -> DenseBlock:
        """Both ends are asked about the prompt; `prepare` comes first."""
        assert self._choice is not None
        base, latest = (
            dense_logprobs(end.forecast(prompt), self._vocabulary) for end in (self._line.base, self._line.latest)
        )
        require_finite(self.name, base, latest)
        return DenseBlock(along(base, latest, self._choice.coefficient).astype(np.float32))
