"""Study 2, the web-text reader (D3): does knowing text, and nothing of the model, look like knowing the model?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from foretell.distributions import Vocabulary
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.panel import text_references
from foretell.forecasters.specs import TINY
from foretell.reports.figures import plain
from foretell.studies.drawing import Panel, forest
from foretell.studies.study import Findings, Study, Table
from foretell.studies.texts import TextPanel, english, installed_library
from foretell.studies.words import listed, mean_of, side, told
from foretell.studies.workshop import Workshop
from foretell.verdicts.scale_record import POOL, REFERENCE, label

QUESTION = "Does a superb reader of text look as if it knew the model?"
#: Members of the panel that are taken out of it in turn, to see what they would gain from outside.
LEFT_OUT = ("unigram:tiny", "ngram:5:tiny", "infinigram:stdlib")
#: A forecaster that is not text-only, for comparison.
CHECKPOINT = "model:tiny@1536"
_ORDERS = (1, 2, 3, 5)


def run(workshop: Workshop) -> Findings:
    """Place text-only forecasters that the pool does not have beside it: their skill and their gain should be 0."""
    suite, vocabulary = workshop.suite(), workshop.target(TINY).vocabulary
    corpora = [corpus for corpus in (installed_library("numpy"), english()) if corpus]
    texts = [TextPanel(corpus, vocabulary) for corpus in corpora[: workshop.pick(2, 1)]]
    for text in texts:
        workshop.uses(text.describe())
    rungs = [CHECKPOINT, "ngram:5:stdlib", "pool:log:ngram:3:tiny+ngram:5:tiny"]
    rungs += workshop.pick(["pool:ngram:2:tiny+infinigram:stdlib"], [])
    others = [rung for text in texts for rung in text.every(_ORDERS)]
    whole = workshop.scale(TINY, suite, (TINY,), [*rungs, *others])
    entries = list(_entries(whole, ""))
    for name in LEFT_OUT[: workshop.pick(3, 1)]:
        short = workshop.scale(TINY, suite, (f"{TINY} without {name}",), [name], references=_Without(name))
        entries += _entries(short, " (left out of the pool)")
    if workshop.quick:
        return findings(entries, whole)
    names = (TINY, *(text.corpus.name for text in texts))
    wide = workshop.scale(TINY, suite, names, [CHECKPOINT], references=partial(_wider, texts))
    return findings(entries, whole, wide)


def _wider(texts: Sequence[TextPanel], vocabulary: Vocabulary) -> Iterable[Sequence[Forecaster]]:
    """The panel of the tiny target with forecasters of other texts in it."""
    yield from text_references((TINY,), vocabulary)
    for text in texts:
        yield [opened() for _, opened in text.every(_ORDERS)]


class _Without:
    """The panel of the tiny target without one of its members."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, vocabulary: Vocabulary) -> Iterable[Sequence[Forecaster]]:
        for group in text_references((TINY,), vocabulary):
            yield [member for member in group if member.name != self.name]


def _entries(scale: dict[str, Any], suffix: str) -> Iterable[dict[str, Any]]:
    """What a scale says of forecasters outside its pool."""
    for rung in scale["rungs"]:
        if rung["kind"] not in (REFERENCE, POOL):
            yield {
                "name": rung["name"] + suffix,
                "text_only": rung["text_only"],
                "kl_nats": rung["kl_nats"],
                "skill": rung["skill"],
                "gain": rung["encompassing"]["gain_nats"],
                "weight": rung["encompassing"]["weight"],
            }


def findings(entries: list[dict[str, Any]], whole: dict[str, Any], wide: dict[str, Any] | None = None) -> Findings:
    """What the numbers say.

    Args:
        entries: name, text_only, kl_nats, skill, gain, weight of each forecaster outside the pool.
        whole: scale.json of the whole suite, for its pool.
        wide: scale.json with the other texts in the panel, where it was made.
    """
    entries = sorted(entries, key=lambda entry: mean_of(entry["kl_nats"]))
    pool = _pool_of(whole)
    wider = [_of_wider(whole, wide)] if wide else []
    return Findings(
        (*answer(entries, pool), *wider),
        (
            _table(entries),
            _pool_table("The panel and its best pool", whole),
            *([_pool_table("The wider panel and its best pool", wide)] if wide else []),
        ),
        _figure(entries),
        "Left: mean KL divergence from the target, in nats. Middle: skill over the best pool of text-only references "
        "(0: knows what the pool knows; 1: perfect). Right: nats that the pool gains when the forecast joins it, with "
        "the weight that did best on practice. Points are means, bars 95% bounds.",
        {
            "forecasters": entries,
            "pool": whole["pool"],
            "pool_kl_nats": pool["kl_nats"],
            "wider_pool": {"pool": wide["pool"], "rungs": wide["rungs"]} if wide else None,
        },
        method=(
            "The pool is fitted on one half of the suite's documents (practice), and everything is judged on the other "
            "half, as `foretell scale` does.",
            "Outside the pool stand: n-grams and infini-grams of other texts, pools with fixed equal weights, members "
            "of the panel that were taken out before the pool was fitted, and, for comparison, a checkpoint of the "
            "target itself.",
        ),
    )


def _pool_of(scale: dict[str, Any]) -> dict[str, Any]:
    return next(rung for rung in scale["rungs"] if rung["kind"] == POOL)


