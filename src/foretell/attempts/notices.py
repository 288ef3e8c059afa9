"""What is signed into a ledger besides attempts: systems, revocations, the ladder, and decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from foretell.attempts.step import append
from foretell.base.canonical import digest_bytes, digest_value
from foretell.base.errors import InputError, OrderError
from foretell.ledger import Ledger, PublicKey, SecretKey
from foretell.lineage import System, fallen
from foretell.verdicts.evidence_files import Result
from foretell.verdicts.policy import POLICY_FILE, Policy
from foretell.verdicts.policy_decision import Decision, decide
from foretell.verdicts.policy_evidence import evidence, record
from foretell.verifier.layout import LOG
from foretell.verifier.record import Record, replay
from foretell.verifier.standing import standings, world_of


@dataclass(frozen=True)
class _Writing:
    """A log that is locked and read, with whose key is used."""

    ledger: Ledger
    record: Record
    secret: SecretKey

    def sign(
        self, step: str, subjects: Mapping[str, str], facts: Mapping[str, Any], now: datetime | None = None
    ) -> int:
        return append(self.ledger, self.secret, step, self.record, subjects, facts, now)


@contextmanager
def _writing(root: Path, step: str, secret: SecretKey, *, teams: bool = False) -> Iterator[_Writing]:
    """Read and lock a log for a notice, which a party of one of its charters signs.

    Raises:
        OrderError: no charter yet, or the key of somebody else.
    """
    ledger = Ledger(root / LOG)
    with ledger.locked():
        record = replay(ledger)
        if not record.charters:
            raise OrderError(
                f"no {step} before a charter",
                where=str(root),
                got="a log without a charter",
                expected="a charter, whose parties may sign it",
                fix="Sign one first: foretell charter sign.",
            )
        _require_party(step, secret, record.parties(teams=teams))
        yield _Writing(ledger, record, secret)


def _require_party(step: str, secret: SecretKey, parties: Sequence[PublicKey]) -> None:
    if all(secret.public.raw != party.raw for party in parties):
        raise OrderError(
            f"a {step} is not this key's to sign",
            where="--key",
            got=f"key {secret.public.id}",
            expected="one of " + ", ".join(sorted({party.id for party in parties})),
            fix="Use the secret key of a party of one of the ledger's charters.",
        )


def register(root: Path, system: System, secret: SecretKey) -> int:
    """Register a system: whoever signs vouches that it is what its record says. An evaluator or a team may.

    Returns:
        The entry's index.

    Raises:
        OrderError: no charter yet, or the key of somebody else.
        InputError: its name is taken, or it names a system that is not registered.
    """
    with _writing(root, "system", secret, teams=True) as writing:
        writing.record.registry.add(system, str(root))
        return writing.sign("system", {"system.json": system.digest}, {"system": system.record()})


def revoke(
    root: Path, secret: SecretKey, reason: str, *, attempt: int | None = None, system: str | None = None
) -> dict[int, tuple[str, ...]]:
    """Take back what a verdict approved, or a system; what rests on it falls with it.

    Returns:
        Attempts that fell by this, with why.

    Raises:
        OrderError: the key is not the evaluator's.
        InputError: no such judged attempt or system, both or none named, revoked before, or no reason.
    """
    with _writing(root, "revoke", secret) as writing:
        record = writing.record
        world = world_of(record)
        revoked = _revoked(root, record, attempt, system)
        if attempt in world.revoked_attempts or system in world.revoked_systems:
            raise _not_revocable(root, "revoked already", "something that stands")
        if not reason.strip():
            raise _not_revocable(root, "no reason", "a reason, which readers of the log will see")
        if attempt is not None:
            _require_party("revoke", secret, [record.attempts[attempt - 1].charter.evaluator.public()])
        writing.sign("revoke", {"revoked.json": digest_value(revoked)}, {"revoked": revoked, "reason": reason})
        lost = fallen(world)
        if attempt is not None:
            world.revoked_attempts[attempt] = reason
        else:
            world.revoked_systems[str(system)] = reason
        return {number: reasons for number, reasons in fallen(world).items() if number not in lost}


def _revoked(root: Path, record: Record, attempt: int | None, system: str | None) -> dict[str, Any]:
    if (attempt is None) == (system is None):
        raise _not_revocable(root, "both" if system else "neither", "an attempt or a system")
    if attempt is not None:
        judged = [one.number for one in record.attempts if "judge" in one.steps]
        if attempt not in judged:
            raise _not_revocable(root, f"attempt {attempt}", f"a judged attempt: {', '.join(map(str, judged)) or '–'}")
        return {"attempt": attempt}
    record.registry.require([str(system)], str(root))
    return {"system": system}


def _not_revocable(root: Path, got: str, expected: str) -> InputError:
    return InputError(
        "nothing to revoke",
        where=str(root),
        got=got,
        expected=expected,
        fix="foretell lineage show lists what there is.",
    )


def fix_ladder(root: Path, text: str, secret: SecretKey) -> int:
    """Sign the text of a ladder; the latest one that is signed holds. The caller has checked it.

    Raises:
        OrderError: no charter yet, or the key is no evaluator's.
    """
    with _writing(root, "ladder", secret) as writing:
        return writing.sign("ladder", {"ladder.toml": digest_bytes(text.encode())}, {"text": text})


def record_decision(
    root: Path, policy: Policy, results: Mapping[str, Result | None], secret: SecretKey
) -> tuple[int, Decision]:
    """Decide by a policy on the ledger as it is now, and sign what it came to: its text, what each part showed, and the
    digests of the files that were read.

    Args:
        results: see `verdicts.policy_evidence.read_results`.

    Returns:
        The entry's index, and what was decided.

    Raises:
        OrderError: no charter yet, or the key is no evaluator's.
        InputError: a bound on a value that is no number.
    """
    with _writing(root, "decision", secret) as writing:
        now = datetime.now(UTC)
        decision = decide(policy, results, standings(writing.record), {secret.public.verifier}, now)
        subjects = {POLICY_FILE: digest_bytes(policy.text.encode()), **evidence(policy, results)}
        facts = {"text": policy.text, "outcome": decision.outcome, "parts": [record(part) for part in decision.parts]}
        return writing.sign("decision", subjects, facts, now), decision
