"""Study 3, twin and sibling (D4): how close another seed and a smaller model come, and whether inspect sees them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from foretell import information
from foretell.distributions import Block, DenseBlock, Distributions, TokenizedPrompt
from foretell.distributions.combining import linear_pool
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.surrogate import SurrogateForecaster
from foretell.information import Known
from foretell.studies.drawing import Panel, forest
from foretell.studies.study import Findings, Study, Table
from foretell.studies.words import count_of, listed, mean_of, told
from foretell.studies.workshop import Rung, Workshop
from foretell.verdicts.scale_record import POOL, label

QUESTION = "How close does another model come that was trained alike, and does `foretell inspect` see it?"
TARGET, TWIN, SIBLING = "tiny@384", "model:twin", "model:sibling"
NEIGHBOURS = ("model:tiny@192", "model:tiny@768")
#: What explains a forecast by text, and honest forecasts that are none of these.
TEXTS = ("unigram:tiny", "ngram:2:tiny", "ngram:5:tiny")
HONEST = ("ngram:3:tiny", "ngram:4:tiny", "infinigram:stdlib", "pool:ngram:3:tiny+infinigram:stdlib")
_MIXED_WITH = "ngram:5:tiny"
#: Shares of a model that are mixed into text without a word about it; 1 is the model alone.
SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_QUICK = {"stop_after": 2, "batch": 1, "keep": ()}


class Undeclared:
    """A linear pool of forecasters whose record says nothing of them.

    Args:
        name: says what is in it to the reader of the page, not to `inspect`, which reads the record only.
    """

    def __init__(self, name: str, members: Sequence[Forecaster], shares: Sequence[float], vocabulary: int) -> None:
        self.name, self._members, self._shares, self._vocabulary = name, members, shares, vocabulary

    def describe(self) -> dict[str, Any]:
        return {"forecaster": "not stated"}

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        for member in self._members:
            member.prepare(prompts)

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        logs = [dense_logprobs(one.forecast(prompt), self._vocabulary).astype(np.float64) for one in self._members]
        return DenseBlock(linear_pool(logs, self._shares).astype(np.float32))


def run(workshop: Workshop) -> Findings:
    """Place twin and sibling on the target's scale, then look for them in forecasts that hide them."""
    changes: dict[str, Any] = _QUICK if workshop.quick else {}
    models = {TWIN: workshop.organism("twin", **changes), SIBLING: workshop.organism("sibling", **changes)}
    for name, folder in models.items():
        workshop.uses(f"{name} is the organism {folder.name}.")
    suite = workshop.suite()
    truth = workshop.truth(TARGET, suite)
    opened: dict[str, Forecaster] = {
        name: SurrogateForecaster(name, workshop.target(f"hf:{folder}"), truth.vocabulary)
        for name, folder in models.items()
    }
    rungs: list[Rung] = [*NEIGHBOURS, *((name, partial(_given, one)) for name, one in opened.items())]
    placed = workshop.scale(TARGET, suite, ("tiny",), rungs)
    return findings(placed, _inspections(workshop, truth, opened))


def _given(forecaster: Forecaster) -> Forecaster:
    return forecaster


def _inspections(workshop: Workshop, truth: Distributions, models: dict[str, Forecaster]) -> list[dict[str, Any]]:
    """What `inspect` finds in honest forecasts, in hidden models and in mixtures, and in a declared model."""
    text = workshop.opened(_MIXED_WITH, truth)
    knowns = [Known.of_forecaster(workshop.opened(spec, truth), text_only=True) for spec in TEXTS]
    knowns += [Known.of_forecaster(one, text_only=False) for one in models.values()]
    found = [_inspection(workshop, truth, knowns, workshop.opened(spec, truth), "", 0.0) for spec in HONEST]
    size = truth.vocabulary.size
    for name, model in models.items():
        for share in workshop.pick(SHARES, SHARES[-2:]):
            told_as = f"{_MIXED_WITH} with {share:.0%} {name}" if share < 1 else f"{name}, not declared"
            parts = ([text, model], [1 - share, share]) if share < 1 else ([model], [1.0])
            hidden = Undeclared(told_as, *parts, size)
            found.append(_inspection(workshop, truth, knowns, hidden, name, share))
        found.append(_inspection(workshop, truth, knowns, model, name, 1.0) | {"declared": True})
    return found


