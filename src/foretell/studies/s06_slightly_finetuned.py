"""Study 6, slightly fine-tuned (D17): does what predicted the base still predict its fine-tune, and how far?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from foretell.base.interval import Interval
from foretell.distributions import Distributions
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.lowrank import LowRankForecaster
from foretell.forecasters.specs import TINY
from foretell.organisms.recipes import Finetune, load_recipe
from foretell.reports.figures import plain
from foretell.scoring.summary import Losses, mean_loss, paired_difference
from foretell.studies.drawing import Axis, Point, curves
from foretell.studies.study import Findings, Study, Table
from foretell.studies.unseen_text import OF_HELD_OUT, numpy_suite, stdlib_suite
from foretell.studies.words import listed, mean_of, told
from foretell.studies.workshop import Workshop
from foretell.suites import Suite
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.scorecard import bounds_record
from foretell.verdicts.tolerance import decide

QUESTION = "Does what predicted a model still predict it when it is slightly fine-tuned?"
#: In nats; the first is the one that the answer speaks of.
TOLERANCES = (0.25, 0.5, 1.0)
LEVEL = 0.95
#: Forecasters of the base; the first is the base itself, so its loss is the change of behaviour.
OWN, EARLIER, POOL, LOGS = "model:tiny", "model:tiny@1536", "text-only pool", "lowrank:logs of tiny"
FORECASTERS = (OWN, EARLIER, POOL, LOGS)
_POOL = "pool:ngram:2:tiny+ngram:3:tiny+ngram:5:tiny+infinigram:stdlib"
_QUICK_POOL = "pool:ngram:2:tiny+ngram:3:tiny"
#: The texts on which it is asked, by their names on the page.
GENERAL, CODE, NUMPY = "foretell-300", "code slice of foretell-300", "unseen numpy text"
_CODE_SLICE = "code"
_QUICK_PROMPTS = 12
_QUICK_RECIPE = {"steps": 4, "keep": (2,), "batch": 2, "window": 64, "warmup_steps": 1}
_RUNS = 2000


def run(workshop: Workshop) -> Findings:
    """Forecast every checkpoint of a fine-tune with what forecasts its base."""
    changes: dict[str, Any] = _QUICK_RECIPE if workshop.quick else {}
    recipe = load_recipe("finetune", changes)
    assert isinstance(recipe, Finetune)
    folder = workshop.organism("finetune", **changes)
    unseen, logged = numpy_suite(), stdlib_suite()
    suites = {GENERAL: workshop.suite(), NUMPY: workshop.pick(unseen, _few(unseen))}
    logs = workshop.truth(TINY, workshop.pick(logged, _few(logged)))
    rebuilt = LowRankForecaster(LOGS, logs, logs.vocabulary, runs=min(_RUNS, len(logs)))
    targets = {step: _checkpoint(folder, step, recipe.steps) for step in (*recipe.keep, recipe.steps)}
    losses: dict[tuple[int, str, str], Losses] = {}
    for name, suite in suites.items():
        for step, target in ({0: TINY} | targets).items():
            called = TINY if step == 0 else f"the fine-tune after {step} steps"
            truth = workshop.truth(target, suite, called=called)
            forecasts = _forecasts(workshop, truth, logs, rebuilt)
            workshop.score(truth, list(forecasts.values()), judging=JudgeSettings(level=LEVEL))
            for forecaster, made in forecasts.items():
                losses[step, name, forecaster] = _losses(workshop, truth, forecasts, made)
    return findings(entries(losses), recipe.record())


def _checkpoint(folder: Path, step: int, last: int) -> str:
    return f"hf:{folder}" if step == last else f"hf:{folder / f'step-{step}'}"


def _few(suite: Suite) -> Suite:
    every = len(suite) // _QUICK_PROMPTS
    return Suite(f"{suite.name}-few", tuple(list(suite)[::every][:_QUICK_PROMPTS]))


def _forecasts(
    workshop: Workshop, truth: Distributions, logs: Distributions, rebuilt: Forecaster
) -> dict[str, Distributions]:
    """All forecasts of what a truth asks; each depends on the base and the prompts only."""
    return {
        OWN: workshop.forecast(OWN, truth),
        EARLIER: workshop.forecast(EARLIER, truth),
        POOL: workshop.forecast(workshop.pick(_POOL, _QUICK_POOL), truth, practice=logs),
        LOGS: workshop.forecast(rebuilt, truth),
    }


def _losses(
    workshop: Workshop, truth: Distributions, forecasts: dict[str, Distributions], made: Distributions
) -> Losses:
    return workshop.losses(truth, list(forecasts.values()), made.name, judging=JudgeSettings(level=LEVEL))


def entries(losses: dict[tuple[int, str, str], Losses]) -> list[dict[str, Any]]:
    """Mean loss of each forecaster at each step on each text, and how much more it is than at the base.

    Args:
        losses: by step (0 is the base), text and forecaster, on the same prompts for all steps of a text.
    """
    parts = dict(losses)
    parts |= {(s, CODE, f): own.only(_CODE_SLICE) for (s, text, f), own in losses.items() if text == GENERAL}
    found = []
    for (step, text, forecaster), own in parts.items():
        growth = None if step == 0 else bounds_record(paired_difference(own, parts[0, text, forecaster], LEVEL))
        loss = bounds_record(mean_loss(own, LEVEL))
        found.append({"step": step, "text": text, "forecaster": forecaster, "kl_nats": loss, "growth": growth})
    return found


def findings(found: list[dict[str, Any]], recipe: dict[str, Any]) -> Findings:
    """What the numbers say."""
    return Findings(
        answer(found),
        (_change_table(found, recipe), _loss_table(found, GENERAL), _loss_table(found, NUMPY), _verdict_table(found)),
        _figure(found),
        "Mean KL divergence in nats against training steps of the fine-tune (0 is the base; both axes logarithmic "
        f"from a small size on). The loss of {OWN}, the base itself, is by definition how far the behaviour has "
        "changed. Points are means, bars 95% bounds; dashed: tolerances.",
        {"entries": found, "recipe": recipe, "tolerances": list(TOLERANCES)},
        method=(
            "The fine-tune goes on from the last checkpoint of tiny on numpy's own source (organism `finetune`); its "
            "checkpoints are the targets. Every forecast is made from the base alone, before any fine-tune is asked.",
            f"{EARLIER} is an earlier checkpoint of the base's own training; the text-only pool ({_POOL}) is fitted on "
            "the base's answers to held-out files of the standard library, and the low-rank forecaster rebuilds "
            "answers from those same logs.",
            f"Unseen numpy text: passages of numpy's held-out source files ({OF_HELD_OUT} a file at most) and of its "
            "test files (one a file), none of which is in the text of the fine-tune; the file is the document of the "
            "bounds.",
        ),
    )


def _at(found: list[dict[str, Any]], forecaster: str, text: str) -> dict[int, dict[str, Any]]:
    return {one["step"]: one for one in found if (one["forecaster"], one["text"]) == (forecaster, text)}


def decisions(found: list[dict[str, Any]], forecaster: str, text: str, tolerance: float) -> dict[int, str]:
    """The verdict at each step."""
    return {
        step: decide(Interval(one["kl_nats"]["lo"], one["kl_nats"]["hi"]), tolerance)
        for step, one in sorted(_at(found, forecaster, text).items())
    }


def turning(verdicts: dict[int, str]) -> tuple[int | None, int | None]:
    """The last step up to which all pass, and the first that fails; None where there is none.

    >>> turning({0: "pass", 5: "pass", 10: "inconclusive", 20: "pass", 50: "fail"})
    (5, 50)
    """
    passing = None
    for step, decision in verdicts.items():
        if decision != "pass":
            break
        passing = step
    return passing, next((step for step, decision in verdicts.items() if decision == "fail"), None)


def _until(found: list[dict[str, Any]], text: str, tolerance: float) -> str:
    """Up to where the base's own forecaster passes on a text, in words."""
    own = _at(found, OWN, text)
    passing, failing = turning(decisions(found, OWN, text, tolerance))
    if passing is None:
        words = f"on {text} it passes at no step, not even at the base, where its loss is 0: the prompts are too few"
    elif passing == max(own):
        words = f"on {text} it passes at every step up to {passing} (change {told(own[passing]['kl_nats'], ' nats')})"
    else:
        words = f"on {text} it passes up to step {passing} (change {told(own[passing]['kl_nats'], ' nats')})"
    if failing is None:
        return f"{words} and fails at none"
    return f"{words} and fails from step {failing} (change {told(own[failing]['kl_nats'], ' nats')})"


