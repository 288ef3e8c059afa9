"""Study 9, composites (D6): parts that are forecast to a tolerance, and how well each composite of them is forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from foretell.base.interval import Interval, Unscored
from foretell.distributions import Distributions
from foretell.forecasters.saved import SavedDistributions
from foretell.scoring.skill import skill
from foretell.scoring.summary import Losses, mean_loss
from foretell.studies.composed_parts import (
    BEST,
    EARLIER,
    EARLY,
    LATE,
    LEVELS,
    LINEAR,
    QUICK_WAYS,
    STRICT,
    WAYS,
    Level,
    Way,
    asks_other_prompts,
    composed_forecast,
    composite,
    forecast_of,
)
from foretell.studies.drawing import Panel, forest
from foretell.studies.study import Findings, Study, Table
from foretell.studies.words import count_of, listed, mean_of, told
from foretell.studies.workshop import Workshop
from foretell.suites import Suite
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.scorecard import bounds_record
from foretell.verdicts.tolerance import decide

QUESTION = "If each part of a system is predicted to a tolerance, is what is composed of them?"
#: In nats; the parts are held to the least of these that both meet.
TOLERANCES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
LEVEL = 0.95
PASS, FAIL = "pass", "fail"
#: Scored positions of a prompt, from its end: a pipeline reads every one of them alone.
_SCORED = (-4, -1)
#: Losses are computed in single precision.
_ROUNDING_NATS = 1e-4
_JUDGING = JudgeSettings(level=LEVEL)


def run(workshop: Workshop) -> Findings:
    """Forecast the parts, then every composite of them by the same rule on these forecasts."""
    drawn = workshop.suite()
    suite = Suite(f"{drawn.name}, 2 positions", tuple(replace(prompt, scored=_SCORED) for prompt in drawn))
    levels, ways = workshop.pick(LEVELS, LEVELS[1:2]), workshop.pick(WAYS, QUICK_WAYS)
    truths = {part: workshop.truth(part, suite) for part in (EARLY, LATE)}
    parts = {
        (level.name, part): workshop.forecast(forecast_of(workshop, level, part, truth.vocabulary), truth)
        for level in levels
        for part, truth in truths.items()
    }
    losses = {key: _losses(workshop, truths[key[1]], [made])[0] for key, made in parts.items()}
    composed: dict[tuple[str, str], tuple[Losses, dict[str, Losses]]] = {}
    for way in ways:
        truth = workshop.truth(composite(workshop, way), suite, called=way.name)
        for level in levels:
            made = workshop.forecast(_forecaster(workshop, way, level, parts, truth), truth)
            single = [parts[level.name, part] for part in (EARLY, LATE)]
            own, *alone = _losses(workshop, truth, [made, *single])
            composed[way.name, level.name] = own, dict(zip((EARLY, LATE), alone, strict=True))
    return findings(level_records(losses), composites_from(losses, composed))


def _forecaster(
    workshop: Workshop, way: Way, level: Level, parts: Mapping[tuple[str, str], Distributions], truth: Distributions
) -> Any:
    vocabulary = truth.vocabulary
    if asks_other_prompts(way):
        members: list[Any] = [forecast_of(workshop, level, part, vocabulary) for part in (EARLY, LATE)]
    else:
        saved = {part: parts[level.name, part].folder for part in (EARLY, LATE)}
        members = [SavedDistributions(level.spec_of(part), folder, vocabulary) for part, folder in saved.items()]
    return composed_forecast(way, level, members, vocabulary)


def _losses(workshop: Workshop, truth: Distributions, forecasts: Sequence[Distributions]) -> list[Losses]:
    workshop.score(truth, forecasts, judging=_JUDGING)
    return [workshop.losses(truth, forecasts, one.name, judging=_JUDGING) for one in forecasts]


def level_records(losses: Mapping[tuple[str, str], Losses]) -> list[dict[str, Any]]:
    """Of each level the losses of both parts, the worse of them, and the least tolerance that both meet."""
    found = []
    for level in dict.fromkeys(level for level, _ in losses):
        own = {part: bounds_record(mean_loss(losses[level, part], LEVEL)) for part in (EARLY, LATE)}
        met = [t for t in TOLERANCES if all(_decision(record, t) == PASS for record in own.values())]
        worse = max(own, key=lambda part: mean_of(own[part]))
        found.append({"level": level, "parts": own, "worse": worse, "tolerance": met[0] if met else None})
    return found


def composites_from(
    losses: Mapping[tuple[str, str], Losses], composed: Mapping[tuple[str, str], tuple[Losses, dict[str, Losses]]]
) -> list[dict[str, Any]]:
    """Of each composite at each level its loss, how many times that of the worse part it is, and the verdict.

    Args:
        losses: of the parts' forecasts, by level and part.
        composed: by way and level: losses of the composed forecast, and of each part's forecast as one of the whole.
    """
    levels = {one["level"]: one for one in level_records(losses)}
    found = []
    for (way, level), (own, alone) in composed.items():
        record, held = bounds_record(mean_loss(own, LEVEL)), levels[level]
        single = {part: bounds_record(mean_loss(one, LEVEL)) for part, one in alone.items()}
        best = min(single, key=lambda part: mean_of(single[part]))
        found.append(
            {
                "way": way,
                "level": level,
                "kl_nats": record,
                "times_the_worse_part": _times(own, losses[level, held["worse"]]),
                "decision": None if held["tolerance"] is None else _decision(record, held["tolerance"]),
                "best_single": {"part": best, "kl_nats": single[best]},
            }
        )
    return found


def _decision(record: dict[str, Any], tolerance: float) -> str:
    return decide(Interval(record["lo"], record["hi"]), tolerance)


def _times(own: Losses, part: Losses) -> dict[str, Any] | None:
    """Ratio of mean losses with bounds: what skill is 1 minus of."""
    found = skill(own, part, LEVEL)
    if isinstance(found, Unscored):
        return None
    record = bounds_record(found)
    return record | {"mean": 1 - mean_of(record), "lo": 1 - record["hi"], "hi": 1 - record["lo"]}


def findings(levels: list[dict[str, Any]], found: list[dict[str, Any]]) -> Findings:
    """What the numbers say."""
    return Findings(
        answer(levels, found),
        (_parts_table(levels), *(_table(level, found) for level in levels), _known_table(found)),
        _figure(levels, found),
        "Mean KL divergence in nats (logarithmic) of forecasts of the two parts and of what is composed of them, one "
        "panel a quality of forecast. Points are means, bars 95% bounds; dashed: the tolerance that both parts meet.",
        {"levels": levels, "composites": found},
        method=(
            f"The parts are {EARLY} (it drafts, writes, or is asked first) and {LATE}. A part is forecast by its 8-bit "
            f"copy; by an earlier checkpoint ({', '.join(f'{b} for {a}' for a, b in EARLIER.items())}); or by a "
            "mixture, the logarithmic mean of three quarters of the part and one of that checkpoint, which is nothing "
            "that anybody could know beforehand, but a forecast of a middling error.",
            "A composite's truth is its exact next-token distribution. It is forecast by the same rule on the "
            "forecasts of the parts, as by somebody who knows the rule and takes these forecasts for the parts.",
            "The tolerance of a level is the least of "
            f"{', '.join(f'{tolerance:g}' for tolerance in TOLERANCES)} nats that both parts meet.",
        ),
    )


def answer(levels: list[dict[str, Any]], found: list[dict[str, Any]]) -> tuple[str, ...]:
    """The sentences; the first says whether a composite of parts that pass fails."""
    judged = [level for level in levels if level["tolerance"] is not None]
    failing = [one for one in found if one["decision"] == FAIL]
    if not judged:
        first = "Not decided: the parts meet no tolerance that was tried."
    elif failing:
        ways = list(dict.fromkeys(one["way"] for one in failing))
        fail = "fails" if len(ways) == 1 else "fail"
        first = f"Not by itself: {listed(ways)} {fail} at a tolerance that both parts meet."
    else:
        first = "Not shown to break: no composite fails at a tolerance that both parts meet."
    return (
        first,
        *(_level_sentence(level, found) for level in judged),
        *_best_sentence(levels, found),
        *_kept_sentence(levels, found),
        _single_sentence(found),
    )


def _level_sentence(level: dict[str, Any], found: list[dict[str, Any]]) -> str:
    here = [one for one in found if one["level"] == level["level"]]
    failing = [one["way"] for one in here if one["decision"] == FAIL]
    open_ones = [one["way"] for one in here if one["decision"] not in (PASS, FAIL)]
    passing = len(here) - len(failing) - len(open_ones)
    parts = " and ".join(f"{part} {told(record, ' nats')}" for part, record in level["parts"].items())
    return (
        f"Forecasts by {level['level']}: {parts} pass at {level['tolerance']:g} nats; of "
        f"{count_of(len(here), 'composite')} {passing} pass"
        + (f", {listed(failing)} {'fails' if len(failing) == 1 else 'fail'}" if failing else ", none fails")
        + (f", not decided: {listed(open_ones)}." if open_ones else ".")
    )


def _best_sentence(levels: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    """How the loss of best-of-n goes with n, against the worse part's."""
    best = {way.name for way in WAYS if way.group == BEST}
    told_levels = []
    for level in levels:
        own = [one for one in found if one["level"] == level["level"] and one["way"] in best]
        if own:
            numbers = ", ".join(f"{one['way']} {told(one['times_the_worse_part'])}" for one in own)
            told_levels.append(f"{level['level']}: {numbers}")
    if not told_levels:
        return []
    return [f"Choosing among draws, in times the worse part's loss: {'; '.join(told_levels)}."]


