"""Read a forecast, known forecasters and a truth side by side, as far as undeclared models are looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Unscored
from foretell.base.progress import Progress, quiet
from foretell.distributions import Block, Distributions, TokenizedPrompt, rows
from foretell.distributions.pairing import check_same_questions
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.forecaster import Forecaster
from foretell.information.undeclared.layer_trace import TracedWidth, traced_width
from foretell.information.undeclared.tracking import cross_moments, tracking
from foretell.information.undeclared.undeclared import LEVEL, Inspection, Suspicion, suspicion
from foretell.verdicts.named_models import named_models

Float64 = NDArray[np.float64]
Answers = Callable[[TokenizedPrompt], Block]

#: Positions that are looked at, of prompts drawn at random, and tokens for the rank: at most these.
MOST_POSITIONS, MOST_TOKENS = 2048, 4096
#: Probabilities that are held at once of each forecaster, in float64: 8 MiB.
_CELLS = 2**20
#: So much of every distribution is replaced by uniform, so that no log-probability is infinite: as in the score.
_FLOOR = 1e-6
_SEED = 0


@dataclass(frozen=True)
class Known:
    """A forecaster whose answers are at hand.

    Attributes:
        text_only: it knows text and no model, so it explains what any reader of text knows.
        source: what it was made from, for comparison with what the forecast's record names.
        answers: the distributions of a prompt, in the order of its positions.
        prepare: called once with the prompts that will be asked.
    """

    name: str
    text_only: bool
    source: Mapping[str, Any]
    answers: Answers
    prepare: Callable[[Sequence[TokenizedPrompt]], None] = field(default=lambda prompts: None)

    @classmethod
    def of_forecaster(cls, forecaster: Forecaster, *, text_only: bool) -> Known:
        """A forecaster that is asked when it is needed."""
        return cls(forecaster.name, text_only, forecaster.describe(), forecaster.forecast, forecaster.prepare)

    @classmethod
    def of_folder(cls, forecast: Distributions, known: Distributions) -> Known:
        """A truth or forecast on disk, about the same positions as the inspected one.

        Raises:
            VocabularyError, DistributionError: it is about others.
        """
        theirs = dict(zip((p.id for p in forecast.prompts), check_same_questions(forecast, known), strict=True))
        source = known.manifest["source"]
        # A truth's source is its model's identity.
        named = source if known.manifest.get("role") == "forecast" else {"model": source}
        return cls(known.name, bool(source.get("reference")), named, lambda prompt: known.block(theirs[prompt.id]))


def inspect(
    forecast: Distributions,
    known: Sequence[Known] = (),
    truth: Distributions | None = None,
    *,
    progress: Progress = quiet,
) -> Inspection:
    """Look for traces of undeclared models in a forecast.

    Known models that the forecast's own record names explain; others are looked for.

    Args:
        known: text-only forecasters, which explain what any reader of text knows, and models to look for.
        truth: explains what comes from knowing the target.

    Raises:
        VocabularyError, DistributionError: the truth is about other positions.
    """
    named = named_models(forecast.manifest["source"])
    chosen = _sample(forecast.prompts)
    prompts = [forecast.prompts[index] for index in chosen]
    notes, explaining = [], [one for one in known if one.text_only]
    for one in known:
        if not one.text_only and set(named_models(dict(one.source))) & set(named):
            explaining.append(one)
            notes.append(f"{one.name} is named in the forecast's record, so it explains and is not looked for.")
    models = [one for one in known if one not in explaining]
    for one in (*explaining, *models):
        one.prepare(prompts)
    control = None if truth is None else Known.of_folder(forecast, truth)
    if truth is not None and truth.kind == "topk":
        control = None
        notes.append("The truth lists its likeliest tokens only; it explains too little, and was left out.")
    width = _width(forecast, chosen)
    progress("looking for an output layer", 1, 1)
    suspicions = _suspicions(forecast, chosen, explaining, control, models, progress) if models else ()
    sampled = {
        "prompts": len(prompts),
        "documents": len({prompt.document for prompt in prompts}),
        "positions": sum(len(prompt.positions) for prompt in prompts),
    }
    return Inspection(forecast.name, tuple(named), width, tuple(suspicions), sampled, tuple(notes))


def _sample(prompts: Sequence[TokenizedPrompt]) -> list[int]:
    """Prompts drawn at random until there are enough positions, in ascending order."""
    order = np.random.default_rng(_SEED).permutation(len(prompts))
    reached = np.cumsum([len(prompts[index].positions) for index in order])
    enough = int(np.searchsorted(reached, MOST_POSITIONS)) + 1
    return sorted(int(index) for index in order[:enough])


def _width(forecast: Distributions, chosen: Sequence[int]) -> TracedWidth:
    if forecast.head is not None:
        return TracedWidth("stated", width=forecast.head.weight.shape[1])
    if forecast.kind == "topk":
        return TracedWidth("not determined", reason="the forecast lists its likeliest tokens only")
    vocabulary, rng = forecast.vocabulary.size, np.random.default_rng(_SEED)
    tokens = np.sort(rng.permutation(vocabulary)[:MOST_TOKENS])
    parts: list[Float64] = []
    left = MOST_POSITIONS
    for index in chosen:
        block = rows(forecast.block(index), 0, left)
        parts += [dense_logprobs(part, vocabulary)[:, tokens] for part in _parts(block, vocabulary)]
        left -= len(block)
        if left == 0:
            break
    return traced_width(np.concatenate(parts))


def _suspicions(
    forecast: Distributions,
    chosen: Sequence[int],
    explaining: Sequence[Known],
    control: Known | None,
    models: Sequence[Known],
    progress: Progress,
) -> list[Suspicion]:
    beside = [*explaining, control] if control is not None else list(explaining)
    moments = np.empty((len(models), len(chosen), len(beside) + 2, len(beside) + 2))
    for place, index in enumerate(chosen):
        moments[:, place] = _prompt_moments(forecast, index, beside, models)
        progress("comparing with known models", place + 1, len(chosen))
    documents = [forecast.prompts[index].document for index in chosen]
    texts = [place for place, one in enumerate(beside, 1) if one.text_only]
    told = [f"the truth of {control.name}" if one is control and control is not None else one.name for one in beside]
    return [
        suspicion(
            model.name,
            tracking(own, documents, LEVEL),
            _yardsticks(own, documents, {place: beside[place - 1].name for place in texts}),
            told,
            texts=len(texts),
            with_truth=control is not None,
        )
        for model, own in zip(models, moments, strict=True)
    ]


def _prompt_moments(
    forecast: Distributions, index: int, beside: Sequence[Known], models: Sequence[Known]
) -> NDArray[np.float64]:
    """Cross moments of one prompt for each model: forecast, what stands beside it, the model."""
    prompt, vocabulary = forecast.prompts[index], forecast.vocabulary.size
    blocks = [forecast.block(index), *(one.answers(prompt) for one in (*beside, *models))]
    common = len(beside) + 1
    total = np.zeros((len(models), common + 1, common + 1))
    for parts in zip(*(_parts(block, vocabulary) for block in blocks), strict=True):
        logs = np.stack([_floored(part, vocabulary) for part in parts])
        for number in range(len(models)):
            own = logs[common + number]
            total[number] += cross_moments(np.concatenate([logs[:common], own[None]]), np.exp(own))
    return total


def _parts(block: Block, vocabulary: int) -> Iterator[Block]:
    """The block in parts of at most _CELLS probabilities."""
    step = max(1, _CELLS // vocabulary)
    return (rows(block, start, start + step) for start in range(0, len(block), step))


def _floored(block: Block, vocabulary: int) -> Float64:
    return np.log((1 - _FLOOR) * np.exp(dense_logprobs(block, vocabulary)) + _FLOOR / vocabulary)


def _yardsticks(moments: Float64, documents: Sequence[str], texts: Mapping[int, str]) -> dict[str, float]:
    """The partial correlation of each text-only explanation, put in the forecast's place, given the others."""
    found = {}
    for place, name in texts.items() if len(texts) > 1 else ():
        order = [place, *(other for other in range(1, moments.shape[1] - 1) if other != place), moments.shape[1] - 1]
        one = tracking(moments[:, order][:, :, order], documents, LEVEL)
        if not isinstance(one, Unscored):
            found[name] = one.correlation
    return found
