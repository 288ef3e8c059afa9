"""Which systems may help under a charter, and which verdicts fall when one no longer may.

A person and a plain program may help. An AI may help where it was itself the target of a pass, decided before the help
was given, under a charter at least as strict, with prompts that cover what it is used for; not expired, not revoked,
and made itself only with help that holds under the same rule. A pass is decided after the help that it rests on, and a
system is registered after everything that it names: so every chain is finite and ends in people and plain programs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from foretell.lineage.registry import Registry
from foretell.lineage.strictness import Strictness, shortfalls
from foretell.lineage.system import System

PASS, INADMISSIBLE = "pass", "inadmissible"
#: Reasons that are told of one pass that does not count; one of each kind is enough to act on.
_MOST_REASONS = 3


@dataclass(frozen=True)
class Help:
    """The help that a forecast was made with.

    Attributes:
        helpers: as the commitment declares them, with the slices that each is used for; None means all that are asked.
        strictness: of the charter under which it was given.
        target: digest of the weights that were forecast; None before they are known.
        index: the entry of the commitment; approvals have to stand before it.
        time: of the commitment; approvals must not have expired by then.
        evaluator: who judges (a verifier key): only this one's passes count, as anybody may add charters to a ledger.
        parties: whose word counts on what a system is: the evaluator's and the team's.
    """

    helpers: Mapping[str, frozenset[str] | None]
    strictness: Strictness
    target: str | None
    index: int
    time: datetime
    evaluator: str
    parties: frozenset[str]

    def uses(self, helper: str) -> frozenset[str]:
        """The slices that a helper is used for."""
        own = self.helpers.get(helper)
        return self.strictness.slices if own is None else own


@dataclass(frozen=True)
class Approval:
    """A judged attempt as something that may approve its target.

    Attributes:
        attempt: its number.
        decision: pass, fail, inconclusive or inadmissible.
        index: the entry of its verdict.
        weights: digest of its target's weights; None where it was not revealed.
        until: when it expires; None where it does not.
        help: what it was made with.
        rests_on_help: whether its charter lets approved systems help only: then it falls with any of them.
    """

    attempt: int
    decision: str
    index: int
    weights: str | None
    until: datetime | None
    help: Help
    rests_on_help: bool


@dataclass
class World:
    """What a ledger says, up to some entry.

    Attributes:
        approvals: every judged attempt, by number.
        revoked_attempts, revoked_systems: with the reason that was given.
        registered: the entry of each system; vouchers: who signed it (a verifier key).
    """

    registry: Registry = field(default_factory=Registry)
    approvals: dict[int, Approval] = field(default_factory=dict)
    revoked_attempts: dict[int, str] = field(default_factory=dict)
    revoked_systems: dict[str, str] = field(default_factory=dict)
    registered: dict[str, int] = field(default_factory=dict)
    vouchers: dict[str, str] = field(default_factory=dict)

    def of_target(self, system: System) -> list[Approval]:
        """Judged attempts to forecast a system, the latest first."""
        own = system.fingerprint
        found = [one for one in self.approvals.values() if own is not None and one.weights == own]
        return sorted(found, key=lambda one: -one.index)


def objections(world: World, help_given: Help) -> tuple[str, ...]:
    """Why a forecast's help does not hold: the whole chain of reasons of each helper; empty where it holds.

    >>> ada = System(name="Ada", kind="person")
    >>> own = Strictness("kl_nats", 0.5, 7.0, 1e-6, 0.95, 10, "blind", frozenset({"code"}))
    >>> given = Help({"Ada": None, "Bot": None}, own, None, 9, datetime(2030, 1, 1), "eva", frozenset({"eva"}))
    >>> objections(World(Registry({"Ada": ada}), registered={"Ada": 1}, vouchers={"Ada": "eva"}), given)
    ("helper 'Bot': not registered",)
    """
    found: list[str] = []
    for helper in sorted(help_given.helpers):
        found += [f"helper {helper!r}{reason}" for reason in why_not(world, helper, help_given)]
    return tuple(found)


def why_not(world: World, helper: str, given: Help) -> list[str]:
    """Why one helper's help does not hold, each reason beginning with what follows its name.

    Args:
        helper: a declaration, see `Registry.find`.
    """
    system = world.registry.find(helper)
    if system is None or world.registered.get(system.name, given.index) >= given.index:
        return [": not registered" if system is None else ": registered after it had helped"]
    own = [f"{way}: it is the target" for way in _ways_to(world.registry, system, given.target)]
    return own or [*_trusted(world, system, given, given.uses(helper), "")]


def _ways_to(registry: Registry, system: System, target: str | None) -> list[str]:
    """How the target stands behind a system, in words; empty where it does not."""
    return [step.told for step in registry.behind(system.name) if target is not None and _is(step.system, target)]


def _is(system: System, weights: str) -> bool:
    return weights in (system.fingerprint, system.identity.get("weights"))


def _trusted(world: World, system: System, given: Help, uses: frozenset[str], way: str) -> Iterator[str]:
    """Reasons against a system, itself first, then against what a program or an unapproved whole was made with."""
    revoked = [one.name for one in world.registry.same(system) if one.name in world.revoked_systems]
    if world.vouchers[system.name] not in given.parties:
        yield f"{way}: vouched for by nobody of this charter"
    elif revoked:
        yield f"{way}: revoked ({world.revoked_systems[revoked[0]]})"
    elif world.registry.is_ai(system.name):
        yield from _approved(world, system, given, uses, way)
    elif system.kind != "person":
        for edge, word in (("parts", "part"), ("helped_by", "made with the help of")):
            for name in system.edges[edge]:
                yield from _trusted(world, world.registry[name], given, uses, f"{way} → {word} {name!r}")


def _approved(world: World, system: System, given: Help, uses: frozenset[str], way: str) -> Iterator[str]:
    """Nothing where a pass counts; else why each verdict on the system does not."""
    if system.fingerprint is None:
        yield f"{way}: an AI whose weights nobody can see cannot be told from another one"
        return
    tried = []
    for approval in world.of_target(system):
        reasons = list(_against(world, approval, given, uses))
        if not reasons:
            return
        tried.append(f"attempt {approval.attempt} does not count: " + "; ".join(reasons[:_MOST_REASONS]))
    if system.parts and not tried:
        yield f"{way}: no verdict on the composite; approvals of its parts do not approve it"
    elif not tried:
        yield f"{way}: an AI without a verdict"
    for reason in tried:
        yield f"{way}: {reason}"


def _against(world: World, approval: Approval, given: Help, uses: frozenset[str]) -> Iterator[str]:
    """Why a verdict does not approve its target for this use."""
    if approval.decision != PASS:
        yield f"its verdict is {approval.decision}"
        return
    if approval.index >= given.index:
        yield "it was decided after the help was given"
        return
    if approval.help.evaluator != given.evaluator:
        yield "another evaluator decided it"
        return
    if approval.attempt in world.revoked_attempts:
        yield f"it was revoked ({world.revoked_attempts[approval.attempt]})"
    if approval.until is not None and approval.until < given.time:
        yield f"it expired on {approval.until:%Y-%m-%d}"
    yield from shortfalls(approval.help.strictness, given.strictness, uses)
    for reason in objections(world, approval.help):
        yield f"its own {reason}"


def fallen(world: World) -> dict[int, tuple[str, ...]]:
    """Judged attempts that no longer count, with why: revoked, or resting on help that no longer holds.

    An attempt that was inadmissible from the beginning cannot fall.
    """
    found = {}
    for number, approval in sorted(world.approvals.items()):
        reasons: Sequence[str] = ()
        if number in world.revoked_attempts:
            reasons = (f"revoked ({world.revoked_attempts[number]})",)
        elif approval.rests_on_help and approval.decision != INADMISSIBLE:
            reasons = objections(world, approval.help)
        if reasons:
            found[number] = tuple(reasons)
    return found


def rests_on(world: World, given: Help) -> frozenset[int]:
    """Attempts whose passes let help count, and those that these rest on in turn."""
    found: set[int] = set()
    for helper in given.helpers:
        system = world.registry.find(helper)
        behind = () if system is None else [step.system for step in world.registry.behind(system.name)]
        for one in behind:
            for approval in world.of_target(one):
                if not list(_against(world, approval, given, given.uses(helper))):
                    found |= {approval.attempt} | rests_on(world, approval.help)
    return frozenset(found)
