"""A folder to hand to a stranger: the whole log, one attempt's files, and a signed manifest over all of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from foretell.attempts.step import find, taking
from foretell.base.canonical import digest_file
from foretell.base.errors import ForgeryError, InputError, OrderError
from foretell.base.files import MANIFEST, storage_errors, write_atomically, write_manifest
from foretell.ledger import CHECKPOINTS, ENTRIES, Ledger, SecretKey, request_timestamp
from foretell.verifier.layout import (
    LOG,
    POOLS,
    PUBLISHED_SCHEMA,
    TIMESTAMPS,
    attempt_folder,
    cards_file,
    timestamp_file,
)
from foretell.verifier.record import Attempt, replay


def publish(root: Path, out: Path, secret: SecretKey, *, number: int | None = None) -> Attempt:
    """Write the folder, sign its manifest into the log, and put that last entry into the folder too.

    Once published, the same folder can be written again.

    Raises:
        OrderError: the attempt is not judged yet.
        InputError: `out` exists.
    """
    if out.exists():
        raise InputError(
            "the folder exists", where=str(out), got="a folder", expected="a new one", fix="Choose another --out."
        )
    attempt = find(replay(Ledger(root / LOG)), number, root)
    if "publish" in attempt.steps:
        _write_again(root, out, attempt)
        return attempt
    with taking(root, "publish", secret, number) as step, storage_errors(out):
        temporary = out.with_name(f".{out.name}.partial")
        _fill(temporary, root, step.attempt, len(step.record.entries))
        step.sign({MANIFEST: digest_file(temporary / MANIFEST)}, {})
        _add_last(temporary, root, len(step.record.entries))
        temporary.rename(out)
        return step.attempt


def _fill(folder: Path, root: Path, attempt: Attempt, size: int) -> None:
    """Everything but the entry that signs it."""
    shutil.rmtree(folder, ignore_errors=True)
    log = Ledger(root / LOG)
    for index in range(size):
        _copy_entry(folder, log, index)
    cards = cards_file(root, attempt.charter.pool.commitment)
    (folder / POOLS).mkdir()
    shutil.copyfile(cards, folder / POOLS / cards.name)
    ours = attempt_folder(root, attempt.number)
    shutil.copytree(ours, attempt_folder(folder, attempt.number), ignore=shutil.ignore_patterns(".*"))
    for token in sorted((root / TIMESTAMPS).glob("*.tsr")):
        if int(token.stem) <= size:
            (folder / TIMESTAMPS).mkdir(exist_ok=True)
            shutil.copyfile(token, folder / TIMESTAMPS / token.name)
    facts = {"attempt": attempt.number, "charter": attempt.charter_digest, "track": attempt.charter.track.kind}
    write_manifest(folder, PUBLISHED_SCHEMA, facts)


def _copy_entry(folder: Path, log: Ledger, index: int) -> None:
    for name, data in (
        (ENTRIES.name(index), log.entries[index]),
        (CHECKPOINTS.name(index + 1), log.checkpoint(index + 1)),
    ):
        path = folder / LOG / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _add_last(folder: Path, root: Path, index: int) -> None:
    _copy_entry(folder, Ledger(root / LOG), index)


def _write_again(root: Path, out: Path, attempt: Attempt) -> None:
    entry = attempt.steps["publish"]
    temporary = out.with_name(f".{out.name}.partial")
    with storage_errors(out):
        _fill(temporary, root, attempt, entry.index)
        if digest_file(temporary / MANIFEST) != entry.digest(MANIFEST):
            raise ForgeryError(
                "files that are not what was published",
                where=str(attempt_folder(root, attempt.number)),
                got=digest_file(temporary / MANIFEST),
                expected=entry.digest(MANIFEST),
                fix="Restore the attempt's files, and its timestamps, from a copy.",
            )
        _add_last(temporary, root, entry.index)
        temporary.rename(out)


def stamp(root: Path, url: str) -> Path:
    """Have a timestamp authority confirm when the log was as it is now (RFC 3161).

    Returns:
        The token's file.

    Raises:
        OrderError: the log is empty.
        NetworkError: the authority cannot be reached.
    """
    ledger = Ledger(root / LOG)
    if not ledger.size:
        raise OrderError(
            "nothing to stamp", where=str(root), got="an empty log", expected="an entry", fix="Sign a charter first."
        )
    token = request_timestamp(ledger.checkpoint(ledger.size), url)
    path = timestamp_file(root, ledger.size)
    write_atomically(path, lambda temporary: temporary.write_bytes(token))
    return path
