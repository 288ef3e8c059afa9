"""Systems, verdicts and worlds for tests, each made in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from foretell.lineage import Approval, Help, Registry, Strictness, System, World

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
STRICT = Strictness("kl_nats", 0.5, 7.0, 1e-6, 0.95, 10, "blind", frozenset({"code", "facts"}))


def system(name: str, kind: str = "model", **fields: Any) -> System:
    """A system whose digest is 'w-' and its name."""
    identity = {"model": "weights", "composite": "weights", "program": "program"}.get(kind)
    record = {"name": name, "kind": kind, "identity": {identity: f"w-{name}"} if identity else {}}
    return System.parse(record | fields, "test")


def world(*systems: System, approvals: Sequence[Approval] = ()) -> World:
    """Systems at entries 1, 2, …, and verdicts."""
    made = World(Registry(), {one.attempt: one for one in approvals})
    for index, one in enumerate(systems, 1):
        made.registry.add(one, "test")
        made.registered[one.name] = index
    return made


def given(*helpers: str, index: int = 100, target: str | None = "w-target", **fields: Any) -> Help:
    """Help at an entry, an entry an hour."""
    uses: Mapping[str, frozenset[str] | None] = dict.fromkeys(helpers)
    return Help(uses, replace(STRICT, **fields), target, index, NOON + timedelta(hours=index))


def passed(attempt: int, name: str, *helpers: str, index: int | None = None, **fields: Any) -> Approval:
    """A pass on the system of that name, ten entries after the commitment."""
    at = 20 * attempt if index is None else index
    own = {key: fields.pop(key) for key in ("until", "decision") if key in fields}
    made = Approval(
        attempt, "pass", at, f"w-{name}", None, given(*helpers, index=at - 10, target=f"w-{name}", **fields), True
    )
    return replace(made, **own)
