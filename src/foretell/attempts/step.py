"""What all steps share: one writer at a time, the whole log verified first, the order of steps, a signed entry.

A step writes its files before its entry. What a killed step left behind is named by no entry, and is replaced when the
step is taken again; the entry itself is there whole or not at all (ledger/log.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from foretell import __version__
from foretell.base.errors import OrderError
from foretell.base.files import remove_partial_files, storage_errors, write_atomically
from foretell.ledger import Ledger, SecretKey, Statement, sign_statement
from foretell.verdicts.charter import Charter
from foretell.verifier.layout import LOG, attempt_folder
from foretell.verifier.record import Attempt, Record, replay
from foretell.verifier.statements import predicate_type


@dataclass
class Step:
    """A step that is being taken: its attempt, its files, and the signature that ends it."""

    name: str
    root: Path
    record: Record
    attempt: Attempt
    _ledger: Ledger
    _secret: SecretKey

    @property
    def charter(self) -> Charter:
        """The rules."""
        return self.attempt.charter

    @property
    def folder(self) -> Path:
        """Where the attempt's files lie."""
        return attempt_folder(self.root, self.attempt.number)

    def write(self, name: str, data: bytes) -> Path:
        """Write one file of the attempt, whole or not at all."""
        path = self.folder / name
        write_atomically(path, lambda temporary: temporary.write_bytes(data))
        return path

    def sign(self, subjects: Mapping[str, str], facts: Mapping[str, Any]) -> int:
        """Append the step to the log; returns the entry's index."""
        named = {"charter": self.attempt.charter_digest, "attempt": self.attempt.number}
        return append(self._ledger, self._secret, self.name, self.record, subjects, {**named, **facts})


@contextmanager
def taking(root: Path, name: str, secret: SecretKey, number: int | None = None) -> Iterator[Step]:
    """Take a step of an attempt, the latest one by default.

    Raises:
        OrderError: another step comes next, no such attempt, or the key is not the one of the role whose step it is.
        ForgeryError: the log does not verify.
    """
    ledger = Ledger(root / LOG)
    with ledger.locked():
        record = replay(ledger)
        attempt = find(record, number, root)
        if attempt.next_step != name:
            raise OrderError(
                f"not the time to {name}",
                where=f"attempt {attempt.number} of {root}",
                got=f"{name} after {', '.join(attempt.steps)}",
                expected=f"next {attempt.next_step or 'nothing: the attempt is complete'}",
                fix=f"Run `foretell {attempt.next_step}`." if attempt.next_step else "Seal a new attempt.",
            )
        require_role(name, attempt.charter, secret)
        with storage_errors(root):
            attempt_folder(root, attempt.number).mkdir(parents=True, exist_ok=True)
        remove_partial_files(attempt_folder(root, attempt.number))
        yield Step(name, root, record, attempt, ledger, secret)


def find(record: Record, number: int | None, root: Path) -> Attempt:
    """An attempt by its number, the latest by default.

    Raises:
        OrderError: there is none.
    """
    wanted = len(record.attempts) if number is None else number
    if not 1 <= wanted <= len(record.attempts):
        raise OrderError(
            "no such attempt",
            where=str(root),
            got="no attempt" if number is None else f"attempt {number}",
            expected=f"one of the {len(record.attempts)} in the log" if record.attempts else "a sealed attempt",
            fix="Seal one first: foretell seal.",
        )
    return record.attempts[wanted - 1]


def require_role(step: str, charter: Charter, secret: SecretKey) -> None:
    """Refuse a key that the step's signature would not count from.

    Raises:
        OrderError: as said.
    """
    role = "team" if step == "commit" else "evaluator"
    expected = (charter.team if role == "team" else charter.evaluator).public()
    if secret.public.raw != expected.raw:
        raise OrderError(
            f"{step} is the {role}'s to sign",
            where="--key",
            got=f"key {secret.public.id}",
            expected=f"key {expected.id}, the {role}'s in the charter",
            fix=f"Use the {role}'s secret key.",
        )


def append(
    ledger: Ledger,
    secret: SecretKey,
    step: str,
    record: Record,
    subjects: Mapping[str, str],
    facts: Mapping[str, Any],
    now: datetime | None = None,
) -> int:
    """Sign a statement that fits here and now only, and append it.

    Args:
        now: what the clock showed when the facts were weighed, where they depend on it.

    Raises:
        OrderError: this machine's clock is behind the log.
    """
    now = now or datetime.now(UTC)
    last = record.entries[-1].time if record.entries else now
    if now < last:
        raise OrderError(
            "a clock that is behind the log",
            where="this machine",
            got=now.isoformat(),
            expected=f"not before the last entry, {last.isoformat()}",
            fix="Set the clock.",
        )

    def make(size: int, root: bytes) -> bytes:
        place = {"previous": {"size": size, "root": root.hex()}, "time": now.isoformat()}
        predicate = {**facts, **place, "made_by": f"foretell {__version__}"}
        return sign_statement(Statement(predicate_type(step), dict(subjects), predicate), secret)

    return ledger.append(make, secret)


def status(root: Path) -> Record:
    """What has happened in a ledger so far, verified.

    Raises:
        ForgeryError: the log does not verify.
    """
    return replay(Ledger(root / LOG))


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, whole or not at all: under a temporary name, flushed, then renamed; what was there is replaced.

    Empty folders are left out, as no manifest could name them.
    """
    temporary = target.with_name(f".{target.name}.partial")
    with storage_errors(target):
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(source, temporary)
        for path in sorted(temporary.rglob("*"), reverse=True):  # what is inside a folder before the folder
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