def _of_wider(whole: dict[str, Any], wide: dict[str, Any]) -> str:
    """What more text in the panel changes."""
    texts = [name for name in wide["asked"]["corpus"] if name != TINY]
    checkpoints = [next(rung for rung in scale["rungs"] if rung["name"] == CHECKPOINT) for scale in (whole, wide)]
    skills = [told(rung["skill"]) for rung in checkpoints]
    pools = [told(_pool_of(scale)["kl_nats"], " nats") for scale in (whole, wide)]
    return (
        f"With {listed(texts)} in the panel too, the best pool is at {pools[1]} instead of {pools[0]}, and skill of "
        f"{CHECKPOINT} is {skills[1]} instead of {skills[0]}: skill is always beside a panel of texts."
    )


def answer(entries: list[dict[str, Any]], pool: dict[str, Any]) -> tuple[str, ...]:
    """The sentences; the first is whether text-only forecasters come out at 0."""
    text = [entry for entry in entries if entry["text_only"]]
    sides = [side(entry["skill"]) for entry in text]
    gaining = [entry for entry in text if side(entry["gain"]) > 0]
    credited = [entry["name"] for entry, where in zip(text, sides, strict=True) if where > 0]
    largest = max(text, key=lambda entry: mean_of(entry["gain"]))
    highest = max(text, key=lambda entry: entry["skill"]["hi"])
    if credited:
        first = f"Not shown: {listed(credited)} know text only and have skill above 0."
    elif gaining:
        first = (
            f"In part: none of {len(text)} text-only forecasters has skill above 0, but {len(gaining)} of them add "
            "nats to the pool, so a gain above 0 does not prove knowledge of the model."
        )
    else:
        first = (
            f"Shown on these prompts: none of {len(text)} text-only forecasters has skill above 0, and none is shown "
            "to add anything to the pool of text-only references."
        )
    found = [
        first,
        f"Skill of text-only forecasters: {sides.count(0)} hold 0 within their bounds, {sides.count(-1)} lie below "
        f"(they know less than the pool), {sides.count(1)} above. The highest upper bound is "
        f"{plain(highest['skill']['hi'])}, of {highest['name']}.",
        f"Largest gain of a text-only forecaster: {told(largest['gain'], ' nats')}, by {largest['name']}.",
        f"The best pool itself is {told(pool['kl_nats'], ' nats')} from the target.",
    ]
    found += [_of_a_model(entry, largest) for entry in entries if not entry["text_only"]]
    return tuple(found)


def _of_a_model(entry: dict[str, Any], largest: dict[str, Any]) -> str:
    above = "more" if entry["gain"]["lo"] > largest["gain"]["hi"] else "not shown to be more"
    return (
        f"{entry['name']}: skill {told(entry['skill'])}, gain {told(entry['gain'], ' nats')}, {above} than the largest "
        "of a text-only forecaster."
    )


def _table(entries: list[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            entry["name"],
            "yes" if entry["text_only"] else "no",
            told(entry["kl_nats"]),
            told(entry["skill"]),
            told(entry["gain"]),
            f"{entry['weight']:.3f}",
        )
        for entry in entries
    )
    columns = ("forecaster", "text only", "KL, nats", "skill", "gain, nats", "weight in the pool")
    return Table("Forecasters outside the pool", columns, rows)


def _pool_table(title: str, whole: dict[str, Any]) -> Table:
    weights = {member["name"]: member["weight"] for member in whole["pool"]["members"]}
    rows = tuple(
        (label(rung), told(rung["kl_nats"]), f"{weights[rung['name']]:.3f}" if rung["name"] in weights else "–")
        for rung in reversed(whole["rungs"])
        if rung["kind"] in (REFERENCE, POOL)
    )
    return Table(title, ("reference", "KL, nats", "weight"), rows)


def _figure(entries: list[dict[str, Any]]) -> Any:
    kinds = {True: "text only", False: "a language model"}
    rows = {entry["name"]: kinds[entry["text_only"]] for entry in entries}

    def numbers(part: str) -> dict[str, tuple[float, float, float]]:
        return {entry["name"]: (mean_of(entry[part]), entry[part]["lo"], entry[part]["hi"]) for entry in entries}

    return forest(
        rows,
        (
            Panel("mean KL divergence, nats", numbers("kl_nats")),
            Panel("skill", numbers("skill"), rule=0.0),
            Panel("gain of the pool, nats", numbers("gain"), rule=0.0),
        ),
    )


STUDY = Study(
    number=2,
    name="webtext-reader",
    question=QUESTION,
    claims=("D3", "D2"),
    limits=(
        "One target, a model of a million parameters trained on Python source, whose training text the panel has in "
        "full. Where the panel's text is poorer than the target's own, a reader of better text has skill above 0 "
        "without knowing anything of the model.",
        "'Text-only' is what the forecasters here are by construction; the tool cannot see what a stranger's program "
        "has read.",
        "No language model reads the prompts here (`foretell scale --rung crosswalk:smollm2` places one, through its "
        "own tokenizer): it would know more of text than n-grams do, and takes too long for this study on two cores.",
        "The best pool is linear; a better way to combine the same references would leave less to gain.",
    ),
    minutes=16,
    run=run,
)
