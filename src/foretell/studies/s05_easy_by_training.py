"""Study 5, easy by training (D16): a model pulled towards bigrams: what it cost, what it won, what shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foretell.organisms.training import read_organism
from foretell.reports.figures import plain
from foretell.studies.drawing import HALF, Axis, Point, beside, curves
from foretell.studies.study import Findings, Study, Table
from foretell.studies.words import mean_of, told
from foretell.studies.workshop import Workshop
from foretell.verdicts.scale_record import POOL, REFERENCE

QUESTION = "What does it cost to train a model so that bigrams predict it, what does its score win, and what shows it?"
STRENGTHS = (0.0, 0.1, 0.3, 1.0, 3.0)
BIGRAM, BASE = "ngram:2:tiny", "model:tiny"
_QUICK = {"steps": 2, "batch": 1, "window": 64}
_QUICK_STRENGTHS = (0.0, 3.0)
#: In nats: what a loss of nothing is drawn at.
_SMALL = 0.01


def run(workshop: Workshop) -> Findings:
    """Train at each strength, and place the same forecasters on each model's scale."""
    changes: dict[str, Any] = _QUICK if workshop.quick else {}
    suite = workshop.suite()
    found = []
    for strength in workshop.pick(STRENGTHS, _QUICK_STRENGTHS):
        folder = workshop.organism("easy", strength=strength, **changes)
        workshop.uses(f"Strength {strength:g} is the organism {folder.name}.")
        target = f"hf:{folder}"
        placed = workshop.scale(target, suite, ("tiny",), [BASE], called=f"the model of strength {strength:g}")
        found.append(entry(strength, folder, placed))
    return findings(found)


def entry(strength: float, folder: Path, placed: dict[str, Any]) -> dict[str, Any]:
    """What the study needs of one model's scale and record."""
    rungs = placed["rungs"]
    by_name = {rung["name"]: rung for rung in rungs}
    measured = read_organism(folder)["measured"]
    return {
        "strength": strength,
        "bits_per_byte": measured["bits_per_byte_held_out"]["organism"],
        "bits_per_byte_of_base": measured["bits_per_byte_held_out"]["base"],
        "entropy_nats": measured["entropy_nats_of_organism_on_foretell-300"],
        "bigram": by_name[BIGRAM]["kl_nats"],
        "best_reference": min(
            (rung["name"] for rung in rungs if rung["kind"] == REFERENCE),
            key=lambda name: mean_of(by_name[name]["kl_nats"]),
        ),
        "pool": next(rung["kl_nats"] for rung in rungs if rung["kind"] == POOL),
        "base": by_name[BASE]["kl_nats"],
        "skill_of_base": by_name[BASE]["skill"],
    }


def findings(found: list[dict[str, Any]]) -> Findings:
    """What the numbers say."""
    return Findings(
        answer(found),
        (_table(found),),
        _figure(found),
        "Left: mean KL divergence of three forecasts from the model, in nats (points are means, bars 95% bounds). "
        "Right: what the model itself pays, in bits a byte on held-out files. Both against the strength of the pull.",
        {"models": found},
        method=(
            "All models go on from the last checkpoint of tiny for the same steps on the same windows; the loss is "
            "that of the text plus strength times KL(model ‖ bigram). Strength 0 is the control: further training "
            "alone.",
            "The best pool of text-only references is fitted anew for each model, on one half of the suite's "
            "documents; everything is judged on the other half.",
            "Bits a byte: on the first 100,000 characters of held-out files of the standard library, without bounds.",
        ),
    )


def answer(found: list[dict[str, Any]]) -> tuple[str, ...]:
    """The sentences: won, paid, and what shows it."""
    control, last = found[0], found[-1]
    apart = last["bigram"]["hi"] < control["bigram"]["lo"]
    verb = "falls" if apart else "is not shown to fall"
    return (
        f"Won: from strength {control['strength']:g} to {last['strength']:g} the bigram forecast's loss {verb} from "
        f"{told(control['bigram'], ' nats')} to {told(last['bigram'], ' nats')}, and that of the best text-only pool "
        f"goes from {told(control['pool'], ' nats')} to {told(last['pool'], ' nats')}.",
        _paid(control, last),
        _cheapest(found),
        _entropy(control, last),
        _skill(control, last),
    )


