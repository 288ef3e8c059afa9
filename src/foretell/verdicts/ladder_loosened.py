"""What a changed ladder asks less of: empty only where whatever it unlocks, the one before it unlocked too."""

from __future__ import annotations

from collections.abc import Iterator

from foretell.verdicts.ladder import Ladder
from foretell.verdicts.ladder_parts import GIVEN, CapabilityPart


def loosened(before: Ladder, after: Ladder) -> list[str]:
    """How a ladder is, or may be, looser than the one before it, in words.

    Where the two cannot be compared, as where another loss is asked for, that is said too: nothing loosens unseen.
    """
    return [*_compute(before, after), *_limits(before, after), *_asked(before, after), *_capability(before, after)]


def _compute(before: Ladder, after: Ladder) -> Iterator[str]:
    if before.compute.rule != after.compute.rule == GIVEN:
        yield "training compute is taken as given, and was counted before"
    for key in sorted(set(after.evaluators) - set(before.evaluators)):
        yield f"verdicts of {key} count, and did not before"
    for name, reason in after.leave_out.items():
        if name not in before.leave_out:
            yield f"{name!r} is left out ({reason})"
    for name in before.leave_out:
        if name not in after.leave_out:
            yield f"{name!r} is no longer left out, so it may count"


def _limits(before: Ladder, after: Ladder) -> Iterator[str]:
    """A limit that is gone lets a training pass it without the verdicts that were needed there."""
    limits, top = {rung.up_to_flop for rung in after.rungs}, after.rungs[-1].up_to_flop
    for rung in before.rungs:
        if rung.up_to_flop not in limits and rung.up_to_flop < top:
            yield f"no rung ends at {rung.up_to_flop:g} FLOP, where {rung.name!r} did"
    if top > before.rungs[-1].up_to_flop:
        yield f"it goes up to {top:g} FLOP, and went up to {before.rungs[-1].up_to_flop:g}"


def _asked(before: Ladder, after: Ladder) -> Iterator[str]:
    """Each rung against the one that held its limit before."""
    old = list(zip(before.rungs, before.requirements, strict=True))
    for rung, asked in zip(after.rungs, after.requirements, strict=True):
        was = next((asked for part, asked in old if rung.up_to_flop <= part.up_to_flop), None)
        for words in asked.milder_than(was) if was is not None else ():
            yield f"rung {rung.name!r}: {words}"


def _capability(before: Ladder, after: Ladder) -> Iterator[str]:
    now = {table.benchmark: table for table in after.capability}
    for old in before.capability:
        table = now.get(old.benchmark)
        if table is None:
            yield f"{old.benchmark} no longer tightens the tolerance"
            continue
        if table.source != old.source:
            yield f"{old.benchmark} is read from elsewhere"
        for step in sorted({step.at_least for step in (*old.steps, *table.steps)}):
            yield from _step(old, table, step)


def _step(old: CapabilityPart, table: CapabilityPart, result: float) -> Iterator[str]:
    was, asked = old.tolerance(result), table.tolerance(result)
    if was is not None and (asked is None or asked > was):
        shown = "no tolerance of its own" if asked is None else f"{asked:g}"
        yield f"{old.benchmark} from {result:g} on asks for {shown}, and asked for {was:g}"