def _kept_sentence(levels: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    """Whether what is proved was seen: the linear pool within the mean, strict verification the verifier itself."""
    kept = []
    for level in levels:
        means = {part: mean_of(record) for part, record in level["parts"].items()}
        own = {one["way"]: mean_of(one["kl_nats"]) for one in found if one["level"] == level["level"]}
        if LINEAR in own:
            kept.append(own[LINEAR] <= sum(means.values()) / len(means))
        if STRICT in own:
            kept.append(abs(own[STRICT] - means[LATE]) <= _ROUNDING_NATS)
    if not kept:
        return []
    seen = "held every time" if all(kept) else f"held {sum(kept)} of {len(kept)} times, which is an error of this page"
    return [f"What is proved (linear pool: at most the mean of the parts; strict verification: the verifier) {seen}."]


def _single_sentence(found: list[dict[str, Any]]) -> str:
    """Where the forecast of one part alone was the better forecast of the whole."""
    worse = [
        f"{one['way']} by {one['level']} ({told(one['best_single']['kl_nats'])} against {told(one['kl_nats'])})"
        for one in found
        if one["best_single"]["kl_nats"]["hi"] < one["kl_nats"]["lo"]
    ]
    if not worse:
        return "No composed forecast was clearly worse than a single part's forecast taken for the whole."
    return f"A single part's forecast taken for the whole was clearly nearer than the composed one for {listed(worse)}."


def _parts_table(levels: list[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            level["level"],
            *(told(level["parts"][part]) for part in (EARLY, LATE)),
            "–" if level["tolerance"] is None else f"{level['tolerance']:g}",
        )
        for level in levels
    )
    return Table("The parts", ("forecast by", f"{EARLY}, nats", f"{LATE}, nats", "both pass at, nats"), rows)


def _table(level: dict[str, Any], found: list[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            one["way"],
            told(one["kl_nats"]),
            told(one["times_the_worse_part"]),
            one["decision"] or "–",
            f"{told(one['best_single']['kl_nats'])} by that of {one['best_single']['part']}",
        )
        for one in found
        if one["level"] == level["level"]
    )
    columns = ("composite", "KL, nats", "times the worse part's", "verdict", "best single part's forecast, nats")
    return Table(f"Forecasts by {level['level']}", columns, rows)


def _known_table(found: list[dict[str, Any]]) -> Table:
    there = {one["way"] for one in found}
    rows = tuple((way.name, way.known) for way in WAYS if way.name in there)
    return Table("What is proved of the loss of a forecast composed by the same rule", ("composite", "bound"), rows)


def _figure(levels: list[dict[str, Any]], found: list[dict[str, Any]]) -> Any:
    groups = {way.name: way.group for way in WAYS}
    there = list(dict.fromkeys(one["way"] for one in found))
    rows = {f"part {part}": "part" for part in (EARLY, LATE)} | {way: groups[way] for way in there}
    panels = []
    for level in levels:
        records = {f"part {part}": record for part, record in level["parts"].items()}
        records |= {one["way"]: one["kl_nats"] for one in found if one["level"] == level["level"]}
        numbers = {name: (mean_of(record), record["lo"], record["hi"]) for name, record in records.items()}
        panels.append(Panel(f"{level['level']}, nats", numbers, log=True, rule=level["tolerance"]))
    return forest(rows, panels)


STUDY = Study(
    number=9,
    name="composites",
    question=QUESTION,
    claims=("D6",),
    limits=(
        "Two checkpoints of one small model, one choice of each rule's numbers, and errors of three kinds; other parts "
        "may err together or apart, which changes every figure here.",
        "The composed forecast takes the forecasts of the parts for the parts. Who knows how wrong they are would "
        "hedge, and would lose less where a choice sharpens the error, as in best of n.",
        "The bounds of small losses are wide: with some 300 prompts and losses of up to log(vocabulary) even a loss of "
        "0 has an upper bound near 0.1 nats, and nothing is decided below that.",
        "One token at a time: what a composite says over many tokens, and what it does with tools or with people in "
        "the loop, is not asked.",
    ),
    minutes=12,
    run=run,
)
