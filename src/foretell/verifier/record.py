"""The log read as what happened: every signature, place, time and order is checked on the way, or the reading stops.

Each entry is a signed statement about one step. It names the log as it was before it (`previous`), so it fits in one
place of one log only; and every entry has a checkpoint signed by whoever added it, so neither side can take back what
it signed on top of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from foretell.base.canonical import canonical_json
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
from foretell.verdicts.charter import Charter

#: Steps of an attempt by track; a charter stands before them.
ORDER: Mapping[str, tuple[str, ...]] = {
    "open": ("seal", "open", "commit", "reveal", "judge", "publish"),
    "prospective": ("seal", "open", "commit", "reveal", "judge", "publish"),
    "blind": ("seal", "commit", "run", "reveal", "judge", "publish"),
}
#: What each step's predicate must hold, besides `previous` and `time`, and which files it is about.
_FIELDS: Mapping[str, dict[str, type]] = {
    "charter": {"text": str},
    "seal": {"charter": str, "attempt": int, "indices": list},
    "open": {"charter": str, "attempt": int, "openings": str},
    "commit": {"charter": str, "attempt": int, "name": str, "helpers": list},
    "run": {"charter": str, "attempt": int, "outcome": str, "program": dict},
    "reveal": {"charter": str, "attempt": int, "target": dict, "texts": list},
    "judge": {"charter": str, "attempt": int, "decision": str, "reasons": list},
    "publish": {"charter": str, "attempt": int},
}
#: What lists in a predicate hold.
_ITEMS: Mapping[str, type] = {"indices": int, "helpers": str, "texts": str, "reasons": str}
_SEED_BYTES = 4
_TYPE = "foretell:{step}/1"
_NAMES = {_TYPE.format(step=step): step for step in _FIELDS}


def predicate_type(step: str) -> str:
    """The in-toto predicate type of a step's statement.

    >>> predicate_type("seal")
    'foretell:seal/1'
    """
    return _TYPE.format(step=step)


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
    """

    entries: list[Entry] = field(default_factory=list)
    charters: dict[str, Charter] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)

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
        step = _NAMES.get(unverified.predicate_type, "")
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
    if not step:
        raise _forged("an unknown step", index, "another predicate type", "one of " + ", ".join(_FIELDS))
    for name, kind in {"previous": dict, "time": str, **_FIELDS[step]}.items():
        if not isinstance(predicate.get(name), kind) or isinstance(predicate.get(name), bool):
            raise _forged(f"a {step} without its facts", index, f"{name} {predicate.get(name)!r}", kind.__name__)
        for item in predicate[name] if kind is list else ():
            if type(item) is not _ITEMS[name]:  # True is an int to isinstance
                raise _forged(f"a {step} without its facts", index, f"{name} {item!r}", _ITEMS[name].__name__)


def _keys(step: str, predicate: dict[str, Any], index: int, record: Record) -> list[PublicKey]:
    """Whose signature counts: the team's for what it commits, the evaluator's for all else."""
    if step == "charter":
        return [Charter.parse(predicate["text"].encode()).evaluator.public()]
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


def _forged(what: str, index: int, got: Any, expected: Any) -> ForgeryError:
    return ForgeryError(
        what,
        where=f"log entry {index}",
        got=str(got),
        expected=str(expected),
        fix="This log does not prove what it should; ask both sides for their copies and compare the checkpoints.",
    )
