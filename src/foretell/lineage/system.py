"""What a system is: a person, a program, a model or a composite, what identifies it, and what it comes from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from foretell.base.canonical import digest_value
from foretell.base.errors import InputError
from foretell.base.toml_models import Form, Part, validated

Kind = Literal["person", "program", "model", "composite"]
#: What identifies a system of each kind: two systems with the same are one.
IDENTIFIED_BY: dict[str, str | None] = {
    "person": None,
    "program": "program",
    "model": "weights",
    "composite": "weights",
}
#: How an endpoint's weights begin, which nobody can see.
UNKNOWN = "unknown"
#: How digests begin: a name that has one in it could be taken for the model of that digest.
DIGEST = "sha256:"
#: Fields that name other systems, and how a chain of reasons says it.
EDGES = {"parts": "part", "derived_from": "derived from", "helped_by": "made with the help of"}

#: No '=' and no comma: a command line writes NAME=USE,USE.
Name = Annotated[str, StringConstraints(pattern=r"^[^\s=,\x00-\x1f\x7f][^=,\x00-\x1f\x7f]{0,199}$")]
Names = Annotated[list[Name], Field(max_length=1000)]
_FORM = Form("system", "`foretell lineage add` writes one; `foretell lineage add --help` explains each.", "a system")


class Compute(Part):
    """What its training took.

    Attributes:
        flop: floating-point operations.
        rule: how they were counted: given, or computed from parameters and tokens.
    """

    flop: Annotated[float, Field(gt=0)]
    rule: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class System(Part):
    """One system as it stands in the ledger; made by `parse`.

    Attributes:
        name: what others call it by; once in a ledger.
        identity: digests and what else is known of it: `weights` of a model or composite, `program` of a program; of a
            person, nothing or a `key`.
        parts: systems that it consists of, each registered before.
        derived_from: systems that its weights come from: the base of a fine-tune, the original of a quantised copy.
        helped_by: AI systems that helped to make it: wrote its code, say.
        compute: of a model whose place on a ladder matters.
    """

    name: Name
    kind: Kind
    identity: dict[Name, Annotated[str, StringConstraints(min_length=1, max_length=4096)]] = Field(default_factory=dict)
    parts: Names = Field(default_factory=list)
    derived_from: Names = Field(default_factory=list)
    helped_by: Names = Field(default_factory=list)
    compute: Compute | None = None
    note: Annotated[str, StringConstraints(max_length=4096)] = ""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> System:
        needed = IDENTIFIED_BY[self.kind]
        if DIGEST in self.name or f"{UNKNOWN}:" in self.name:
            raise ValueError("a name without a digest, or weights, in it")
        if needed is not None and needed not in self.identity:
            raise ValueError(f"a {self.kind} with {needed!r} in its identity")
        if self.kind == "person" and self.identity.keys() - {"key"}:
            raise ValueError("a person with no identity but a key")
        if (self.kind == "composite") != bool(self.parts) and self.kind != "program":
            raise ValueError("parts in a composite or a program, and in nothing else")
        if self.derived_from and self.kind not in ("model", "composite"):
            raise ValueError("weights to be derived, which only a model or a composite has")
        twice = [name for names in self.edges.values() for name in names if names.count(name) > 1]
        if twice or any(self.name in names for names in self.edges.values()):
            raise ValueError("other systems, each named once")
        return self

    @classmethod
    def parse(cls, record: Any, where: str) -> System:
        """The system in a record.

        Raises:
            InputError: a field that is missing, unknown or wrong.

        >>> System.parse({"name": "Ada", "kind": "person"}, "here").kind
        'person'
        """
        return validated(cls, record, where, _FORM)

    def record(self) -> dict[str, Any]:
        """For JSON: what was given, and nothing else."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def digest(self) -> str:
        """Of the record."""
        return digest_value(self.record())

    @property
    def fingerprint(self) -> str | None:
        """The digest that identifies it, whatever it is called; None where nothing does.

        >>> System(name="m", kind="model", identity={"weights": "sha256:ab"}).fingerprint
        'sha256:ab'
        """
        needed = IDENTIFIED_BY[self.kind]
        found = None if needed is None else self.identity[needed]
        return None if found is None or found.startswith(UNKNOWN) else found

    @property
    def has_weights(self) -> bool:
        """Whether it is an AI by itself: a model, or models composed; a program may be one by its parts."""
        return self.kind in ("model", "composite")

    @property
    def edges(self) -> dict[str, list[str]]:
        """Names of other systems by field."""
        return {name: getattr(self, name) for name in EDGES}


def unknown_system(name: str, where: str, known: list[str]) -> InputError:
    """The error for a system that is not registered."""
    return InputError(
        "no such system",
        where=where,
        got=repr(name),
        expected="one of " + ", ".join(known) if known else "a registered system, and there is none",
        fix="Register it first: foretell lineage add.",
    )
