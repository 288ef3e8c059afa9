"""Everything that a published folder or a ledger claims, checked again from its bytes: READ THIS FIRST in this folder.

No network, no model, no trust in whoever wrote the folder. What is trusted: SHA-256, Ed25519, and that the evaluator's
key is the evaluator's, which only somebody who knows that key from elsewhere can say (`evaluator`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from foretell.base.canonical import canonical_json, digest_file
from foretell.base.errors import ForetellError, ForgeryError, InputError
from foretell.base.files import MANIFEST, read_manifest
from foretell.base.progress import Progress, quiet
from foretell.ledger import (
    CHECKPOINTS,
    ENTRIES,
    Ledger,
    check_timestamp,
    leaf_hash,
    open_checkpoint,
    tree_root,
)
from foretell.verifier.decisions import check_decision
from foretell.verifier.evidence import Evidence
from foretell.verifier.folders import check_folder
from foretell.verifier.ladders import check_ladders
from foretell.verifier.layout import LOCK, LOG, PUBLISHED_SCHEMA, TIMESTAMPS, attempt_folder, cards_file, timestamp_file
from foretell.verifier.record import Record, replay
from foretell.verifier.single import check_single
from foretell.verifier.standing import passes_relied_on
from foretell.verifier.statements import ORDER

#: By how much the clocks of a signer and of a timestamp authority may differ; authorities round to seconds too.
_SKEW = timedelta(minutes=1)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        holds: None where it could not be looked at; `detail` says why.
    """

    name: str
    holds: bool | None
    detail: str


class _NotLookedAtError(Exception):
    """A check that could not be made, and why."""


@dataclass(frozen=True)
class Outside:
    """What a verifier knows from elsewhere than the folder.

    Attributes:
        evaluator: the evaluator's verifier key, as he told it to the world.
        checkpoint: a checkpoint of this log that was kept earlier: the log must be a continuation of it.
        authorities: PEM certificates of timestamp authorities.
        opening: one prompt that the evaluator opened alone.
    """

    evaluator: str | None = None
    checkpoint: bytes | None = None
    authorities: bytes | None = None
    opening: bytes | None = None


def verify(folder: Path, outside: Outside | None = None, progress: Progress = quiet) -> list[Check]:
    """Check a published folder, or a ledger's.

    Raises:
        InputError: there is neither a published folder nor a ledger.

    Returns:
        Every check in order. The folder verifies if none has `holds` False. After one that does not hold, the checks
        that stand on it are not made, and say so.
    """
    if not (folder / LOG).is_dir() and not (folder / MANIFEST).is_file():
        raise InputError(
            "nothing to verify",
            where=str(folder),
            got="another folder" if folder.is_dir() else "no such folder",
            expected="a published folder, or a ledger with its log/",
            fix="Give the folder that `foretell publish` wrote, or its .zip.",
        )
    outside = outside or Outside()
    steps: list[tuple[str, Callable[[], str]]] = []
    published = (folder / MANIFEST).is_file()
    state: dict[str, Record] = {}

    def log() -> str:
        state["record"] = replay(Ledger(folder / LOG))
        if not state["record"].entries:
            raise _forged("a log without an entry", "nothing", "at least a charter")
        return _log_line(state["record"])

    if published:
        steps.append(("files", lambda: _check_published(folder)))
    steps.append(("log", log))
    checks = list(_run(steps))
    if all(check.holds for check in checks):
        record = state["record"]
        later = [*_outside_steps(folder, record, outside), *_attempt_steps(folder, record, published)]
        later += _notice_steps(record)
        if not published:
            later.insert(0, ("files", partial(_check_ledger, folder, record)))
        for number, check in enumerate(_run(later), 1):
            checks.append(check)
            progress("verifying", number, len(later))
    else:
        checks.append(Check("attempts", None, "not looked at: they stand on what does not hold"))
    return checks


def _run(steps: Iterable[tuple[str, Callable[[], str]]]) -> Iterator[Check]:
    """Make the checks; after the first of one name's group that fails, the group's others are not made."""
    broken: set[str] = set()
    for name, step in steps:
        group = name.partition(":")[0]
        if group in broken:
            yield Check(name, None, "not looked at: it stands on what does not hold")
            continue
        try:
            yield Check(name, True, step())
        except _NotLookedAtError as reason:
            yield Check(name, None, str(reason))
        except ForetellError as error:
            broken.add(group)
            yield Check(name, False, str(error))
        except Exception as error:  # what a forger made may break any reader; then it does not verify
            broken.add(group)
            yield Check(name, False, f"unreadable: {type(error).__name__}: {error}")


def _check_published(folder: Path) -> str:
    """The manifest names every file but those of the entry that signs the manifest: the last one."""
    manifest = read_manifest(folder, PUBLISHED_SCHEMA)
    ledger = Ledger(folder / LOG)
    last = ledger.size - 1
    signed_later = {f"{LOG}/{ENTRIES.name(last)}", f"{LOG}/{CHECKPOINTS.name(last + 1)}"}
    check_folder(folder, besides=signed_later)
    record = replay(ledger)
    entry = record.entries[-1]
    if entry.step != "publish":
        raise _forged("a folder whose last step is not its publication", entry.step, "publish")
    got, expected = digest_file(folder / MANIFEST), entry.digest(MANIFEST)
    if got != expected:
        raise _forged("another manifest than was signed", got, expected)
    _check_named(manifest, record)
    return f"{len(manifest['files'])} files, each as the signed manifest says"


