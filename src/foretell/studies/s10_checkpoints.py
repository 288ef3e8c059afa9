"""Study 10, checkpoints (D11): how far ahead can checkpoints of a training run be forecast from the earlier ones?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from foretell.distributions import Distributions
from foretell.forecasters.next_checkpoint import NEEDED, read_request
from foretell.forecasters.specs import TINY
from foretell.reports.figures import plain
from foretell.scoring.summary import paired_difference
from foretell.studies.drawing import HALF, Axis, Point, beside, curves
from foretell.studies.horizons import (
    FROM_BIGRAM,
    LAST,
    LOGITS,
    SCALING,
    TOLERANCES,
    answer,
    better_than_text,
    of,
    passes,
    rises,
)
from foretell.studies.study import Findings, Study, Table
from foretell.studies.words import mean_of, told
from foretell.studies.workshop import Workshop
from foretell.suites import Suite
from foretell.targets import tiny
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.scorecard import bounds_record

QUESTION = "How far ahead can checkpoints be forecast?"
LEVEL = JudgeSettings().level
#: The spec of each method.
METHODS = {
    LAST: "next:last:tiny@{step}:from={start}",
    LOGITS: "next:logits:tiny@{step}:from={start}",
    SCALING: "next:scaling:tiny@{step}:from={start}",
    FROM_BIGRAM: "next:scaling:tiny@{step}:from={start}:reference=ngram:2:tiny",
}
_UNIFORM = "uniform"
_POOL_NAME = "best text-only pool"
#: A quick run forecasts the fourth checkpoint from the two before it.
_QUICK = slice(3, 4)
#: In the figure, how far apart points of one place are drawn, and the room at both ends; in doublings.
_BESIDE, _MARGIN = 0.05, 0.2


def run(workshop: Workshop) -> Findings:
    """Forecast every shipped checkpoint from every earlier one, and place the forecasts beside text."""
    suite, steps = workshop.suite(), workshop.pick(tiny.steps()[1:], tiny.steps()[_QUICK])
    targets = [_target(workshop, suite, step, workshop.pick(0, -2)) for step in steps]
    starts = {one["start"] for target in targets for one in target["entries"]}
    uniform = {step: _away_from_uniform(workshop, suite, step) for step in sorted(starts | set(steps))}
    return findings(targets, uniform)


def _spec(step: int) -> str:
    return TINY if step == tiny.steps()[-1] else f"{TINY}@{step}"


def _away_from_uniform(workshop: Workshop, suite: Suite, step: int) -> float:
    truth = workshop.truth(_spec(step), suite)
    score = workshop.score(truth, [workshop.forecast(_UNIFORM, truth)])
    return mean_of(score["forecasts"][0]["kl_nats"])


def _target(workshop: Workshop, suite: Suite, step: int, first: int) -> dict[str, Any]:
    """Everything measured of the forecasts of one checkpoint.

    Args:
        first: of the earlier checkpoints, the first to forecast from.
    """
    starts = [before for before in tiny.steps() if before < step][first:]
    specs = {
        (start, method): form.format(step=step, start=start)
        for start in starts
        for method, form in METHODS.items()
        if _enough(form, start)
    }
    placed = workshop.scale(_spec(step), suite, (TINY,), list(specs.values()))
    skills = {rung["name"]: rung.get("skill") for rung in placed["rungs"]}
    truth = workshop.truth(_spec(step), suite)
    made = {key: workshop.forecast(spec, truth) for key, spec in specs.items()}
    score = workshop.score(truth, list(made.values()))
    found = {one["name"]: one["kl_nats"] for one in score["forecasts"]}
    losses = {key: workshop.losses(truth, list(made.values()), specs[key]) for key in specs}
    entries = [
        {
            "start": start,
            "method": method,
            "doublings": math.log2(step / start),
            "kl_nats": found[specs[start, method]],
            "skill": skills[specs[start, method]],
            "gain_over_last": bounds_record(paired_difference(losses[start, LAST], losses[start, method], LEVEL)),
            **_measured(made[start, method]),
        }
        for start, method in specs
    ]
    pool = next(rung["kl_nats"] for rung in placed["rungs"] if rung["name"] == placed["pool"]["name"])
    return {"step": step, "pool": pool, "entries": entries}


def _enough(form: str, start: int) -> bool:
    method = read_request(form.format(step=start + 1, start=start)).method
    return sum(before <= start for before in tiny.steps()) >= NEEDED[method]


def _measured(made: Distributions) -> dict[str, Any]:
    """What a forecast says of how it was found."""
    source = made.manifest["source"]
    return {"coefficient": source.get("coefficient"), "found": source.get("found")}


def findings(targets: Sequence[dict[str, Any]], uniform: dict[int, float]) -> Findings:
    """What the numbers say.

    Args:
        targets: by rising step.
        uniform: mean KL divergence of the uniform forecast from each checkpoint, in nats.
    """
    found = [one | {"step": target["step"]} for target in targets for one in target["entries"]]
    return Findings(
        answer(found, uniform),
        (_horizon_table(found), _pair_table(found), _measured_table(found, uniform)),
        _figure(targets, found),
        f"Left: forecasts of {_spec(targets[-1]['step'])}, by how many doublings of the training steps they look "
        "ahead. Right: forecasts one doubling ahead, by the step that is forecast. Mean KL divergence in nats; points "
        "are means, bars 95% bounds; what belongs to one place is drawn side by side.",
        {"targets": list(targets), "uniform_kl_nats": {str(step): kl for step, kl in uniform.items()}}
        | {"tolerances": list(TOLERANCES)},
        method=(
            "A forecast from step K of step N uses checkpoints up to K only. last: the latest of these as it is. "
            "logits: beyond it, in log-probabilities, by a coefficient that would have been best one transition "
            "before. scaling: the latest, moved away from a reference (uniform, or ngram:2:tiny) until the "
            "reference's mean KL divergence is what a power law over the earlier checkpoints says. See "
            "`foretell forecast --help`, next:METHOD:RUN@STEP.",
            "Losses, verdicts and paired gains are on all prompts of the suite. Skill is over the best pool of "
            "text-only references, which knows the text in full; the pool is fitted on one half of the suite's "
            "documents, and it and skill are judged on the other, as `foretell scale` does.",
        ),
    )


def _horizon_table(found: Sequence[dict[str, Any]]) -> Table:
    rows = []
    for method in METHODS:
        own = of(found, method)
        for doublings in sorted({round(one["doublings"]) for one in own}):
            these = [one for one in own if round(one["doublings"]) == doublings]
            counts = [sum(map(holds, these)) for holds in (better_than_text, *map(passes, TOLERANCES))]
            rows.append((method, str(doublings), str(len(these)), *map(str, counts)))
    heads = (f"within {plain(tolerance)}" for tolerance in TOLERANCES)
    return Table(
        "Pairs of checkpoints by how far ahead, and for how many of them it is shown",
        ("method", "doublings", "pairs", "better than text", *heads),
        tuple(rows),
        "Within: the upper bound of the mean KL divergence meets that many nats.",
    )


def _pair_table(found: Sequence[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            one["method"],
            str(one["start"]),
            str(one["step"]),
            told(one["kl_nats"]),
            "–" if one["method"] == LAST else told(one["gain_over_last"]),
            told(one["skill"]),
        )
        for one in found
    )
    return Table("Every forecast", ("method", "from step", "of step", "KL, nats", "gain over last", "skill"), rows)


def _measured_table(found: Sequence[dict[str, Any]], uniform: dict[int, float]) -> Table:
    rows = []
    for one in found:
        if one["coefficient"] is not None:
            law = tuple(map(plain, rises(one, uniform))) if one["method"] == SCALING else ("–", "–")
            rows.append((one["method"], str(one["start"]), str(one["step"]), plain(one["coefficient"]), *law))
    return Table(
        "What was measured on the earlier checkpoints",
        ("method", "from step", "of step", "coefficient", "rise of uniform's KL, said", "and found, nats"),
        tuple(rows),
        "A coefficient of 0 leaves the last checkpoint as it is; −1 is the checkpoint before it, or the reference.",
    )


def _figure(targets: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]) -> Any:
    final = targets[-1]
    places = {method: _BESIDE * (place - (len(METHODS) - 1) / 2) for place, method in enumerate(METHODS)}
    ahead = [_point(one, one["doublings"] + places[one["method"]]) for one in found if one["step"] == final["step"]]
    near = [_point(one, one["step"] * 2 ** places[one["method"]]) for one in found if round(one["doublings"]) == 1]
    text = [
        Point(_POOL_NAME, one["step"], mean_of(one["pool"]), one["pool"]["lo"], one["pool"]["hi"]) for one in targets
    ]
    order = [*METHODS, _POOL_NAME]
    right = sorted([*near, *text], key=lambda point: order.index(point.series))
    left = sorted(ahead, key=lambda point: order.index(point.series))
    nats = Axis("mean KL divergence, nats", domain=(0.0, 1.03 * max(point.hi for point in [*left, *right])))
    reached = sorted({float(round(point.x)) for point in left})
    first, last = (float(one["step"]) for one in (targets[0], final))
    doublings = Axis(
        "doublings of the steps ahead", ticks=tuple(reached), domain=(reached[0] - _MARGIN, reached[-1] + _MARGIN)
    )
    steps = Axis(
        "step that is forecast",
        log=True,
        ticks=tuple(float(one["step"]) for one in targets),
        domain=(first * 2**-_MARGIN, last * 2**_MARGIN),
    )
    rules = [(mean_of(final["pool"]), _POOL_NAME)]
    return beside(curves(left, doublings, nats, rules=rules, width=HALF), curves(right, steps, nats, width=HALF))


def _point(one: dict[str, Any], x: float) -> Point:
    loss = one["kl_nats"]
    return Point(one["method"], x, mean_of(loss), loss["lo"], loss["hi"])


STUDY = Study(
    number=10,
    name="checkpoints",
    question=QUESTION,
    claims=("D11",),
    limits=(
        "One run of a model of a million parameters, with checkpoints a doubling apart: what is a doubling here is a "
        "few hundred steps. Its learning rate falls from step 922 on, so the last checkpoints lie closer together than "
        "a constant rate would leave them.",
        "The methods that measure anything need three earlier checkpoints, which leaves six pairs; what holds for "
        "checkpoints closer together is not shown here.",
        "Three simple rules. None looks at gradients, at the data that come next, or at the weights.",
        "To forecast from a checkpoint the model itself is asked: a helper with AI in it, which needs its own verdict.",
    ),
    minutes=10,
    run=run,
)
