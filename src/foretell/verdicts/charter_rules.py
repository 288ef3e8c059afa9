"""What the fields of a charter owe each other: the checks that no field can make alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from foretell.base.errors import InputError
from foretell.ledger.keys import PublicKey
from foretell.verdicts.charter_parts import IDENTITY, Terms


@dataclass(frozen=True)
class Contradiction:
    """A field that does not go with the others."""

    field: str
    got: object
    expected: str
    fix: str


def check_terms(terms: Terms, where: str) -> None:
    """Refuse a charter that contradicts itself.

    Raises:
        InputError: the first contradiction, named by file and field.
    """
    for rule in (_target, _pool, _named_slices, _tolerances, _track, _roles):
        for found in rule(terms):
            raise InputError(
                "a charter that contradicts itself",
                where=f"{where}: {found.field}",
                got=str(found.got),
                expected=found.expected,
                fix=found.fix,
            )


def _target(terms: Terms) -> Iterator[Contradiction]:
    target = terms.target
    for field in IDENTITY:
        if target.future is None and getattr(target, field) is None:
            fix = "Give name, weights, tokenizer, engine and dtype as `foretell collect` records them."
            yield Contradiction(f"target.{field}", "nothing", "a whole identity, or `future`", fix)
        if target.future is not None and field != "tokenizer" and getattr(target, field) is not None:
            fix = "Describe a model that does not exist yet with `future`, or give a whole identity without it."
            yield Contradiction(f"target.{field}", "an identity beside `future`", "one of the two", fix)
    if (terms.track.kind == "prospective") != (target.future is not None):
        yield Contradiction(
            "track.kind",
            repr(terms.track.kind),
            "'prospective' for a future target, and only for one",
            "Declare `future` in [target] for a prospective charter, and leave it out of every other.",
        )


def _pool(terms: Terms) -> Iterator[Contradiction]:
    pool, total = terms.pool, sum(terms.pool.slices.values())
    if total != pool.prompts:
        fix = "Count the pool again; `foretell charter init` does."
        yield Contradiction("pool.prompts", pool.prompts, f"{total}, the sum of pool.slices", fix)
    if terms.draw.prompts > pool.prompts:
        expected = f"at most the {pool.prompts} prompts of the pool"
        yield Contradiction("draw.prompts", terms.draw.prompts, expected, "Draw fewer, or commit to a larger pool.")


def _named_slices(terms: Terms) -> Iterator[Contradiction]:
    for table, named in (("weights", terms.weights), ("score.slice_tolerances", terms.score.slice_tolerances)):
        for name in named:
            if name not in terms.pool.slices:
                expected = "one of " + ", ".join(terms.pool.slices)
                yield Contradiction(f"{table}.{name}", "a slice that the pool has not", expected, "Name a slice of it.")
    for name in terms.score.slice_tolerances:
        if terms.draw.prompts * terms.pool.slices[name] < terms.pool.prompts:
            got, expected = "a slice that the draw may leave out", "at least one prompt of it in every draw"
            yield Contradiction(f"score.slice_tolerances.{name}", got, expected, "Draw more prompts.")


def _tolerances(terms: Terms) -> Iterator[Contradiction]:
    score = terms.score
    own = {f"slice_tolerances.{name}": value for name, value in score.slice_tolerances.items()}
    for field, value in ({"tolerance": score.tolerance} | own).items():
        if value >= score.cap:
            fix = "A loss above the cap counts as the cap, so that every forecast would pass."
            yield Contradiction(f"score.{field}", value, f"less than the cap of {score.cap:g}", fix)


def _track(terms: Terms) -> Iterator[Contradiction]:
    offset = terms.track.deadline.utcoffset()
    if offset is None or offset:
        got = terms.track.deadline.isoformat()
        yield Contradiction("track.deadline", got, "a date and time in UTC", "Write it as 2030-01-31T12:00:00Z.")
    if (terms.track.kind == "blind") != (terms.blind is not None):
        yield Contradiction(
            "blind",
            "no limits" if terms.blind is None else "limits",
            "limits of the program on the blind track, and only there",
            "Add a [blind] table for the blind track, and leave it out of every other.",
        )


def _roles(terms: Terms) -> Iterator[Contradiction]:
    keys: dict[str, PublicKey] = {}
    for role in ("evaluator", "team"):
        try:
            keys[role] = getattr(terms, role).public()
        except InputError as error:
            yield Contradiction(role, error.got, error.expected, error.fix)
            return
    if keys["evaluator"].raw == keys["team"].raw:
        fix = "Let the team make its keys with `foretell keys new` and send the public one."
        yield Contradiction("team.key", "the evaluator's key", "a key of its own", fix)
