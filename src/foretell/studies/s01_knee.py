"""Study 1, the knee (D1, D2): is there a misprediction below which statistics of text stop, and models go on?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from foretell.distributions import Vocabulary
from foretell.forecasters.corpus import STDLIB, Corpus, open_corpus
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.panel import ORDERS
from foretell.forecasters.specs import TINY
from foretell.forecasters.uniform import UniformForecaster
from foretell.scoring.summary import paired_difference
from foretell.studies.drawing import HALF, Axis, Chart, Point, beside, curves
from foretell.studies.knee import FLAT, Climber, Ladder, answer, state, table
from foretell.studies.study import Findings, Study
from foretell.studies.texts import TextPanel, english, part_of
from foretell.studies.words import mean_of
from foretell.studies.workshop import Rung, Workshop
from foretell.suites import Suite
from foretell.targets import tiny
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.scale_record import POOL, REFERENCE, RUNG
from foretell.verdicts.scorecard import bounds_record

QUESTION = "Is there a threshold below which statistics of text stop, and models go on?"
SMOLLM2, INT8 = "smollm2", "model:int8:smollm2"
#: Shares of the text that a 5-gram learns from: each is four times the one before.
SHARES = (1 / 64, 1 / 16, 1 / 4, 1.0)
_SHARE_NAMES = ("1/64", "1/16", "1/4", "all")
_SMOLLM2_PROMPTS, _LOW_ORDER, _TOP_ORDER = 100, 3, 5
_QUICK_SHARES = SHARES[:2]
_LEVEL = JudgeSettings().level


def run(workshop: Workshop) -> Findings:
    """Climb two ladders, of text and of models, for each checkpoint of the tiny model."""
    suite, steps = workshop.suite(), workshop.pick(tiny.steps(), tiny.steps()[-1:])
    dial = _dial(open_corpus(STDLIB), workshop.target(TINY).vocabulary, workshop.pick(SHARES, _QUICK_SHARES))
    ladders = []
    for step in steps:
        target = TINY if step == tiny.steps()[-1] else f"{TINY}@{step}"
        # No int8 copies: what goes on below the threshold shall be other models.
        earlier = [f"model:{TINY}@{before}" for before in tiny.steps() if before < step]
        scale = workshop.scale(target, suite, (TINY,), earlier[workshop.pick(0, -1) :])
        ladders.append(_ladder(workshop, scale, suite, dial, step))
    return findings(ladders, ladders[-1])


def _dial(text: Corpus, vocabulary: Vocabulary, shares: Sequence[float] = SHARES) -> list[tuple[float, Rung]]:
    """5-grams of growing shares of a text, and a 3-gram of the largest, each with its share."""
    panels = [(share, TextPanel(part_of(text, share), vocabulary)) for share in shares]
    return [
        *((share, panel.ngram(_TOP_ORDER)) for share, panel in panels),
        (shares[-1], panels[-1][1].ngram(_LOW_ORDER, _TOP_ORDER)),
    ]


def run_smollm2(workshop: Workshop) -> Findings:
    """The same for SmolLM2 on fewer prompts; its int8 copy is the model-based rung."""
    suite = workshop.suite(_SMOLLM2_PROMPTS)
    vocabulary = workshop.target(SMOLLM2).vocabulary
    texts = [corpus for corpus in (open_corpus(STDLIB), english()) if corpus is not None]
    for corpus in texts:
        workshop.uses(TextPanel(corpus, vocabulary).describe())
    scale = workshop.scale(
        SMOLLM2, suite, tuple(corpus.name for corpus in texts), [INT8], references=partial(_references, texts)
    )
    ladder = _ladder(workshop, scale, suite, _dial(texts[-1], vocabulary), None)
    return findings([ladder], ladder)


def _references(texts: Sequence[Corpus], vocabulary: Vocabulary) -> Iterator[list[Forecaster]]:
    yield [UniformForecaster(vocabulary.size)]
    for corpus in texts:
        yield [opened() for _, opened in TextPanel(corpus, vocabulary).every(ORDERS)]


def _ladder(
    workshop: Workshop, scale: dict[str, Any], suite: Suite, dial: Sequence[tuple[float, Rung]], step: int | None
) -> Ladder:
    """What a scale says of a target, with the dial of text judged on the whole suite."""
    target = str(scale["truth"]["name"])
    truth = workshop.truth(target, suite)
    made = [workshop.named_forecast(rung, truth) for _, rung in dial]
    score = workshop.score(truth, made)
    found = {entry["name"]: entry["kl_nats"] for entry in score["forecasts"]}
    losses = [workshop.losses(truth, made, one.name) for one in made]
    quarter, whole, low_order = losses[-3:]
    return Ladder(
        target,
        step,
        next(rung["kl_nats"] for rung in scale["rungs"] if rung["kind"] == POOL),
        tuple(Climber(rung["name"], rung["kl_nats"]) for rung in scale["rungs"] if rung["kind"] == REFERENCE),
        tuple(
            Climber(rung["name"], rung["kl_nats"], _share(rung["name"]), rung["skill"])
            for rung in scale["rungs"]
            if rung["kind"] == RUNG
        ),
        tuple(Climber(one.name, found[one.name], share) for (share, _), one in zip(dial, made, strict=True))[:-1],
        bounds_record(paired_difference(quarter, whole, _LEVEL)),
        bounds_record(paired_difference(low_order, whole, _LEVEL)),
    )


def _share(name: str) -> float | None:
    """The share of the training steps that a checkpoint of the tiny model has seen."""
    _, _, step = name.partition(f"model:{TINY}@")
    return int(step) / tiny.steps()[-1] if step else None


def findings(ladders: list[Ladder], main: Ladder) -> Findings:
    """What the numbers say; `main` is the ladder that the first sentence is about."""
    return Findings(
        answer(ladders, main),
        tuple(table(ladder) for ladder in [main, *(one for one in ladders if one is not main)]),
        _figure(ladders, main),
        _caption(ladders, main),
        {"flat": FLAT, "ladders": [asdict(ladder) | {"state": state(ladder)} for ladder in ladders]},
        method=(
            "Threshold T: the mean KL divergence of the best pool of text-only references, fitted on one half of the "
            "suite's documents and judged on the other, as `foretell scale` does.",
            "A knee: a model-based forecaster has skill above 0 with its bounds; and four times as much text gains a "
            f"5-gram less than {FLAT:.0%} of T, and the orders from 3 to 5 too, with the upper ends of their bounds "
            "against the lower end of T's. No knee: no such forecaster, or one of the gains is shown to be more. "
            "Else it is not decided. The gains are paired differences on all prompts of the suite.",
        ),
    )


def _caption(ladders: list[Ladder], main: Ladder) -> str:
    dials = f"the dials for {main.target}: 5-grams of a share of the text"
    end = " Mean KL divergence in nats; points are means, bars 95% bounds."
    if main.step is None:
        return f"{dials[0].upper()}{dials[1:]}, beside other models (at the right end).{end}"
    return (
        f"Left: text-only references, and the checkpoint before, for {len(ladders)} checkpoints of the tiny model. "
        f"Right: {dials}, and checkpoints after a share of the training steps.{end}"
    )


def _figure(ladders: list[Ladder], main: Ladder) -> Chart:
    trained = [ladder for ladder in ladders if ladder.step is not None]
    models = [
        ("other models" if one.share is None else "checkpoint after a share of the steps", one) for one in main.models
    ]
    points = [
        Point(name, one.share or 1.0, mean_of(one.kl_nats), one.kl_nats["lo"], one.kl_nats["hi"])
        for name, one in [*(("5-gram of a share of the text", one) for one in main.shares), *models]
    ]
    rules = [(mean_of(main.pool), "best text-only pool")]
    shares = Axis(
        "share of the text, or of the training steps" if trained else "share of the text",
        log=True,
        ticks=SHARES,
        names=_SHARE_NAMES,
    )
    if not trained:
        return curves(points, shares, _nats(points), rules=rules)
    rows = [(ladder, name, kl) for ladder in trained for name, kl in _rows(ladder)]
    order = list(dict.fromkeys(name for ladder in reversed(trained) for name, _ in _rows(ladder)))
    rows.sort(key=lambda row: order.index(row[1]))
    over = [Point(name, one.step or 0, mean_of(kl), kl["lo"], kl["hi"]) for one, name, kl in rows]
    steps = Axis("training step of the target", log=True, ticks=tuple(float(one.step or 0) for one in trained))
    nats = _nats([*over, *points])
    return beside(curves(over, steps, nats, width=HALF), curves(points, shares, nats, rules=rules, width=HALF))


def _nats(points: Sequence[Point]) -> Axis:
    return Axis("mean KL divergence, nats", domain=(0, max(point.hi for point in points)))


def _rows(ladder: Ladder) -> list[tuple[str, dict[str, Any]]]:
    """What the figure shows of one checkpoint."""
    rows = [(one.name, one.kl_nats) for one in ladder.references] + [("best text-only pool", ladder.pool)]
    before = max(ladder.models, key=lambda one: one.share or 0.0, default=None)
    return [*rows, ("the checkpoint before", before.kl_nats)] if before else rows


STUDY = Study(
    number=1,
    name="knee",
    question=QUESTION,
    claims=("D1", "D2"),
    limits=(
        "Whether text 'has stopped' depends on the statistics: n-grams, infini-grams and linear pools of them. A text "
        "model that is no n-gram (a neural one, say) is not among them: it would be a model.",
        "The panel knows the tiny model's training text in full: where text is poorer, the text-only threshold is a "
        "matter of the text at hand.",
        "A dial of four shares tells the slope at its end, not what a thousand times the text would do.",
        "An earlier checkpoint of the same training is as close to the target's own workings as a forecaster can be "
        "without being the target; that it goes on below T does not show that anything was understood.",
    ),
    minutes=8,
    run=run,
)

STUDY_SMOLLM2 = Study(
    number=1,
    name="knee-smollm2",
    question=f"{QUESTION[:-1]}, for SmolLM2?",
    claims=("D1", "D2"),
    limits=(
        "None of SmolLM2's own training text is at hand: its text-only threshold is a matter of the text that is, and "
        "more or better text would lower it.",
        "Its int8 copy is the one model-based forecaster: it is made from the target itself. There are no checkpoints.",
        "English text is used where docs/studies/text.sh has gathered it; without it, the standard library alone.",
    ),
    minutes=25,
    run=run_smollm2,
)
