"""Systems, verdicts and worlds for tests, each made in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from foretell.lineage import Approval, Help, Registry, Strictness, System, World

EVALUATOR, TEAM = "eva", "tom"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
STRICT = Strictness("kl_nats", 0.5, 7.0, 1e-6, 0.95, 10, "blind", frozenset({"code", "facts"}))


def system(name: str, kind: str = "model", **fields: Any) -> System:
    """A system whose digest is 'sha256:' and its name."""
    identity = {"model": "weights", "composite": "weights", "program": "program"}.get(kind)
    record = {"name": name, "kind": kind, "identity": {identity: f"sha256:{name}"} if identity else {}}
    return System.parse(record | fields, "test")


def world(*systems: System, approvals: Sequence[Approval] = ()) -> World:
    """Systems at entries 1, 2, …, and verdicts."""
    made = World(Registry(), {one.attempt: one for one in approvals})
    for index, one in enumerate(systems, 1):
        made.registry.add(one, "test")
        made.registered[one.name], made.vouchers[one.name] = index, EVALUATOR
    return made


def given(*helpers: str, index: int = 100, target: str | None = "sha256:target", **fields: Any) -> Help:
    """Help at an entry, an entry an hour."""
    uses: Mapping[str, frozenset[str] | None] = dict.fromkeys(helpers)
    strictness, time = replace(STRICT, **fields), NOON + timedelta(hours=index)
    return Help(uses, strictness, target, index, time, EVALUATOR, frozenset({EVALUATOR, TEAM}))


def passed(attempt: int, name: str, *helpers: str, index: int | None = None, **fields: Any) -> Approval:
    """A pass on the system of that name, ten entries after the commitment."""
    at = 20 * attempt if index is None else index
    own = {key: fields.pop(key) for key in ("until", "decision") if key in fields}
    made = Approval(
        attempt,
        "pass",
        at,
        f"sha256:{name}",
        None,
        given(*helpers, index=at - 10, target=f"sha256:{name}", **fields),
        True,
    )
    return replace(made, **own)
