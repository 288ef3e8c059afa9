"""The models on a ladder: what was registered with its training compute, each set of weights once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from foretell.lineage import Registry, Strictness, System
from foretell.verdicts.compute import is_counted
from foretell.verdicts.ladder_parts import COUNTED, LadderParts

_MODELS = ("model", "composite")


@dataclass(frozen=True)
class Verdict:
    """A judged attempt, as a ladder weighs it.

    Attributes:
        weights: digest of the model's weights; None where the truth was never revealed.
        evaluator: signing key of who judged.
        helpers: what was declared to have helped with the forecast; rule: what the charter allowed.
        until: when it expires; None where it does not.
        fallen: why it no longer counts; empty where it stands.
    """

    attempt: int
    weights: str | None
    decision: str
    evaluator: str
    strictness: Strictness
    helpers: tuple[str, ...] = ()
    rule: str = "none"
    until: datetime | None = None
    fallen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """One set of weights on the ladder, under the name by which it was registered first.

    Attributes:
        names: every name that it is registered under.
        flop: of its training; the most that any registration says.
        objections: why no verdict on it can count.
    """

    name: str
    names: tuple[str, ...]
    flop: float
    weights: str | None
    objections: tuple[str, ...] = ()


def models(ladder: LadderParts, registry: Registry, revoked: Mapping[str, str]) -> list[Model]:
    """Models and composites that are registered with their compute, from the smallest on.

    Registrations that the ladder leaves out are as if they were not there.

    Args:
        revoked: systems that were taken back, with the reason. They stay: what was trained was trained.
    """
    found: dict[str, Model] = {}
    order = list(registry.systems)
    for system in _candidates(ladder, registry):
        twins = sorted(_twins(ladder, registry, system), key=lambda one: order.index(one.name))
        flops = [one.compute.flop for one in twins if one.compute is not None]
        if flops and twins[0].name not in found:
            names = tuple(one.name for one in twins)
            against = tuple(dict.fromkeys(_objections(ladder, registry, twins, revoked, max(flops))))
            found[names[0]] = Model(names[0], names, max(flops), system.fingerprint, against)
    return sorted(found.values(), key=lambda model: model.flop)


def without_compute(ladder: LadderParts, registry: Registry) -> list[str]:
    """Names of models and composites that stand on no rung, since nobody said what their training took."""
    return [
        system.name
        for system in _candidates(ladder, registry)
        if all(one.compute is None for one in _twins(ladder, registry, system))
    ]


def _candidates(ladder: LadderParts, registry: Registry) -> list[System]:
    return [one for one in registry.systems.values() if one.kind in _MODELS and one.name not in ladder.leave_out]


def _twins(ladder: LadderParts, registry: Registry, system: System) -> list[System]:
    """Registrations of one set of weights."""
    return [one for one in registry.same(system) if one.name not in ladder.leave_out]


def _objections(
    ladder: LadderParts, registry: Registry, twins: list[System], revoked: Mapping[str, str], flop: float
) -> Iterator[str]:
    for system in twins:
        if system.name in revoked:
            yield f"revoked ({revoked[system.name]})"
        if system.fingerprint is None:
            yield "nobody can see its weights, so no verdict can be known to be on it"
        compute = system.compute
        if compute is not None and ladder.compute.rule == COUNTED and not is_counted(compute.flop, compute.rule):
            yield f"its compute is {compute.rule!r}, and this ladder counts 6 × parameters × tokens"
        for name in system.derived_from:
            base = registry[name].compute
            if base is not None and base.flop > flop:
                yield f"its compute of {flop:g} FLOP leaves out that of {name!r}, which it comes from ({base.flop:g})"