def answer(found: list[dict[str, Any]]) -> tuple[str, ...]:
    """The sentences; the first says up to where the base's own forecaster meets the first tolerance."""
    tolerance = TOLERANCES[0]
    texts = (GENERAL, CODE, NUMPY)
    ends = [turning(decisions(found, OWN, text, tolerance))[1] for text in texts]
    steps = sorted({one["step"] for one in found})
    kept = "Yes, for as long as it is slight" if any(ends) else "Yes, as far as this fine-tune goes"
    if ends[0] is not None and ends[0] == steps[1]:
        kept = "No, not even after the fewest steps tried"
    lines = [
        f"{kept}: at a tolerance of {tolerance:g} nats, what predicted the base without error is judged so: "
        + "; ".join(_until(found, text, tolerance) for text in texts)
        + "."
    ]
    lines.append(_monotone(found, texts))
    lines += [_grown(found, forecaster, steps[-1]) for forecaster in FORECASTERS[1:]]
    return tuple(lines)


def _monotone(found: list[dict[str, Any]], texts: Sequence[str]) -> str:
    """Whether the change grows with every checkpoint."""
    falls = []
    for text in texts:
        means = [mean_of(one["kl_nats"]) for _, one in sorted(_at(found, OWN, text).items())]
        falls += [text] if any(b < a for a, b in pairwise(means)) else []
    if not falls:
        return "The change of behaviour, and with it the loss of the base's own forecaster, grows at every checkpoint."
    return (
        "The change of behaviour, and with it the loss of the base's own forecaster, does not grow at every "
        f"checkpoint: it falls in places on {listed(falls)}."
    )