def _inspection(
    workshop: Workshop, truth: Distributions, knowns: list[Known], forecaster: Forecaster, model: str, share: float
) -> dict[str, Any]:
    made = workshop.forecast(forecaster, truth)
    with workshop.timed(f"inspecting {forecaster.name}"):
        record = information.inspect(made, knowns, truth, progress=workshop.progress).record()
    kept = {name: record[name] for name in ("finding", "tracking")} | {"systems_named": len(record["named"])}
    return (
        kept
        | {"forecast": forecaster.name, "model": model, "share": share, "declared": False}
        | {"width": record["width"].get("status")}
    )


def findings(placed: dict[str, Any], inspections: list[dict[str, Any]]) -> Findings:
    """What the numbers say."""
    return Findings(
        answer(placed["rungs"], inspections),
        (_scale_table(placed["rungs"]), _inspection_table(inspections)),
        _figure(placed["rungs"]),
        f"Forecasts of {TARGET}, judged on one half of the suite's documents. Left: mean KL divergence in nats. Right: "
        "skill over the best pool of text-only references, which was fitted on the other half. Points are means, bars "
        "95% bounds.",
        {"rungs": placed["rungs"], "inspections": inspections},
        method=(
            f"The twin is trained as {TARGET} was, with another seed for weights and order of the text; the sibling "
            "with another seed and half the parameters. Both stop at step 384 of the same schedule.",
            f"Inspected beside the truth of {TARGET} and {listed(list(TEXTS))}, with twin and sibling as known models. "
            "A hidden model is a forecast whose record does not name it. 'Found' is a partial correlation whose lower "
            "bound (99%, approximate) exceeds the bar that `foretell inspect` states.",
        ),
    )


def answer(rungs: list[dict[str, Any]], inspections: list[dict[str, Any]]) -> tuple[str, ...]:
    """The sentences; the first says how close they come, against the best text-only pool."""
    by_name = {rung["name"]: rung for rung in rungs}
    pool = next(rung for rung in rungs if rung["kind"] == POOL)
    near = [name for name in (TWIN, SIBLING) if by_name[name]["kl_nats"]["hi"] < pool["kl_nats"]["lo"]]
    told_near = f"{listed(near)} come" if len(near) > 1 else f"only {near[0]} comes" if near else "neither comes"
    first = (
        f"Twin {told(by_name[TWIN]['kl_nats'], ' nats')} and sibling {told(by_name[SIBLING]['kl_nats'], ' nats')} from "
        f"{TARGET}; {told_near} clearly closer than the best text-only pool ({told(pool['kl_nats'], ' nats')})."
    )
    order = sorted((TWIN, SIBLING, *NEIGHBOURS), key=lambda name: mean_of(by_name[name]["kl_nats"]))
    return (
        first,
        "From the nearest: "
        + ", ".join(f"{name} {told(by_name[name]['kl_nats'])}" for name in order)
        + ". Skill: "
        + ", ".join(f"{name} {told(by_name[name]['skill'])}" for name in (TWIN, SIBLING))
        + ".",
        *(_seen(inspections, name) for name in (TWIN, SIBLING)),
        _false_alarms(inspections),
        _declared(inspections),
    )


def _follows(one: dict[str, Any], model: str) -> str:
    return next((str(known["status"]) for known in one["tracking"] if known["model"] == model), "not looked for")


