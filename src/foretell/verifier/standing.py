"""Which verdicts of a ledger stand, and which systems may help: the log's facts, as `foretell.lineage` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from foretell.lineage import Approval, Help, Standing, Strictness, World, fallen, objections, rests_on
from foretell.lineage.system import DIGEST
from foretell.verdicts.charter import Charter
from foretell.verifier.record import Attempt, Entry, Record

__all__ = [
    "APPROVED",
    "Standing",
    "help_objections",
    "help_of",
    "passes_relied_on",
    "standings",
    "strictness_of",
    "world_of",
]

APPROVED = "approved"


def strictness_of(charter: Charter) -> Strictness:
    """What a charter asks."""
    score = charter.score
    return Strictness(
        score.metric,
        score.tolerance,
        score.cap,
        score.floor,
        score.level,
        score.top_k,
        charter.track.kind,
        frozenset(charter.pool.slices),
        dict(score.slice_tolerances),
    )


def standings(record: Record, before: int | None = None) -> list[Standing]:
    """Every judged attempt, as it stands at the end of the log, or stood before an entry."""
    world = world_of(record, before)
    lost = fallen(world)
    return [
        _standing(attempt, world.approvals[attempt.number], lost.get(attempt.number, ()))
        for attempt in record.attempts
        if attempt.number in world.approvals
    ]


def _standing(attempt: Attempt, approval: Approval, lost: tuple[str, ...]) -> Standing:
    judged = attempt.steps["judge"]
    return Standing(
        attempt.number,
        attempt.charter.title,
        attempt.charter_digest,
        attempt.charter.evaluator.public().verifier,
        _target(attempt),
        str(judged["decision"]),
        tuple(judged["reasons"]),
        strictness_of(attempt.charter),
        tuple(sorted(approval.help.helpers)),
        judged.time,
        approval.until,
        lost,
    )


def world_of(record: Record, before: int | None = None) -> World:
    """What the log says up to an entry; all of it where None."""
    entries = record.entries if before is None else record.entries[:before]
    world = World()
    for entry in entries:
        if entry.step == "system":
            name = entry["system"]["name"]
            world.registry.add(record.registry[name], f"log entry {entry.index}")
            world.registered[name], world.vouchers[name] = entry.index, entry.signer.verifier
        elif entry.step == "revoke":
            revoked = entry["revoked"]
            if "attempt" in revoked:
                world.revoked_attempts[revoked["attempt"]] = entry["reason"]
            else:
                world.revoked_systems[revoked["system"]] = entry["reason"]
        elif entry.step == "judge":
            attempt = record.attempts[entry["attempt"] - 1]
            world.approvals[attempt.number] = _approval(attempt, entry)
    return world


def _approval(attempt: Attempt, judged: Entry) -> Approval:
    approval = attempt.charter.approval
    return Approval(
        attempt.number,
        str(judged["decision"]),
        judged.index,
        _target(attempt).get("weights"),
        None if approval is None else judged.time + timedelta(days=approval.valid_days),
        help_of(attempt),
        attempt.charter.helpers.rule == APPROVED,
    )


def _target(attempt: Attempt) -> Mapping[str, Any]:
    """What is known of the target: its truth's source once revealed, else what the charter declares."""
    if "reveal" in attempt.steps:
        return dict(attempt.steps["reveal"]["target"])
    return attempt.charter.target.identity or {}


def help_of(attempt: Attempt, found: frozenset[str] = frozenset()) -> Help:
    """The help that an attempt's forecast was made with.

    Args:
        found: AI systems that the forecast or program itself names: they answer every prompt, whatever was declared.
    """
    commit = attempt.steps["commit"]
    uses = commit.statement.predicate.get("uses") or {}
    # A helper with its digest was named by the forecast's record, also where the files are not at hand.
    helpers: dict[str, frozenset[str] | None] = {
        name: frozenset(uses[name]) if name in uses and name not in found and DIGEST not in name else None
        for name in {*commit["helpers"], *found}
    }
    return help_under(attempt.charter, helpers, _target(attempt).get("weights"), commit.index, commit.time)


def help_under(
    charter: Charter, helpers: Mapping[str, frozenset[str] | None], weights: str | None, index: int, time: datetime
) -> Help:
    """Help under a charter, see `lineage.Help`."""
    evaluator, team = (role.public().verifier for role in (charter.evaluator, charter.team))
    return Help(helpers, strictness_of(charter), weights, index, time, evaluator, frozenset({evaluator, team}))


def help_objections(record: Record, attempt: Attempt, found: frozenset[str]) -> tuple[str, ...]:
    """Why the help of an attempt under the rule 'approved' does not hold, as the log was when it was judged, or is now.

    Args:
        found: see `help_of`.
    """
    judged = attempt.steps.get("judge")
    return objections(world_of(record, None if judged is None else judged.index), help_of(attempt, found))


def passes_relied_on(record: Record, attempt: Attempt) -> frozenset[int]:
    """Other attempts whose passes let the help of this one count, where its charter asks for approved helpers."""
    if attempt.charter.helpers.rule != APPROVED or "commit" not in attempt.steps:
        return frozenset()
    return rests_on(world_of(record), help_of(attempt))