def _grown(found: list[dict[str, Any]], forecaster: str, last: int) -> str:
    """How much an imperfect forecaster lost by the whole fine-tune, beside the change itself."""
    own, change = (_at(found, name, NUMPY) for name in (forecaster, OWN))
    growth, moved = own[last]["growth"], change[last]["kl_nats"]
    if growth["hi"] < moved["lo"]:
        relation = "less than the change itself"
    elif growth["lo"] > moved["hi"]:
        relation = "more than the change itself"
    else:
        relation = "not told apart from the change itself"
    return (
        f"{forecaster} on {NUMPY}: {told(own[0]['kl_nats'], ' nats')} from the base and "
        f"{told(own[last]['kl_nats'], ' nats')} from the fine-tune after {last} steps; it lost "
        f"{told(growth, ' nats')} more, {relation} ({told(moved, ' nats')})."
    )


def _change_table(found: list[dict[str, Any]], recipe: dict[str, Any]) -> Table:
    texts = (GENERAL, CODE, NUMPY)
    rows = []
    for step in sorted({one["step"] for one in found}):
        seen = step * recipe["batch"] * recipe["window"]
        cells = []
        for text in texts:
            decision = decisions(found, OWN, text, TOLERANCES[0])[step]
            cells.append(f"{told(_at(found, OWN, text)[step]['kl_nats'])} {decision}")
        rows.append((str(step), f"{seen:,}", *cells))
    return Table(
        f"Change of behaviour, KL(fine-tune ‖ base) in nats, and the verdict at {TOLERANCES[0]:g} nats on the base's "
        "own forecaster",
        ("steps", "tokens seen", *texts),
        tuple(rows),
    )


def _loss_table(found: list[dict[str, Any]], text: str) -> Table:
    rows = tuple(
        (str(step), *(told(_at(found, name, text)[step]["kl_nats"]) for name in FORECASTERS))
        for step in sorted({one["step"] for one in found})
    )
    return Table(f"Mean KL divergence in nats on {text}", ("steps", *FORECASTERS), rows)


def _verdict_table(found: list[dict[str, Any]]) -> Table:
    def cell(step: int | None) -> str:
        return "–" if step is None else str(step)

    rows = tuple(
        (name, text, f"{tolerance:g}", *(cell(step) for step in turning(decisions(found, name, text, tolerance))))
        for name in FORECASTERS
        for text in (GENERAL, NUMPY)
        for tolerance in TOLERANCES
    )
    return Table(
        "Where a tolerance breaks",
        ("forecaster", "text", "tolerance, nats", "passes up to step", "fails from step"),
        rows,
        "A dash: at no step.",
    )


def _figure(found: list[dict[str, Any]]) -> Any:
    shown = [(OWN, GENERAL), (OWN, CODE), (OWN, NUMPY), *((name, NUMPY) for name in FORECASTERS[1:])]
    points = []
    for name, text in shown:
        for step, one in sorted(_at(found, name, text).items()):
            loss = one["kl_nats"]
            points.append(Point(f"{name}, {text}", step, mean_of(loss), loss["lo"], loss["hi"]))
    steps = sorted({int(point.x) for point in points})
    top = max(plain_top(points), TOLERANCES[-1])
    return curves(
        points,
        Axis("training steps of the fine-tune", log=True, from_zero=steps[1], ticks=tuple(steps)),
        Axis("mean KL divergence, nats", log=True, from_zero=0.02, ticks=_TICKS, domain=(0.0, top)),
        rules=[(tolerance, f"tolerance {plain(tolerance)}") for tolerance in TOLERANCES],
    )


_TICKS = (0.0, 0.01, 0.03, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)


def plain_top(points: Sequence[Point]) -> float:
    """The largest upper bound, with a little room above."""
    return 1.1 * max(point.hi for point in points)


STUDY = Study(
    number=6,
    name="slightly-finetuned",
    question=QUESTION,
    claims=("D17",),
    limits=(
        "One base of a million parameters, one text, one learning rate. How many steps are slight depends on all of "
        "them; the change in nats does not.",
        "The base itself as forecaster has no error to begin with. What is approved in practice has some, and the "
        "tolerance left for the change is smaller by it; the other forecasters show this.",
        "All prompts are ordinary text. A fine-tune that changes behaviour on other prompts only is study 4.",
    ),
    minutes=6,
    run=run,
)