def _seen(inspections: list[dict[str, Any]], model: str) -> str:
    """From which share on a hidden model was found, and where it was not."""
    hidden = [one for one in inspections if one["model"] == model and not one["declared"]]
    seen = sorted(one["share"] for one in hidden if _follows(one, model) == "found")
    unseen = sorted(one["share"] for one in hidden if _follows(one, model) != "found")
    if not seen:
        return f"{model}, hidden: `inspect` did not find it at any share up to {max(unseen):.0%}."
    missed = f"; not at {listed([f'{share:.0%}' for share in unseen])}" if unseen else ""
    return (
        f"{model}, hidden: `inspect` found that the forecast follows it where it was "
        f"{listed([f'{share:.0%}' for share in seen])} of the forecast{missed}."
    )


def _false_alarms(inspections: list[dict[str, Any]]) -> str:
    honest = [one for one in inspections if not one["model"]]
    flagged = [one["forecast"] for one in honest if one["finding"]]
    names = f": {listed(flagged)}" if flagged else ""
    return (
        f"Honest text-only forecasts: {len(flagged)} of {len(honest)} were flagged{names}. So few say little about a "
        "rate."
    )


def _declared(inspections: list[dict[str, Any]]) -> str:
    declared = [one for one in inspections if one["declared"]]
    accused = [one["forecast"] for one in declared if one["finding"]]
    if accused:
        return f"Declared in the record, {listed(accused)} still gave a finding: of another model than the one named."
    return f"Declared in the record, {count_of(len(declared), 'model')} gave no finding of something undeclared."


def _gain(rung: dict[str, Any]) -> dict[str, Any] | None:
    encompassing = rung.get("encompassing") or {}
    return encompassing.get("gain_nats")


def _scale_table(rungs: list[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            label(rung),
            told(rung["kl_nats"]),
            told(rung.get("skill")),
            told(_gain(rung)),
        )
        for rung in reversed(rungs)
    )
    return Table(f"The scale of {TARGET}", ("forecast", "KL, nats", "skill", "gain of the pool, nats"), rows)


def _inspection_table(inspections: list[dict[str, Any]]) -> Table:
    def cell(one: dict[str, Any], model: str) -> str:
        known = next((each for each in one["tracking"] if each["model"] == model), None)
        if known is None:
            return "–"
        own = known["partial_correlation"]
        number = "" if "unscored" in own else f" {own['correlation']:.2f} ({own['lo']:.2f} to {own['hi']:.2f})"
        return f"{known['status']}{number}"

    rows = tuple(
        (
            one["forecast"] + (" (declared)" if one["declared"] else ""),
            cell(one, TWIN),
            cell(one, SIBLING),
            str(one["width"]),
            "yes" if one["finding"] else "no",
        )
        for one in inspections
    )
    return Table(
        "What inspect found",
        ("forecast", "follows the twin", "follows the sibling", "rank of an output layer", "finding"),
        rows,
        "Numbers are partial correlations with 99% bounds, approximate. A twin and a sibling resemble each other.",
    )


def _figure(rungs: list[dict[str, Any]]) -> Any:
    kinds = {TWIN: "trained alike", SIBLING: "trained alike"} | dict.fromkeys(
        NEIGHBOURS, "the target's own checkpoints"
    )
    rows = {label(rung): kinds.get(rung["name"], "knows text only") for rung in reversed(rungs)}

    def numbers(part: str) -> dict[str, tuple[float, float, float]]:
        records = {label(rung): rung.get(part) for rung in rungs}
        return {
            name: (mean_of(record), record["lo"], record["hi"])
            for name, record in records.items()
            if record is not None and "lo" in record
        }

    return forest(
        rows, (Panel("mean KL divergence, nats", numbers("kl_nats")), Panel("skill", numbers("skill"), rule=0.0))
    )


STUDY = Study(
    number=3,
    name="twin-and-sibling",
    question=QUESTION,
    claims=("D4",),
    limits=(
        "One target at an early stage of its training, one twin and one sibling, each of one seed; models of other "
        "sizes, and twins of finished models, may lie nearer or farther.",
        "The inspection was given the very models that were hidden. A model that nobody has, or a careful mixture, "
        "goes unseen.",
        "Mixtures are linear and with one n-gram table.",
    ),
    minutes=8,
    run=run,
)
