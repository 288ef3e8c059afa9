"""Systems by name, and everything that stands behind one of them, with the way that leads there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from foretell.base.errors import InputError
from foretell.lineage.system import DIGEST, EDGES, System, unknown_system


@dataclass(frozen=True)
class Step:
    """A system behind another one.

    Attributes:
        path: how it is reached, in words: ('part', 'int8:tiny'), ('derived from', 'tiny').
    """

    system: System
    path: tuple[tuple[str, str], ...] = ()

    @property
    def told(self) -> str:
        """The way in a sentence.

        >>> pool = System(name="tiny", kind="model", identity={"weights": "w"})
        >>> Step(pool, (("part", "int8:tiny"), ("derived from", "tiny"))).told
        " → part 'int8:tiny' → derived from 'tiny'"
        """
        return "".join(f" → {word} {name!r}" for word, name in self.path)


@dataclass
class Registry:
    """Registered systems; one comes after everything that it names, so there is no cycle.

    >>> registry = Registry()
    >>> registry.add(System(name="Ada", kind="person"), "here")
    >>> [step.system.name for step in registry.behind("Ada")]
    ['Ada']
    """

    systems: dict[str, System] = field(default_factory=dict)

    def add(self, system: System, where: str) -> None:
        """Register one more.

        Raises:
            InputError: the name is taken, or it names a system that is not there.
        """
        if system.name in self.systems:
            raise InputError(
                "a name that is taken",
                where=where,
                got=repr(system.name),
                expected="a name that no registered system has",
                fix="Choose another: what was registered cannot be changed, only revoked.",
            )
        for names in system.edges.values():
            self.require(names, where)
        self.systems[system.name] = system

    def require(self, names: Iterable[str], where: str) -> None:
        """Refuse a name that is not registered.

        Raises:
            InputError: as said.
        """
        for name in names:
            if name not in self.systems:
                raise unknown_system(name, where, list(self.systems))

    def __getitem__(self, name: str) -> System:
        return self.systems[name]

    def same(self, system: System) -> list[System]:
        """Every system with the same fingerprint, itself first: another name makes no other system."""
        own = system.fingerprint
        twins = [s for s in self.systems.values() if own is not None and s.fingerprint == own and s is not system]
        return [system, *twins]

    def find(self, helper: str) -> System | None:
        """The system that a helper's declaration means: its name, or a text that ends in the digest of its weights.

        A text with a digest means what has those weights and nothing else: whatever is called so, and a program whose
        digest somebody says is the same, are no models.

        Args:
            helper: as `foretell commit --helper` takes it, or 'NAME DIGEST' as a forecast's record names a model.

        >>> tiny = System(name="tiny", kind="model", identity={"weights": "sha256:ab"})
        >>> registry = Registry({"tiny": tiny})
        >>> registry.find("hf:somewhere/tiny sha256:ab").name, registry.find("sha256:cd")
        ('tiny', None)
        """
        digest = helper.rpartition(" ")[2]
        if not digest.startswith(DIGEST):
            return self.systems.get(helper)
        models = (system for system in self.systems.values() if system.has_weights)
        return next((system for system in models if system.fingerprint == digest), None)

    def behind(self, name: str, edges: tuple[str, ...] = tuple(EDGES)) -> Iterator[Step]:
        """A system and everything that it is made of, comes from or was helped by, each once, nearest first.

        Args:
            edges: the fields that are followed.
        """
        seen: set[str] = set()
        waiting = [Step(self.systems[name])]
        while waiting:
            step = waiting.pop(0)
            for system in self.same(step.system):
                if system.name in seen:
                    continue
                seen.add(system.name)
                way = step.path if system is step.system else (*step.path, ("the same as", system.name))
                yield Step(system, way)
                waiting += [
                    Step(self.systems[other], (*way, (EDGES[edge], other)))
                    for edge in edges
                    for other in system.edges[edge]
                ]

    def is_ai(self, name: str) -> bool:
        """Whether a system is a model or a composite, or has one among its parts."""
        return any(step.system.has_weights for step in self.behind(name, ("parts",)))
