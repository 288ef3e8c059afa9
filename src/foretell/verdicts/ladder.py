"""The ladder: how much training compute is unlocked by which verdicts, fixed in the ledger before it is asked.

A ladder is a TOML file. The SHA-256 of its exact bytes names it. `ladder_status.py` says what it unlocks,
`ladder_loosened.py` what a changed one asks less of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from pydantic import PrivateAttr

from foretell.base.canonical import digest_bytes
from foretell.base.errors import InputError
from foretell.base.toml_models import Form, read_bytes, read_toml, validated
from foretell.verdicts.charter_rules import Contradiction
from foretell.verdicts.ladder_parts import MODEL, LadderParts, RequirementPart

SCHEMA = "foretell.ladder/1"
_FORM = Form(
    "ladder", "Write one with `foretell ladder init`, which explains every field, and change its values.", SCHEMA
)
_UP = "Let every rung end above the one before it, under a name of its own."
_FALL = "Let the tolerance fall with every step, from below that of [requirement], and the result rise."
_TEMPLATE = "ladder_template.toml"


class Ladder(LadderParts):
    """The whole ladder, checked; made by `parse` or `read`, which keep the bytes that name it."""

    _data: bytes = PrivateAttr(default=b"")

    @classmethod
    def parse(cls, data: bytes, where: str = "ladder.toml") -> Ladder:
        """The ladder in a file's bytes.

        Raises:
            InputError: not TOML, a field that is missing, unknown or wrong, or fields that contradict each other;
                `where` names the file and the field.
        """
        ladder = validated(cls, read_toml(data, where, _FORM), where, _FORM)
        for rule in (_rungs, _tighter, _capability, _sources):
            for found in rule(ladder):
                raise InputError(
                    "a ladder that contradicts itself",
                    where=f"{where}: {found.field}",
                    got=str(found.got),
                    expected=found.expected,
                    fix=found.fix,
                )
        ladder._data = data
        return ladder

    @classmethod
    def read(cls, path: Path) -> Ladder:
        """The ladder in a file.

        Raises:
            InputError: no such file, or as `parse` says.
        """
        return cls.parse(read_bytes(path, _FORM), str(path))

    @property
    def text(self) -> str:
        """The file's exact text."""
        return self._data.decode("utf-8")

    @property
    def digest(self) -> str:
        """What names the ladder: SHA-256 of its bytes."""
        return digest_bytes(self._data)

    @property
    def requirements(self) -> list[RequirementPart]:
        """What the models of each rung must have passed before the next one is unlocked, from the lowest rung on."""
        return [rung.requirement(self.requirement) for rung in self.rungs]


def template() -> bytes:
    """A ladder in which every field is explained, to be changed."""
    return Path(__file__).with_name(_TEMPLATE).read_bytes()


def _rungs(ladder: LadderParts) -> Iterator[Contradiction]:
    for number, (below, rung) in enumerate(pairwise(ladder.rungs), 1):
        if rung.up_to_flop <= below.up_to_flop:
            expected = f"more than the {below.up_to_flop:g} of rung {below.name!r}"
            yield Contradiction(f"rungs.{number}.up_to_flop", f"{rung.up_to_flop:g}", expected, _UP)
    yield from _twice("rungs", "name", [rung.name for rung in ladder.rungs])
    yield from _twice("capability", "benchmark", [table.benchmark for table in ladder.capability])


def _twice(table: str, field: str, names: Sequence[str]) -> Iterator[Contradiction]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Contradiction(f"{table}.{number}.{field}", f"{name!r} again", "each once", "Choose another name.")


def _tighter(ladder: LadderParts) -> Iterator[Contradiction]:
    """A rung's own fields ask for more than [requirement] does, and every tolerance lies below its cap."""
    asked = {"requirement": ladder.requirement}
    for number, rung in enumerate(ladder.rungs):
        own = rung.requirement(ladder.requirement)
        asked[f"rungs.{number}"] = own
        for words in own.milder_than(ladder.requirement):
            fix = "Give a rung stricter values only; [requirement] holds for every rung."
            yield Contradiction(f"rungs.{number}", words, "no less than [requirement] asks", fix)
    for field, own in asked.items():
        for tolerance in (own.tolerance, *own.slice_tolerances.values()):
            if tolerance >= own.cap:
                fix = "A loss above the cap counts as the cap, so that every forecast would pass."
                yield Contradiction(f"{field}.tolerance", f"{tolerance:g}", f"less than the cap of {own.cap:g}", fix)


def _capability(ladder: LadderParts) -> Iterator[Contradiction]:
    for number, table in enumerate(ladder.capability):
        field = f"capability.{number}.steps"
        if table.steps[0].tolerance >= ladder.requirement.tolerance:
            expected = f"less than the {ladder.requirement.tolerance:g} of [requirement]"
            yield Contradiction(f"{field}.0.tolerance", f"{table.steps[0].tolerance:g}", expected, _FALL)
        for place, (before, step) in enumerate(pairwise(table.steps), 1):
            if step.at_least <= before.at_least:
                yield Contradiction(
                    f"{field}.{place}.at_least", f"{step.at_least:g}", f"more than {before.at_least:g}", _FALL
                )
            if step.tolerance >= before.tolerance:
                yield Contradiction(
                    f"{field}.{place}.tolerance", f"{step.tolerance:g}", f"less than {before.tolerance:g}", _FALL
                )


def _sources(ladder: LadderParts) -> Iterator[Contradiction]:
    for number, table in enumerate(ladder.capability):
        if MODEL not in table.source.file:
            fix = f"Write {MODEL} where the model's name stands, or every model would have the same result."
            got, expected = repr(table.source.file), f"a pattern with {MODEL}"
            yield Contradiction(f"capability.{number}.source.file", got, expected, fix)
