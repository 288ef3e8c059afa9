"""What a knee is, and whether two ladders show one: one of text statistics, one of models; numbers in, sentences out.

A knee, for one target: let T be the mean KL divergence of the best pool of text-only references.
1. Models go on: some model-based forecaster has skill over that pool, with bounds above 0 (the two are paired).
2. Text stops: at T, four times as much text gains a 5-gram less than FLAT·T, and raising the order from 3 to 5 too,
   both with the upper ends of their bounds against the lower end of T's.
Where one of the gains is shown to be more than FLAT·T there is none; else it is not decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from foretell.reports.figures import missing
from foretell.studies.study import Table
from foretell.studies.words import listed, mean_of, side, told

#: The share of the threshold that text may still gain where it is said to have stopped; set before any number was seen.
FLAT = 0.1
State = Literal["knee", "text goes on", "undecided", "no model below"]


@dataclass(frozen=True)
class Climber:
    """One forecaster on a ladder: its name, its loss, and where it stands on its dial (a share of text or training)."""

    name: str
    kl_nats: dict[str, Any]
    share: float | None = None
    skill: dict[str, Any] | None = None


@dataclass(frozen=True)
class Ladder:
    """Everything measured of one target.

    Attributes:
        step: of its training, None where that is not known.
        pool: loss of the best text-only pool, with bounds (T).
        references: the text-only references.
        models: model-based forecasters, the farthest first.
        shares: 5-grams of growing shares of a text, judged on all prompts.
        text_gain: nats that the last fourfold of text gained, paired, with bounds.
        order_gain: nats that the orders from 3 to 5 gained, likewise.
    """

    target: str
    step: int | None
    pool: dict[str, Any]
    references: tuple[Climber, ...]
    models: tuple[Climber, ...]
    shares: tuple[Climber, ...]
    text_gain: dict[str, Any]
    order_gain: dict[str, Any]


def below(ladder: Ladder) -> list[Climber]:
    """The model-based forecasters that are shown to lose less than the pool."""
    return [
        model
        for model in ladder.models
        if model.skill is not None and missing(model.skill) is None and side(model.skill) > 0
    ]


def state(ladder: Ladder) -> State:
    """Whether a knee is shown, as the module's first lines define it."""
    if not below(ladder):
        return "no model below"
    gains = (ladder.text_gain, ladder.order_gain)
    if any(gain["lo"] > FLAT * ladder.pool["hi"] for gain in gains):
        return "text goes on"
    if all(gain["hi"] < FLAT * ladder.pool["lo"] for gain in gains):
        return "knee"
    return "undecided"


def sentence(ladder: Ladder) -> str:
    """What one target's ladders show."""
    threshold, gains = told_of(ladder.pool), _gains(ladder)
    found = state(ladder)
    if found == "no model below":
        nearest = min(ladder.models, key=lambda model: mean_of(model.kl_nats), default=None)
        model = f"the nearest is {nearest.name} at {told_of(nearest.kl_nats)}" if nearest else "none was tried"
        return f"{ladder.target}: no knee. No model-based forecaster is shown below the text-only {threshold}; {model}."
    best = min(below(ladder), key=lambda model: mean_of(model.kl_nats))
    reached = f"the best text-only pool is at {threshold}, {best.name} at {told_of(best.kl_nats)}"
    share = f"{FLAT:.0%} of that"
    if found == "knee":
        return f"{ladder.target}: a knee. {_capital(reached)}; text has stopped there: {gains}, less than {share} each."
    if found == "text goes on":
        return f"{ladder.target}: no knee. {_capital(reached)}, but text goes on there: {gains}, where {share} was set."
    still = any(gain["lo"] > 0 for gain in (ladder.text_gain, ladder.order_gain))
    return (
        f"{ladder.target}: a knee is not decided. {_capital(reached)}. There {gains}. "
        f"{'Text still gains, and whether' if still else 'Whether'} by less than {share} each, as was asked of text "
        "that has stopped, is not shown."
    )


def _gains(ladder: Ladder) -> str:
    return (
        f"four times as much text gains a 5-gram {told_of(ladder.text_gain)}, and the orders from 3 to 5 gain "
        f"{told_of(ladder.order_gain)}"
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def told_of(record: dict[str, Any]) -> str:
    """A number of nats with its bounds."""
    return told(record, " nats")


def answer(ladders: list[Ladder], main: Ladder) -> tuple[str, ...]:
    """The sentences: the main target's first, then how it came about over training, then other targets.

    Args:
        main: the one of the ladders that the first sentence is about.
    """
    trained = [ladder for ladder in ladders if ladder.step is not None]
    others = [ladder for ladder in ladders if ladder.step is None and ladder is not main]
    found = [sentence(main)]
    if len(trained) > 1:
        found += _over_training(trained)
    return (*found, *map(sentence, others))


def _over_training(trained: list[Ladder]) -> list[str]:
    first, last = trained[0], trained[-1]
    moved = "rises" if last.pool["lo"] > first.pool["hi"] else "falls" if last.pool["hi"] < first.pool["lo"] else ""
    line = (
        f"Over training the text-only pool's loss {moved}" if moved else "Over training no change is shown of the pool"
    )
    found = [f"{line}: {told_of(first.pool)} for {first.target}, {told_of(last.pool)} for {last.target}."]
    crossed = [ladder.target for ladder in trained if below(ladder)]
    tried = [ladder for ladder in trained if ladder.models]
    if crossed:
        found.append(f"An earlier checkpoint is shown below the text-only pool for {listed(crossed)}.")
    elif tried:
        found.append("For no checkpoint is an earlier one shown below the text-only pool.")
    ahead = [ladder for ladder in trained if side(ladder.text_gain) < 0]
    if ahead:
        found.append(
            f"For {listed([ladder.target for ladder in ahead])} more text makes the 5-gram worse "
            f"({told_of(ahead[0].text_gain)} gained for {ahead[0].target}): it has learned what the target has not yet."
        )
    knees = [ladder.target for ladder in trained if state(ladder) == "knee"]
    open_ones = [ladder.target for ladder in trained if state(ladder) == "undecided"]
    told_knees = f"a knee is shown for {listed(knees)}" if knees else "a knee is shown for none"
    undecided = f", and not decided for {listed(open_ones)}" if open_ones else ""
    return [*found, f"Of {len(trained)} checkpoints {told_knees}{undecided}."]


def table(ladder: Ladder) -> Table:
    """All rungs of one target, the nearest first."""
    pool = Climber("best text-only pool (T)", ladder.pool)
    judged = sorted([*ladder.references, *ladder.models, pool], key=lambda one: mean_of(one.kl_nats))
    rows = [(one.name, told(one.kl_nats), told(one.skill) if one.skill else "–", "half") for one in judged]
    rows += [(one.name, told(one.kl_nats), "–", "all") for one in ladder.shares]
    return Table(
        f"{ladder.target}: {state(ladder)}",
        ("forecaster", "KL, nats", "skill", "judged on"),
        tuple(rows),
        f"Gain of the last fourfold of text: {told_of(ladder.text_gain)}; of the orders from 3 to 5: "
        f"{told_of(ladder.order_gain)}.",
    )
