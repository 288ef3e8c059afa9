"""The log read as what happened: every signature, place, time and order is checked on the way, or the reading stops.

Each entry is a signed statement about one step. It names the log as it was before it (`previous`), so it fits in one
place of one log only; and every entry has a checkpoint signed by whoever added it, so neither side can take back what
it signed on top of.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from foretell.base.canonical import canonical_json, digest_bytes
from foretell.base.errors import ForgeryError, InputError
from foretell.ledger import (
    EMPTY_ROOT,
    Checkpoint,
    Ledger,
    PublicKey,
    Statement,
    leaf_hash,
    open_checkpoint,
    open_statement,
    prefix_roots,
    read_unverified,
)
from foretell.lineage import Registry, System
from foretell.verdicts.charter import Charter
from foretell.verifier.statements import NOTICES, ORDER, misfit, step_of

_SEED_BYTES = 4
#: The file whose text a notice carries whole.
_TEXTS = {"ladder": "ladder.toml", "decision": "policy.toml"}


@dataclass(frozen=True)
class Entry:
    """One step as it stands in the log."""

    index: int
    step: str
    time: datetime
    statement: Statement
    signer: PublicKey

    def __getitem__(self, name: str) -> Any:
        return self.statement.predicate[name]

    def digest(self, subject: str) -> str:
        """The digest of a file that the step is about.

        Raises:
            ForgeryError: the statement does not name it.
        """
        if subject not in self.statement.subjects:
            raise _forged("a step that does not name its file", self.index, "no digest", f"one of {subject}")
        return self.statement.subjects[subject]


@dataclass
class Attempt:
    """What happened so far in one attempt."""

    number: int
    charter: Charter
    charter_digest: str
    steps: dict[str, Entry] = field(default_factory=dict)

    @property
    def next_step(self) -> str | None:
        """The step that has to come next; None after the last."""
        order = ORDER[self.charter.track.kind]
        if self.failed:  # a program that gave no forecast has no truth to be compared with
            order = tuple(step for step in order if step != "reveal")
        return next((step for step in order if step not in self.steps), None)

    @property
    def seed(self) -> int:
        """What a blind program draws its randomness from: it follows from the attempt, so a run can be repeated."""
        name = f"{self.charter_digest} {self.number}".encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:_SEED_BYTES], "big")

    @property
    def failed(self) -> bool:
        """Whether the blind program gave no forecast."""
        return "run" in self.steps and self.steps["run"]["outcome"] != "forecast"


@dataclass
class Record:
    """Everything in a log.

    Attributes:
        charters: by digest, in the order of the log, each with the entry that fixed it.
        attempts: in order; attempt n is attempts[n − 1].
        registry: systems that were registered.
        notices: entries that belong to no attempt, by kind, in order.
    """

    entries: list[Entry] = field(default_factory=list)
    charters: dict[str, Charter] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    registry: Registry = field(default_factory=Registry)
    notices: dict[str, list[Entry]] = field(default_factory=lambda: {name: [] for name in NOTICES})

    def parties(self, *, teams: bool) -> list[PublicKey]:
        """Keys of the charters' evaluators, and of their teams."""
        roles = [charter.evaluator for charter in self.charters.values()]
        roles += [charter.team for charter in self.charters.values()] if teams else []
        return [role.public() for role in roles]

    def used(self, pool: str, before: int | None = None) -> set[int]:
        """Indices of a pool that attempts (before the numbered one) drew."""
        attempts = self.attempts if before is None else self.attempts[: before - 1]
        same = [attempt for attempt in attempts if attempt.charter.pool.commitment == pool]
        return {index for attempt in same for index in attempt.steps["seal"]["indices"]}

    def revealed_texts(self, before: int | None = None) -> dict[str, int]:
        """Digests of the texts that attempts (before the numbered one) revealed, and by which attempt."""
        attempts = self.attempts if before is None else self.attempts[: before - 1]
        done = [attempt for attempt in attempts if "reveal" in attempt.steps]
        return {text: attempt.number for attempt in done for text in attempt.steps["reveal"]["texts"]}


def replay(ledger: Ledger) -> Record:
    """Read a log from its first entry to its last.

    Raises:
        ForgeryError: at the first thing that is not as it has to be: where, what, and what was expected.
    """
    record = Record()
    data = ledger.entries
    roots = [EMPTY_ROOT, *prefix_roots(map(leaf_hash, data))]
    for index, entry in enumerate(data):
        opened = _open(entry, index, record)
        _check_place(opened, roots[index], record)
        _check_checkpoint(ledger, opened, roots[index + 1])
        record.entries.append(opened)
        _take_step(opened, record)
    return record


def _open(data: bytes, index: int, record: Record) -> Entry:
    try:
        unverified = read_unverified(data)
        step = step_of(unverified.predicate_type)
        _check_fields(step, unverified.predicate, index)
        statement, signer = open_statement(data, _keys(step, unverified.predicate, index, record))
        time = datetime.fromisoformat(statement.predicate["time"])
        if time.utcoffset() is None:
            raise ValueError("a time without its offset")
    except ForgeryError as error:
        raise _forged(error.what, index, error.got, error.expected) from error
    except (InputError, ValueError) as error:
        raise _forged("an entry that cannot be read", index, str(error), "a signed statement of foretell") from error
    return Entry(index, step, time, statement, signer)


