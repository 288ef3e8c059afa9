"""What a policy comes to: each part against what there is, and the rule over all of them. No files, no clock.

What does not count is missing, whatever it says: evidence of another model, of another time or of a part of the test,
a verdict that was taken back, that has expired or that asked for less. Only what counts can be met or not met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from foretell.lineage import Standing, Strictness, shortfalls
from foretell.lineage.approval import PASS
from foretell.verdicts.evidence_files import Result, Value
from foretell.verdicts.policy import Policy
from foretell.verdicts.policy_parts import Conditioned, Evidence, FilePart, RunPart, VerdictPart
from foretell.verdicts.policy_rule import MISSING, State

Outcome: TypeAlias = Literal["met", "not met", "undecided"]
FAIL = "fail"
#: Verdicts whose reasons are told where none counts; enough to act on.
_MOST_REASONS = 3


@dataclass(frozen=True)
class Shown:
    """One part, as it was found.

    Attributes:
        said: what it showed, or why it is missing.
        result: what its file said; None for a verdict, and where there is no file.
        attempt: number of the attempt whose verdict counts; None where none does.
    """

    name: str
    kind: str
    state: State
    said: str
    result: Result | None = None
    attempt: int | None = None


@dataclass(frozen=True)
class Decision:
    """What a policy came to.

    Attributes:
        wanting: missing parts on which the outcome hangs; empty where it is decided.
        expired: whether the policy itself had expired: then it is undecided, whatever its parts are.
    """

    outcome: Outcome
    parts: tuple[Shown, ...]
    wanting: tuple[str, ...]
    expired: bool

    @property
    def sentence(self) -> str:
        """The outcome and what is missing, in a sentence."""
        if self.expired:
            return "undecided: the policy has expired"
        if self.outcome == "undecided":
            return "undecided, and hangs on what is missing: " + ", ".join(self.wanting)
        names = [part.name for part in self.parts if part.state == MISSING]
        return self.outcome + (f"; missing, and not needed for that: {', '.join(names)}" if names else "")


def decide(
    policy: Policy,
    results: Mapping[str, Result | None],
    standings: Sequence[Standing] | None,
    judges: Set[str],
    at: datetime,
) -> Decision:
    """Weigh every part, and combine them by the rule.

    Args:
        results: what the file of each part says that reads one; None where there is no file.
        standings: the verdicts of a ledger; None where there is no ledger.
        judges: signing keys of the evaluators whose verdicts count, besides those that the policy names.
        at: the time that dates are compared with.

    Raises:
        InputError: a bound on a value that is no number.
    """
    parts = tuple(
        _weigh_verdict(part, standings, judges | set(policy.evaluators), at)
        if isinstance(part, VerdictPart)
        else _weigh_result(part, results.get(part.name), at)
        for part in policy.parts
    )
    states = {part.name: part.state for part in parts}
    expired = policy.expires is not None and policy.expires < at
    state: State = "missing" if expired else policy.rule.state(states)
    outcome: Outcome = "undecided" if state == "missing" else state
    return Decision(outcome, parts, () if expired else policy.rule.wanting(states), expired)


def _weigh_result(part: FilePart, result: Result | None, at: datetime) -> Shown:
    if result is None:
        return Shown(part.name, part.kind, "missing", f"there is no file {part.file}")
    told = f"{_told(result.value)} ({result.what}{_of(result)})"
    against = [*_other_run(part, result), *_other_time(part, result.made, at)]
    if against:
        return Shown(part.name, part.kind, "missing", f"{told} does not count: {'; '.join(against)}", result)
    state: State = "met" if _holds(part, result) else "not met"
    return Shown(part.name, part.kind, state, f"{told}, {part.asks}", result)


def _of(result: Result) -> str:
    model = "" if result.model is None else f", {result.model}"
    return model + ("" if result.made is None else f", {result.made:%Y-%m-%d}")


def _told(value: Value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def _holds(part: Conditioned, result: Result) -> bool:
    if part.equals is not None:
        return type(part.equals) is type(result.value) and part.equals == result.value
    number = result.number
    return (part.at_least is None or number >= part.at_least) and (part.at_most is None or number <= part.at_most)


def _other_run(part: FilePart, result: Result) -> Iterator[str]:
    """Why a run is not the one that is asked for."""
    if not isinstance(part, RunPart):
        return
    if part.model is not None and result.model != part.model:
        yield f"it is of {result.model or 'a model that is not named'}, not of {part.model}"
    if result.partly is not None and not part.partial:
        yield f"it was run {result.partly}"


def _other_time(part: Evidence, made: datetime | None, at: datetime) -> Iterator[str]:
    """Why evidence of this date does not count."""
    if made is None:
        if part.dated:
            yield "its date is unknown"
        return
    if made > at:
        yield f"it is dated {made:%Y-%m-%d %H:%M}, which is after {at:%Y-%m-%d %H:%M}"
    if part.not_before is not None and made < part.not_before:
        yield f"it is of {made:%Y-%m-%d}, before {part.not_before:%Y-%m-%d}"
    if part.not_after is not None and made > part.not_after:
        yield f"it is of {made:%Y-%m-%d}, after {part.not_after:%Y-%m-%d}"


def _weigh_verdict(part: VerdictPart, standings: Sequence[Standing] | None, judges: Set[str], at: datetime) -> Shown:
    """The latest verdict that answers what is asked decides; what does not answer it is passed over, with why."""
    if standings is None:
        return Shown(part.name, part.kind, "missing", "there is no ledger")
    about = [one for one in standings if part.target in (one.target.get("weights"), one.target.get("name"))]
    passed_over = []
    for standing in sorted(about, key=lambda one: -one.attempt):
        against = [*_of_a_stranger(standing, judges), *_against(part, standing, at)]
        if not against:
            state: State = "met" if standing.decision == PASS else "not met"
            return Shown(part.name, part.kind, state, _verdict_told(standing, len(about)), attempt=standing.attempt)
        passed_over.append(f"attempt {standing.attempt} does not count: " + "; ".join(against))
    said = ". ".join(passed_over[:_MOST_REASONS]) or f"there is no verdict on {part.target}"
    return Shown(part.name, part.kind, "missing", said)


def _of_a_stranger(standing: Standing, judges: Set[str]) -> Iterator[str]:
    if standing.evaluator not in judges:
        name = "+".join(standing.evaluator.split("+")[:2])  # without the key, in which there may be more of them
        yield f"it was judged by {name}, whose verdicts are not asked for"


def _verdict_told(standing: Standing, among: int) -> str:
    told = f"attempt {standing.attempt}, {standing.judged:%Y-%m-%d}: {standing.decision}"
    if standing.reasons:
        told += f" ({standing.reasons[0]})"
    return told + (f"; the target has {among} verdicts" if among > 1 else "")


def _against(part: VerdictPart, standing: Standing, at: datetime) -> Iterator[str]:
    """Why a verdict says neither yes nor no to what is asked."""
    if standing.decision not in (PASS, FAIL):
        yield f"its verdict is {standing.decision}"
    yield from standing.fallen
    if standing.until is not None and standing.until < at:
        yield f"it expired on {standing.until:%Y-%m-%d}"
    yield from _other_time(part, standing.judged, at)
    if standing.decision == PASS:
        yield from shortfalls(standing.strictness, _needed(part, standing.strictness), part.slices)
    elif standing.decision == FAIL and part.metric is not None:
        yield from _no_refutation(part, standing.strictness)


def _needed(part: VerdictPart, own: Strictness) -> Strictness:
    """What a pass has to have asked; its own terms where the part says nothing."""
    track = part.track or "open"
    if part.metric is None or part.tolerance is None or part.cap is None:
        return replace(own, track=track, slice_tolerances={})
    slices = frozenset(part.slices)
    terms = (part.metric, part.tolerance, part.cap, part.floor, part.level, part.top_k)
    return Strictness(*terms, track, slices, part.slice_tolerances)


def _no_refutation(part: VerdictPart, own: Strictness) -> Iterator[str]:
    """Why a fail does not show that what is asked is not so: it asked for more, or for something else."""
    if own.metric != part.metric:
        yield f"it failed by {own.metric}, and {part.metric} is asked"
    elif part.tolerance is not None and own.tolerance < part.tolerance:
        yield f"it failed a tolerance of {own.tolerance:g}, and {part.tolerance:g} is asked"
    elif part.cap is not None and own.cap > part.cap:
        yield f"it counted losses up to {own.cap:g}, and {part.cap:g} is asked"
    elif own.slice_tolerances:
        yield "it may have failed in a slice whose tolerance is not asked"
