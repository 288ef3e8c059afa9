"""The ladders in a log: which one holds, what each change loosened, and what it unlocks with the log's verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from foretell.base.errors import ForgeryError, InputError
from foretell.ledger import PublicKey
from foretell.verdicts.ladder import Ladder
from foretell.verdicts.ladder_batch import Verdict, models, without_compute
from foretell.verdicts.ladder_loosened import loosened
from foretell.verdicts.ladder_results import Capability, by_model, read_capabilities
from foretell.verdicts.ladder_status import LadderStatus, climb
from foretell.verifier.record import Record
from foretell.verifier.standing import standings, world_of

SCHEMA = "foretell.ladder-status/1"


@dataclass(frozen=True)
class SignedLadder:
    """A ladder in the log; the last one holds."""

    index: int
    time: datetime
    signer: PublicKey
    ladder: Ladder


@dataclass(frozen=True)
class LadderNow:
    """What a ladder unlocks at a time.

    Attributes:
        signed: every ladder in the log, in order.
        is_preview: whether `ladder` is in no log yet.
        changes: what became looser, by the entry that did it; None for a preview's own.
        capabilities: benchmark results of the models on it.
        without_compute: registered models that stand on no rung.
    """

    ladder: Ladder
    signed: tuple[SignedLadder, ...]
    is_preview: bool
    changes: tuple[tuple[int | None, tuple[str, ...]], ...]
    time: datetime
    status: LadderStatus
    capabilities: tuple[Capability, ...]
    without_compute: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        holds = self.signed[-1] if self.signed and not self.is_preview else None
        return {
            "schema": SCHEMA,
            "title": self.ladder.title,
            "digest": self.ladder.digest,
            "entry": None if holds is None else holds.index,
            "signer": None if holds is None else holds.signer.id,
            "signed_before": len(self.signed) - (holds is not None),
            "loosened": [{"entry": entry, "what": list(what)} for entry, what in self.changes],
            "time": self.time.isoformat(),
            **self.status.record(),
            "capabilities": [capability.record() for capability in self.capabilities],
            "without_compute": list(self.without_compute),
            "left_out": dict(self.ladder.leave_out),
        }


def signed_ladders(record: Record) -> list[SignedLadder]:
    """Every ladder in a log, in order.

    Raises:
        ForgeryError: an entry that is no ladder.
    """
    found = []
    for entry in record.notices["ladder"]:
        where = f"log entry {entry.index}"
        try:
            ladder = Ladder.parse(entry["text"].encode(), where)
        except InputError as error:
            raise ForgeryError(
                "a signed ladder that is none",
                where=where,
                got=f"{error.where}: {error.got}",
                expected=error.expected,
                fix="Ask the evaluator for a ladder that can be read; until then nothing is unlocked.",
            ) from error
        found.append(SignedLadder(entry.index, entry.time, entry.signer, ladder))
    return found


def loosenings(signed: Sequence[SignedLadder]) -> list[tuple[int | None, tuple[str, ...]]]:
    """Entries whose ladder asks less than the one before it, with what became looser."""
    found: list[tuple[int | None, tuple[str, ...]]] = []
    for before, after in pairwise(signed):
        what = loosened(before.ladder, after.ladder)
        if before.signer.raw != after.signer.raw:
            what.insert(0, f"signed by {after.signer.id}, and by {before.signer.id} before")
        if what:
            found.append((after.index, tuple(what)))
    return found


def check_ladders(record: Record) -> str:
    """What the log's ladders come to, in a line.

    Raises:
        ForgeryError: see `signed_ladders`.
    """
    signed = signed_ladders(record)
    changes = loosenings(signed)
    told = "".join(f"; entry {entry} is looser: {'; '.join(what)}" for entry, what in changes)
    return f"entry {signed[-1].index} holds, signed by {signed[-1].signer.id}, {len(signed) - 1} before it{told}"


def ladder_now(
    record: Record,
    now: datetime,
    *,
    results: Path | None = None,
    preview: Ladder | None = None,
    evaluator: PublicKey | None = None,
) -> LadderNow:
    """What the ladder of a log unlocks, or would, with the verdicts in it.

    Only verdicts of whoever signed the ladder count, and of those that the ladder names: everybody can write a charter
    as an evaluator of his own. Of a preview that follows no signed ladder, every evaluator's count.

    Args:
        results: folder with results of benchmarks.
        preview: a ladder that is not signed.
        evaluator: who must have signed the ladder that holds.

    Raises:
        InputError: no ladder is signed, and none is given.
        ForgeryError: see `signed_ladders`, or somebody else signed it.
    """
    signed = signed_ladders(record)
    _require_signer(signed, evaluator)
    ladder = signed[-1].ladder if preview is None and signed else preview
    if ladder is None:
        raise InputError(
            "no ladder",
            where="the ledger",
            got="none is signed in it",
            expected="a signed ladder",
            fix="Write one with `foretell ladder init`, and sign it: foretell ladder sign.",
        )
    changes = loosenings(signed)
    if preview is not None and signed and (own := loosened(signed[-1].ladder, preview)):
        changes.append((None, tuple(own)))
    judges = [signed[-1].signer] if signed else record.parties(teams=False)
    world = world_of(record)
    found = models(ladder, record.registry, world.revoked_systems)
    read = read_capabilities(ladder, found, results)
    status = climb(
        ladder,
        found,
        verdicts_of(record),
        frozenset({*(judge.verifier for judge in judges), *ladder.evaluators}),
        by_model(read),
        now,
    )
    without = tuple(without_compute(ladder, record.registry))
    return LadderNow(ladder, tuple(signed), preview is not None, tuple(changes), now, status, tuple(read), without)


def verdicts_of(record: Record) -> list[Verdict]:
    """Judged attempts as a ladder weighs them, in order."""
    found = []
    for one in standings(record):
        charter = record.charters[one.charter]
        found.append(
            Verdict(
                one.attempt,
                one.target.get("weights"),
                one.decision,
                charter.evaluator.public().verifier,
                one.strictness,
                one.helpers,
                charter.helpers.rule,
                one.until,
                one.fallen,
            )
        )
    return found


def _require_signer(signed: Sequence[SignedLadder], evaluator: PublicKey | None) -> None:
    if evaluator is not None and signed and signed[-1].signer.raw != evaluator.raw:
        raise ForgeryError(
            "a ladder of another evaluator",
            where=f"log entry {signed[-1].index}",
            got=signed[-1].signer.id,
            expected=evaluator.id,
            fix="Ask the evaluator that you know which ladder holds.",
        )