def _paid(control: dict[str, Any], last: dict[str, Any]) -> str:
    share = last["bits_per_byte"] / control["bits_per_byte"] - 1
    word = "more" if share >= 0 else "less"
    return (
        f"Paid: {plain(last['bits_per_byte'])} bits a byte on held-out files at strength {last['strength']:g}, against "
        f"{plain(control['bits_per_byte'])} at strength {control['strength']:g}: {abs(share):.0%} {word}."
    )


def _cheapest(found: list[dict[str, Any]]) -> str:
    """The exchange at the smallest pull."""
    control, first = found[0], found[1]
    won = mean_of(control["bigram"]) - mean_of(first["bigram"])
    paid = first["bits_per_byte"] - control["bits_per_byte"]
    return (
        f"At strength {first['strength']:g} the bigram's mean loss is {plain(abs(won))} nats "
        f"{'lower' if won >= 0 else 'higher'} for {plain(abs(paid))} bits a byte {'more' if paid >= 0 else 'less'} "
        "(both without bounds)."
    )


def _entropy(control: dict[str, Any], last: dict[str, Any]) -> str:
    """Whether the model says less, which alone makes it no easier to predict."""
    before, after = control["entropy_nats"], last["entropy_nats"]
    word = "rises" if after > before else "falls"
    return f"The mean entropy of the model's own distributions {word} from {plain(before)} to {plain(after)} nats."


def _skill(control: dict[str, Any], last: dict[str, Any]) -> str:
    """What shows it: text alone does better, so a given raw score is worth less skill."""
    easier = last["pool"]["hi"] < control["pool"]["lo"]
    if not easier:
        return (
            "The scale does not show it: the best text-only pool is not clearly nearer to the pulled model than to the "
            "control."
        )
    return (
        "What shows it in the report: the best text-only pool comes nearer too, so the same raw score is worth less "
        f"skill; and the loss on held-out text, which the score does not see. The base itself as forecaster goes from "
        f"{told(control['base'], ' nats')} and skill {told(control['skill_of_base'])} to {told(last['base'], ' nats')} "
        f"and skill {told(last['skill_of_base'])}."
    )


def _table(found: list[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            f"{one['strength']:g}",
            f"{one['bits_per_byte']:.3f}",
            f"{one['entropy_nats']:.3f}",
            told(one["bigram"]),
            told(one["pool"]),
            one["best_reference"],
            told(one["base"]),
            told(one["skill_of_base"]),
        )
        for one in found
    )
    return Table(
        "Along the dial",
        (
            "strength",
            "bits a byte, held out",
            "entropy, nats",
            f"{BIGRAM}, nats",
            "best text-only pool, nats",
            "best single reference",
            f"{BASE}, nats",
            f"skill of {BASE}",
        ),
        rows,
        f"The base before further training: {found[0]['bits_per_byte_of_base']:.3f} bits a byte.",
    )


def _figure(found: list[dict[str, Any]]) -> Any:
    series = {"bigram": BIGRAM, "pool": "best text-only pool", "base": BASE}
    points = [
        Point(name, one["strength"], mean_of(one[part]), one[part]["lo"], one[part]["hi"])
        for part, name in series.items()
        for one in found
    ]
    paid = [Point("the model", one["strength"], *[one["bits_per_byte"]] * 3) for one in found]
    ticks = tuple(one["strength"] for one in found)
    dial = Axis("strength of the pull towards bigrams", log=True, from_zero=0.1, ticks=ticks)
    return beside(
        curves(
            points, dial, Axis("mean KL divergence, nats", domain=(0.0, 1.05 * max(p.hi for p in points))), width=HALF
        ),
        curves(paid, dial, Axis("bits a byte, held-out files"), width=HALF),
    )


STUDY = Study(
    number=5,
    name="easy-by-training",
    question=QUESTION,
    claims=("D16",),
    limits=(
        "The pull is short (300 steps) and towards one bigram table; a longer training, or one towards a richer toy "
        "model, could buy the same score for less.",
        "What shows it here is a comparison with a control of strength 0. An evaluator who sees one model only has no "
        "control; a loss on held-out text that is high for the model's size and compute is the sign to ask about.",
        "One base of a million parameters and one seed.",
    ),
    minutes=12,
    run=run,
)