def _check_named(manifest: dict[str, Any], record: Record) -> None:
    """The manifest says which attempt it is, and names the log, the pool, and what the attempt's steps are about."""
    entry = record.entries[-1]
    attempt = record.attempts[entry["attempt"] - 1]
    facts = {"attempt": attempt.number, "charter": attempt.charter_digest, "track": attempt.charter.track.kind}
    said = {name: manifest.get(name) for name in facts}
    if canonical_json(said) != canonical_json(facts):
        raise _forged("a manifest about another attempt", str(said), str(facts))
    root, earlier = Path(), [step for name, step in attempt.steps.items() if name != "publish"]
    ours = attempt_folder(root, attempt.number)
    known = {ours / subject for step in earlier for subject in step.statement.subjects}
    known |= {root / LOG / ENTRIES.folder, root / LOG / CHECKPOINTS.folder, root / TIMESTAMPS}
    known.add(cards_file(root, attempt.charter.pool.commitment))
    for name in manifest["files"]:
        path = Path(name)
        if not known.intersection([path, *path.parents]):
            raise _forged("a file that no step names", name, "what the log speaks of")


def _check_ledger(folder: Path, record: Record) -> str:
    """A folder without a manifest is a ledger, unless its log ends as a published one does and has no lock."""
    if record.entries and record.entries[-1].step == "publish" and not (folder / LOCK).is_file():
        raise _forged("a published folder without its manifest", f"neither {MANIFEST} nor {LOCK}", "one of them")
    return "a ledger: whatever its log does not name is not looked at"


def _log_line(record: Record) -> str:
    signers = {entry.signer.id for entry in record.entries}
    return (
        f"{len(record.entries)} entries, each signed, in its place and under a signed checkpoint, by "
        + " and ".join(sorted(signers))
    )


def _outside_steps(folder: Path, record: Record, outside: Outside) -> Iterator[tuple[str, Callable[[], str]]]:
    def evaluator() -> str:
        strangers = [c.evaluator.key for c in record.charters.values() if c.evaluator.key != outside.evaluator]
        if strangers:
            raise _forged("a charter of another evaluator", strangers[0], str(outside.evaluator))
        return "the charters are signed by the evaluator that you named"

    def continuation() -> str:
        assert outside.checkpoint is not None
        ledger = Ledger(folder / LOG)
        parties = [role for charter in record.charters.values() for role in (charter.evaluator, charter.team)]
        old, _ = open_checkpoint(outside.checkpoint, [role.public() for role in parties])
        leaves = [leaf_hash(entry) for entry in ledger.entries]
        if old.origin != ledger.origin:
            raise _forged("another log", ledger.origin, old.origin)
        if old.size > len(leaves):
            raise _forged("a log whose tail was cut", f"{len(leaves)} entries", f"at least {old.size}")
        if tree_root(leaves[: old.size]) != old.root:
            raise _forged("a log that was forked", tree_root(leaves[: old.size]).hex(), old.root.hex())
        return f"continues the checkpoint of {old.size} entries that you kept"

    if outside.evaluator is not None:
        yield "evaluator", evaluator
    if outside.checkpoint is not None:
        yield "continuation", continuation
    if outside.opening is not None:
        yield "opening", partial(check_single, outside.opening, record)
    for token in sorted((folder / TIMESTAMPS).glob("*.tsr")):
        yield f"timestamp {token.stem.lstrip('0')}", partial(_check_timestamp, folder, token, record, outside)


def _check_timestamp(folder: Path, path: Path, record: Record, outside: Outside) -> str:
    sizes = range(1, len(record.entries) + 1)
    size = next((size for size in sizes if timestamp_file(folder, size) == path), None)
    if size is None:
        raise _forged("a timestamp of no checkpoint of this log", path.name, f"a number up to {len(record.entries)}")
    if outside.authorities is None:
        raise _NotLookedAtError("there, but no authority's certificate was given to check it with (--authorities)")
    stamped = check_timestamp(path.read_bytes(), Ledger(folder / LOG).checkpoint(size), outside.authorities)
    claimed = record.entries[size - 1].time
    if stamped + _SKEW < claimed:
        raise _forged("an entry dated after its own timestamp", claimed.isoformat(), stamped.isoformat())
    return f"the first {size} entries existed at {stamped.isoformat()}"


def _attempt_steps(folder: Path, record: Record, published: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    only = record.entries[-1]["attempt"] if published else None
    for attempt in record.attempts:
        group = f"attempt {attempt.number}"
        if published and attempt.number != only:
            continue
        if not attempt_folder(folder, attempt.number).is_dir():
            yield f"{group}: files", partial(_missing, group)
            continue
        evidence = Evidence(folder, record, attempt)
        for step in ORDER[attempt.charter.track.kind]:
            if step in attempt.steps and step != "publish":
                yield f"{group}: {step}", getattr(evidence, step)
        if published and (others := passes_relied_on(record, attempt)):
            yield f"{group}: help", partial(_elsewhere, others)


def _elsewhere(others: frozenset[int]) -> str:
    named = ", ".join(map(str, sorted(others)))
    raise _NotLookedAtError(f"rests on the passes of attempts {named}, whose files are not here: verify theirs too")


def _notice_steps(record: Record) -> Iterator[tuple[str, Callable[[], str]]]:
    """The ladder and every decision: what they say has to follow from the log."""
    if record.notices["ladder"]:
        yield "ladder", partial(check_ladders, record)
    for entry in record.notices["decision"]:
        yield f"decision {entry.index}", partial(check_decision, record, entry)


def _missing(group: str) -> str:
    raise _forged("an attempt without its files", group, "the files that its steps name")


def _forged(what: str, got: str, expected: str) -> ForgeryError:
    return ForgeryError(
        what,
        where="the folder",
        got=got,
        expected=expected,
        fix="Do not rely on this folder; ask for the one that was published.",
    )
