"""What a ladder unlocks now: pure, from its text, the models on it, the verdicts on them and their benchmark results.

Every answer is yes, no, or None: what is known does not decide it. The only thing that can be unknown is a benchmark's
result, which narrows a tolerance to somewhere between the strictest that its table can ask for and the general one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from foretell.base.interval import Interval, Unscored
from foretell.lineage import shortfalls
from foretell.lineage.approval import PASS
from foretell.scoring.losses import loss_metric
from foretell.verdicts.ladder import Ladder
from foretell.verdicts.ladder_batch import Model, Verdict
from foretell.verdicts.ladder_parts import HELPERS, CapabilityPart, RequirementPart

#: By model and benchmark; what is absent is unknown.
Results = Mapping[str, Mapping[str, "float | Unscored"]]
_NOT_READ = Unscored("no result was read")


@dataclass(frozen=True)
class Weighed:
    """A model of a batch, and whether it counts towards the next rung.

    Attributes:
        counts: None where a benchmark's unknown result decides.
        attempt: whose pass counts; None where none does.
        tolerance: what was asked, between these.
        tried: verdicts on it, by attempt.
        reasons: why it does not count, or why that cannot be said.
    """

    model: Model
    counts: bool | None
    attempt: int | None
    tolerance: Interval
    tried: Mapping[int, str]
    reasons: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.model.name,
            "names": list(self.model.names),
            "flop": self.model.flop,
            "weights": self.model.weights,
            "counts": self.counts,
            "attempt": self.attempt,
            "tolerance": {"lo": self.tolerance.lo, "hi": self.tolerance.hi},
            "verdicts": {str(attempt): decision for attempt, decision in self.tried.items()},
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True)
class Rung:
    """A rung as it is now.

    Attributes:
        above_flop, up_to_flop: its batch is what took more than the one and at most the other.
        unlocked: whether a training within its limit may begin.
        met: whether its own batch has passed what the next rung asks.
        missing: what its batch lacks; empty where it is met.
        why_not: why it is not unlocked.
    """

    name: str
    above_flop: float
    up_to_flop: float
    unlocked: bool | None
    met: bool | None
    models: tuple[Weighed, ...]
    missing: tuple[str, ...]
    why_not: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "above_flop": self.above_flop,
            "up_to_flop": self.up_to_flop,
            "unlocked": self.unlocked,
            "met": self.met,
            "models": [weighed.record() for weighed in self.models],
            "missing": list(self.missing),
            "why_not": list(self.why_not),
        }


@dataclass(frozen=True)
class LadderStatus:
    """What may be trained now.

    Attributes:
        above: models that took more than is unlocked now.
    """

    rungs: tuple[Rung, ...]
    above: tuple[Model, ...]

    @property
    def may_train_up_to_flop(self) -> float:
        """The limit of the highest rung that is unlocked; the first one always is."""
        return [rung.up_to_flop for rung in self.rungs if rung.unlocked][-1]

    @property
    def undecided_up_to_flop(self) -> float:
        """What might be unlocked if every unknown benchmark result were low."""
        return [rung.up_to_flop for rung in self.rungs if rung.unlocked is not False][-1]

    def allows(self, flop: float) -> bool | None:
        """Whether a training of so many operations may begin now; None where that cannot be said."""
        if flop <= self.may_train_up_to_flop:
            return True
        return None if flop <= self.undecided_up_to_flop else False

    def why_not(self, flop: float) -> tuple[str, ...]:
        """Reasons against a training; empty where it is allowed."""
        if self.allows(flop):
            return ()
        top = self.rungs[-1]
        if flop > top.up_to_flop:
            return (f"no rung goes that far: the last one, {top.name!r}, ends at {top.up_to_flop:g} FLOP",)
        return next(rung.why_not for rung in self.rungs if flop <= rung.up_to_flop)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "may_train_up_to_flop": self.may_train_up_to_flop,
            "undecided_up_to_flop": self.undecided_up_to_flop,
            "rungs": [rung.record() for rung in self.rungs],
            "above": [model.name for model in self.above],
        }


def climb(
    ladder: Ladder,
    found: Sequence[Model],
    verdicts: Sequence[Verdict],
    evaluators: frozenset[str],
    results: Results,
    now: datetime,
) -> LadderStatus:
    """What a ladder unlocks.

    The first rung is unlocked by definition. Each other one is, if the one below is and the batch of the one below has
    passed what is required. A stricter requirement, one verdict less or one revocation more never unlocks anything; one
    more pass never locks.

    Args:
        found: see `ladder_batch.models`.
        evaluators: signing keys of those whose verdicts count.
        now: verdicts that expired before do not count.
    """
    rungs: list[Rung] = []
    unlocked: bool | None = True
    why_not: tuple[str, ...] = ()
    above = 0.0
    judged = [one if one.evaluator in evaluators else _of_a_stranger(one) for one in verdicts]
    for part, asked in zip(ladder.rungs, ladder.requirements, strict=True):
        batch = [model for model in found if above < model.flop <= part.up_to_flop]
        weighed = tuple(_weigh(one, asked, ladder.capability, judged, results, now) for one in batch)
        met, missing = _batch(asked, weighed, part.up_to_flop)
        rungs.append(Rung(part.name, above, part.up_to_flop, unlocked, met, weighed, missing, why_not))
        if unlocked is True:
            why_not = tuple(f"rung {part.name!r} below: {words}" for words in missing)
        elif met is not True:
            why_not = (*why_not, *(f"rung {part.name!r} below: {words}" for words in missing))
        unlocked, above = _all((unlocked, met)), part.up_to_flop
    limit = [rung.up_to_flop for rung in rungs if rung.unlocked][-1]
    return LadderStatus(tuple(rungs), tuple(model for model in found if model.flop > limit))


def _of_a_stranger(verdict: Verdict) -> Verdict:
    name = "+".join(verdict.evaluator.split("+")[:2])  # a signing key is its name, a hash, and the key itself
    return replace(verdict, fallen=(f"{name} judged it, whose verdicts this ladder does not count", *verdict.fallen))


def _all(answers: Sequence[bool | None]) -> bool | None:
    """Whether all hold, where some may be unknown (Kleene's strong conjunction).

    >>> _all([True, None]), _all([None, False]), _all([])
    (None, False, True)
    """
    return False if False in answers else None if None in answers else True


def _batch(asked: RequirementPart, weighed: Sequence[Weighed], limit: float) -> tuple[bool | None, tuple[str, ...]]:
    """Whether a batch meets a requirement, and what it lacks."""
    counting = [one for one in weighed if one.counts]
    possible = [one for one in weighed if one.counts is not False]
    needed = asked.reach * limit

    def at_least(models: Sequence[Weighed]) -> bool:
        return len(models) >= asked.at_least and max((one.model.flop for one in models), default=0.0) >= needed

    met = True if at_least(counting) else None if at_least(possible) else False
    if asked.every_model:
        met = _all([met, *(one.counts for one in weighed)])
    return met, () if met else tuple(_missing(asked, weighed, counting, needed))


def _missing(
    asked: RequirementPart, weighed: Sequence[Weighed], counting: Sequence[Weighed], needed: float
) -> Iterator[str]:
    if not weighed:
        yield "no model is registered on it"
        return
    if len(counting) < asked.at_least:
        there_are = "there is 1" if len(counting) == 1 else f"there are {len(counting) or 'none'}"
        yield f"it needs {_models(asked.at_least)} with a pass that counts, and {there_are}"
    elif max(one.model.flop for one in counting) < needed:
        yield f"it needs one that counts and took at least {needed:g} FLOP, and there is none"
    for one in weighed:
        if not one.counts:
            yield f"{one.model.name!r}: " + "; ".join(one.reasons)


def _models(number: int) -> str:
    return f"{number} model" + ("" if number == 1 else "s")


def _weigh(
    model: Model,
    asked: RequirementPart,
    tables: Sequence[CapabilityPart],
    judged: Sequence[Verdict],
    results: Results,
    now: datetime,
) -> Weighed:
    """Whether a model counts: it does if some pass meets the strictest tolerance that may be asked of it."""
    tolerance, tightened, unknown = _tolerance(model, asked, tables, results)
    own = [one for one in reversed(judged) if model.weights is not None and one.weights == model.weights]
    tried = {one.attempt: one.decision for one in reversed(own)}
    if model.objections or not own:
        return Weighed(model, False, None, tolerance, tried, model.objections or ("no verdict on it",))
    undecided: int | None = None
    against: list[str] = []
    for verdict in own:
        reasons = tuple(_against(verdict, asked, tolerance.hi, now))
        if not reasons and not tuple(_against(verdict, asked, tolerance.lo, now)):
            return Weighed(model, True, verdict.attempt, tolerance, tried, ())
        if not reasons:
            undecided = verdict.attempt
        told = "; ".join(reasons) + (f" ({tightened})" if tightened else "")
        against.append(f"attempt {verdict.attempt} does not count: {told}")
    if undecided is None:
        return Weighed(model, False, None, tolerance, tried, tuple(against))
    amount = loss_metric(asked.metric).amount(f"{tolerance.lo:g}")
    why = f"whether attempt {undecided} counts cannot be said: as little as {amount} may be asked; {unknown}"
    return Weighed(model, None, None, tolerance, tried, (why,))


def _tolerance(
    model: Model, asked: RequirementPart, tables: Sequence[CapabilityPart], results: Results
) -> tuple[Interval, str, str]:
    """The tolerance that a model's results ask for, what tightened it, and which results are unknown."""
    lo = hi = asked.tolerance
    tightened, unknown = "", []
    own = results.get(model.name, {})
    for table in tables:
        result = own.get(table.benchmark, _NOT_READ)
        if isinstance(result, Unscored):
            lo = min(lo, table.strictest)
            unknown.append(f"{table.benchmark} unknown: {result.reason}")
            continue
        step = table.tolerance(result)
        lo = lo if step is None else min(lo, step)
        if step is not None and step < hi:
            hi, tightened = step, f"{table.benchmark} of {result:g} asks for {step:g}"
    return Interval(lo, hi), tightened, "; ".join(unknown)


def _against(verdict: Verdict, asked: RequirementPart, tolerance: float, now: datetime) -> Iterator[str]:
    """Why a verdict does not count at a tolerance."""
    if verdict.decision != PASS:
        yield f"its verdict is {verdict.decision}"
        return
    yield from verdict.fallen
    if verdict.until is not None and verdict.until < now:
        yield f"it expired on {verdict.until:%Y-%m-%d}"
    needed = replace(asked.strictness, tolerance=tolerance)
    yield from shortfalls(verdict.strictness, needed, asked.slices)
    if verdict.helpers and HELPERS.index(verdict.rule) > HELPERS.index(asked.helpers):
        allowed = {"none": "no help is allowed", "approved": "only approved help is allowed"}[asked.helpers]
        yield f"its charter let help be {verdict.rule}, and {allowed}"
