"""Study 8, vocabulary (D18): models that saw the same bytes in larger and smaller tokens, each with its own text."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from typing import Any

from foretell.organisms.training import read_organism
from foretell.reports.figures import plain
from foretell.studies.drawing import HALF, Axis, Point, beside, curves
from foretell.studies.study import Findings, Study, Table
from foretell.studies.words import listed, mean_of, told
from foretell.studies.workshop import Workshop
from foretell.suites import Suite

QUESTION = "Does a smaller vocabulary look easier to predict, and does the figure per byte put that right?"
#: Vocabularies of the models; the largest is the shipped one at the step that has seen as many bytes.
SIZES, SHIPPED, SHIPPED_SIZE = (512, 1024), "tiny@384", 2048
#: Text-only references, counted anew in each vocabulary on the same text.
REFERENCES = ("uniform", "unigram:stdlib", "ngram:2:stdlib", "ngram:3:stdlib", "ngram:5:stdlib")
_PROMPTS = 120
_QUICK: dict[str, Any] = {"like_step": 96, "layers": 1, "hidden": 16, "heads": 2, "feed_forward": 16}


def run(workshop: Workshop) -> Findings:
    """Score the same references, counted in each vocabulary, against each model."""
    suite = workshop.suite(_PROMPTS)
    whole = Suite(f"{suite.name}, all positions", tuple(replace(prompt, scored="all") for prompt in suite))
    found = []
    for size in workshop.pick(SIZES, SIZES[:1]):
        # A quick run stops after two steps; it does not see the same bytes.
        changes = _QUICK | {"stop_after": 2} if workshop.quick else {}
        folder = workshop.organism("small-vocabulary", vocabulary=size, **changes)
        workshop.uses(f"Vocabulary {size}: the organism {folder.name}.")
        record = read_organism(folder)
        found.append(_entry(workshop, size, f"hf:{folder}", whole) | {"bytes_seen": record["bytes_seen"]})
    return findings([*found, _entry(workshop, SHIPPED_SIZE, SHIPPED, whole)])


def _entry(workshop: Workshop, size: int, target: str, suite: Suite) -> dict[str, Any]:
    truth = workshop.truth(target, suite, called=f"the model of {size} tokens")
    forecasts = [workshop.forecast(spec, truth) for spec in REFERENCES]
    score = workshop.score(truth, forecasts)
    return {
        "vocabulary": size,
        "references": {
            one["name"]: {"kl_nats": one["kl_nats"], "bits_per_byte": one["metrics"]["kl_bits_per_byte"]}
            for one in score["forecasts"]
        },
    }


def findings(found: list[dict[str, Any]]) -> Findings:
    """What the numbers say.

    Args:
        found: by rising vocabulary.
    """
    models = [one | {"references": {n: _with_bytes(own) for n, own in one["references"].items()}} for one in found]
    return Findings(
        answer(models),
        (_table(models),),
        _figure(models),
        "Losses of the same references on models of three vocabularies: left in nats a token, right in bits a byte of "
        "text. Points are means, bars 95% bounds (those a byte are those a token, divided by the same bytes a token).",
        {"models": models},
        method=(
            "The models have the shipped target's layers and width and are trained on its text, each with a byte-level "
            f"tokenizer of its own; the smaller ones stop when they have seen as many bytes as {SHIPPED} had.",
            "All positions of every prompt are scored, so that every model is asked about the same text. References "
            "are n-grams of the standard library, counted in each model's own tokens.",
            "Bits a byte: the mean loss over the bytes that the next token is expected to have under the model.",
        ),
    )


def _with_bytes(own: dict[str, Any]) -> dict[str, Any]:
    """Bounds a byte from those a token: the same bytes a token, taken as exact."""
    factor = own["bits_per_byte"] / mean_of(own["kl_nats"])
    per_byte = {name: own["kl_nats"][name] * factor for name in ("mean", "lo", "hi")}
    return {"kl_nats": own["kl_nats"], "bits_per_byte": per_byte}


def answer(found: list[dict[str, Any]]) -> tuple[str, ...]:
    """The sentences; the first says whether the smallest vocabulary looks easier a token, and a byte."""
    small, large = found[0], found[-1]
    by_token = [name for name in REFERENCES if _lower(small, large, name, "kl_nats")]
    by_byte = [name for name in REFERENCES if _lower(small, large, name, "bits_per_byte")]
    both = f"{small['vocabulary']} tokens than with {large['vocabulary']}"
    if len(by_token) == len(REFERENCES):
        first = f"A token, yes: each of {len(REFERENCES)} references has a clearly lower loss with {both}"
    elif by_token:
        first = f"A token, in part: {listed(by_token)} have a clearly lower loss with {both}"
    else:
        first = f"A token, not shown: no reference has a clearly lower loss with {both}"
    rest = f"still clearly lower for {listed(by_byte)}" if by_byte else "clearly lower for none"
    higher = [name for name in REFERENCES if _lower(large, small, name, "bits_per_byte")]
    if higher:
        every = "each of them" if len(higher) == len(REFERENCES) else listed(higher)
        rest += f", and clearly higher for {every}"
    name = REFERENCES[-1]
    per = [
        f"with {one['vocabulary']} tokens {told(one['references'][name]['kl_nats'], ' nats')} a token, "
        f"{told(one['references'][name]['bits_per_byte'], ' bits')} a byte"
        for one in found
    ]
    return (f"{first}; a byte, {rest}.", f"{name}: {'; '.join(per)}.", _ranking(found))


def _lower(small: dict[str, Any], large: dict[str, Any], name: str, part: str) -> bool:
    return bool(small["references"][name][part]["hi"] < large["references"][name][part]["lo"])


def _ranking(found: list[dict[str, Any]]) -> str:
    """Whether the references stand in the same order for every model; within a model both figures rank alike."""
    orders = {
        one["vocabulary"]: sorted(REFERENCES, key=lambda name: mean_of(one["references"][name]["kl_nats"]))
        for one in found
    }
    differing = [(a, b) for a, b in combinations(orders, 2) if orders[a] != orders[b]]
    if not differing:
        first = orders[found[0]["vocabulary"]]
        return f"The references rank the same for every vocabulary: {', '.join(first)}."
    told_orders = "; ".join(f"{size}: {', '.join(order)}" for size, order in orders.items())
    return f"The references do not rank the same for every vocabulary. From the nearest, by vocabulary: {told_orders}."


def _table(found: list[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            name,
            *(told(one["references"][name]["kl_nats"]) for one in found),
            *(told(one["references"][name]["bits_per_byte"]) for one in found),
        )
        for name in REFERENCES
    )
    sizes = [one["vocabulary"] for one in found]
    columns = (*(f"nats a token, {size}" for size in sizes), *(f"bits a byte, {size}" for size in sizes))
    seen = ", ".join(f"{one['vocabulary']}: {plain(one['bytes_seen'])}" for one in found if "bytes_seen" in one)
    return Table("Losses by vocabulary", ("reference", *columns), rows, f"Bytes of text seen in training: {seen}.")


def _figure(found: list[dict[str, Any]]) -> Any:
    sizes = tuple(float(one["vocabulary"]) for one in found)
    dial = Axis("tokens of the vocabulary", log=True, ticks=sizes)

    def side_of(part: str, title: str) -> Any:
        records = [(name, one["vocabulary"], one["references"][name][part]) for name in REFERENCES for one in found]
        points = [Point(name, size, mean_of(own), own["lo"], own["hi"]) for name, size, own in records]
        top = max(point.hi for point in points)
        assert math.isfinite(top)
        return curves(points, dial, Axis(title, domain=(0.0, 1.05 * top)), width=HALF)

    return beside(
        side_of("kl_nats", "mean KL divergence, nats a token"), side_of("bits_per_byte", "KL divergence, bits a byte")
    )


STUDY = Study(
    number=8,
    name="vocabulary",
    question=QUESTION,
    claims=("D18",),
    limits=(
        "The models differ in more than their tokens: at equal bytes a small vocabulary takes more steps, and a window "
        "of 512 tokens covers less text.",
        "Models of one layout on one kind of text; byte-level vocabularies of 512 to 2048 tokens only, an order of "
        "magnitude below those in use.",
        "A byte of text is a fairer unit than a token, but no neutral one: what is easy about text differs by script.",
    ),
    minutes=6,
    run=run,
)