def _check_fields(step: str, predicate: dict[str, Any], index: int) -> None:
    if found := misfit(step, predicate):
        what, got, expected = found
        raise _forged(what, index, got, expected)


def _keys(step: str, predicate: dict[str, Any], index: int, record: Record) -> list[PublicKey]:
    """Whose signature counts: the team's for what it commits, both sides' for a system, the evaluator's for all else.

    What belongs to no attempt may be signed by the parties of any charter before it.
    """
    if step == "charter":
        return [Charter.parse(predicate["text"].encode()).evaluator.public()]
    if step in NOTICES:
        return record.parties(teams=step == "system")
    charter = record.charters.get(predicate["charter"])
    if charter is None:
        raise _forged("a step under a charter that is not in the log", index, predicate["charter"], "a charter before")
    return [charter.team.public() if step == "commit" else charter.evaluator.public()]


def _check_place(entry: Entry, root: bytes, record: Record) -> None:
    expected = {"size": entry.index, "root": root.hex()}
    if canonical_json(entry["previous"]) != canonical_json(expected):  # to Python, True == 1
        raise _forged("a statement that was signed for another place or log", entry.index, entry["previous"], expected)
    if record.entries and entry.time < record.entries[-1].time:
        raise _forged(
            "a clock that went back", entry.index, entry.time.isoformat(), f"not before {record.entries[-1].time}"
        )


def _check_checkpoint(ledger: Ledger, entry: Entry, root: bytes) -> None:
    size = entry.index + 1
    checkpoint, _ = open_checkpoint(ledger.checkpoint(size), [entry.signer])
    expected = Checkpoint(ledger.origin, size, root)
    if checkpoint != expected:
        raise _forged("a checkpoint of another log (a fork)", entry.index, checkpoint, expected)


def _take_step(entry: Entry, record: Record) -> None:
    if entry.step == "charter":
        charter = Charter.parse(entry["text"].encode())
        digest = entry.digest("charter.toml")
        if digest != charter.digest or digest in record.charters:
            raise _forged("a charter that is not what its digest says, or is there twice", entry.index, digest, "one")
        record.charters[digest] = charter
        return
    if entry.step in NOTICES:
        _take_notice(entry, record)
        return
    charter = record.charters[entry["charter"]]
    if entry.step == "seal":
        number = len(record.attempts) + 1
        if entry["attempt"] != number:
            raise _forged("an attempt with a wrong number", entry.index, entry["attempt"], number)
        record.attempts.append(Attempt(number, charter, entry["charter"], {"seal": entry}))
        return
    if not 1 <= entry["attempt"] <= len(record.attempts):
        raise _forged("a step of an attempt that was never sealed", entry.index, entry["attempt"], "a sealed attempt")
    attempt = record.attempts[entry["attempt"] - 1]
    if attempt.charter_digest != entry["charter"]:
        raise _forged("a charter that was changed on the way", entry.index, entry["charter"], attempt.charter_digest)
    if attempt.next_step != entry.step:
        expected = f"{attempt.next_step or 'no more steps'} in attempt {attempt.number}"
        raise _forged("a step out of order", entry.index, entry.step, expected)
    attempt.steps[entry.step] = entry


def _take_notice(entry: Entry, record: Record) -> None:
    """Register a system, or note what was said; what it names has to be there."""
    if entry.step == "system":
        system = _system(entry, record)
        record.registry.add(system, f"log entry {entry.index}")
    if entry.step == "revoke":
        _check_revoked(entry, record)
    if entry.step in _TEXTS:
        name, digest = _TEXTS[entry.step], digest_bytes(entry["text"].encode())
        if entry.digest(name) != digest:
            raise _forged(f"a {entry.step} that is not what its digest says", entry.index, digest, entry.digest(name))
    record.notices[entry.step].append(entry)


def _system(entry: Entry, record: Record) -> System:
    try:
        system = System.parse(entry["system"], f"log entry {entry.index}")
        for names in system.edges.values():
            record.registry.require(names, system.name)
    except InputError as error:
        raise _forged(error.what, entry.index, error.got, error.expected) from error
    if entry.digest("system.json") != system.digest or system.name in record.registry.systems:
        raise _forged("a system that is not what its digest says, or is there twice", entry.index, system.name, "one")
    return system


def _check_revoked(entry: Entry, record: Record) -> None:
    """What is revoked is there: a judged attempt or a system, and its evaluator or a party says so."""
    revoked = entry["revoked"]
    number, name = revoked.get("attempt"), revoked.get("system")
    judged = {attempt.number: attempt for attempt in record.attempts if "judge" in attempt.steps}
    if revoked.keys() == {"attempt"} and type(number) is int and number in judged:
        expected = judged[number].charter.evaluator.public()
        if entry.signer.raw != expected.raw:
            raise _forged("revoked by somebody else", entry.index, entry.signer.id, f"the evaluator {expected.id}")
    elif revoked.keys() != {"system"} or name not in record.registry.systems:
        raise _forged("a revocation of what is not there", entry.index, revoked, "a judged attempt or a system")


def _forged(what: str, index: int, got: Any, expected: Any) -> ForgeryError:
    return ForgeryError(
        what,
        where=f"log entry {index}",
        got=str(got),
        expected=str(expected),
        fix="This log does not prove what it should; ask both sides for their copies and compare the checkpoints.",
    )
