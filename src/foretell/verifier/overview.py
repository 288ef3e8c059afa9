"""A ledger's systems and verdicts as one record, for `foretell lineage show`, for the graph and for the report.

{"schema": "foretell.lineage/1",
 "systems": [{the system's record, "entry", "voucher", "ai", "fingerprint", "revoked": reason | null,
              "approved_by": [attempt, …]}, …],
 "attempts": [{"attempt", "title", "charter", "target", "decision", "reasons", "helpers", "metric", "tolerance",
               "level", "track", "slices", "judged", "until", "stands", "fallen": [reason, …],
               "revoked": reason | null}, …]}

`approved_by` lists the standing passes on the system itself; whether one counts under a charter is
`foretell lineage check`'s to say.
"""

from __future__ import annotations

from typing import Any

from foretell.lineage import World
from foretell.lineage.approval import PASS
from foretell.verifier.record import Entry, Record
from foretell.verifier.standing import Standing, standings, world_of

SCHEMA = "foretell.lineage/1"


def lineage_record(record: Record) -> dict[str, Any]:
    """Systems in the order of their registration, and judged attempts, as they stand at the end of the log."""
    world, judged = world_of(record), standings(record)
    passes = {one.attempt for one in judged if one.stands and one.decision == PASS}
    return {
        "schema": SCHEMA,
        "systems": [_system(entry, world, passes) for entry in record.notices["system"]],
        "attempts": [_attempt(one, world, record) for one in judged],
    }


def _system(entry: Entry, world: World, passes: set[int]) -> dict[str, Any]:
    system = world.registry[entry["system"]["name"]]
    return {
        **system.record(),
        "entry": entry.index,
        "voucher": entry.signer.id,
        "ai": world.registry.is_ai(system.name),
        "fingerprint": system.fingerprint,
        "revoked": world.revoked_systems.get(system.name),
        "approved_by": sorted(one.attempt for one in world.of_target(system) if one.attempt in passes),
    }


def _attempt(one: Standing, world: World, record: Record) -> dict[str, Any]:
    return {
        "attempt": one.attempt,
        "title": one.title,
        "charter": one.charter,
        "target": dict(one.target),
        "decision": one.decision,
        "reasons": list(one.reasons),
        "helpers": [_called(record, helper) for helper in one.helpers],
        "metric": one.strictness.metric,
        "tolerance": one.strictness.tolerance,
        "level": one.strictness.level,
        "track": one.strictness.track,
        "slices": sorted(one.strictness.slices),
        "judged": one.judged.isoformat(),
        "until": None if one.until is None else one.until.isoformat(),
        "stands": one.stands,
        "fallen": list(one.fallen),
        "revoked": world.revoked_attempts.get(one.attempt),
    }


def _called(record: Record, helper: str) -> str:
    """A helper by the name under which it is registered, else as it was declared."""
    system = record.registry.find(helper)
    return helper if system is None else system.name
