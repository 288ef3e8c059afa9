"""Signed decisions, made again: whether an outcome follows from its policy, its parts, and the log as it was then.

What a file of another evaluation said is taken from the decision: the file is not in the log, its digest is, so whoever
has the file can compare. Everything else is found anew: what counts, what is met, and what the rule makes of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from foretell.base.errors import ForetellError, ForgeryError
from foretell.verdicts.policy import POLICY_FILE, Policy
from foretell.verdicts.policy_decision import Decision, decide
from foretell.verdicts.policy_evidence import Recorded, evidence, recorded, result_of
from foretell.verdicts.policy_evidence import record as part_record
from foretell.verifier.record import Entry, Record
from foretell.verifier.standing import standings


def decide_again(record: Record, entry: Entry, before: int, at: datetime) -> tuple[Policy, Decision]:
    """What a decision's policy and evidence come to, on the log before an entry, at a time.

    Args:
        entry: the decision.
        before: entry.index and entry.time are what it was decided on; later ones show what has become of it.

    Raises:
        InputError: a policy or a part that cannot be read.
    """
    where = f"log entry {entry.index}"
    policy = Policy.parse(entry["text"].encode(), f"{where}: {POLICY_FILE}")
    results = {part.name: result_of(part, where) for part in recorded(entry["parts"], where)}
    return policy, decide(policy, results, standings(record, before), {entry.signer.verifier}, at)


def decision_record(record: Record, entry: Entry, now: datetime) -> dict[str, Any]:
    """A decision for JSON: what it came to then, and with the same files now.

    {"entry", "time", "signer", "said": the outcome that was signed, "follows": whether it follows} and then "why" it
    does not, or "title", "then", "now": the outcome in words, "parts" and "parts_now": what each showed.
    """
    said = {"entry": entry.index, "time": entry.time.isoformat(), "signer": entry.signer.id, "said": entry["outcome"]}
    try:
        policy, then = _checked(record, entry)
        _, since = decide_again(record, entry, len(record.entries), now)
    except ForetellError as error:
        return {**said, "follows": False, "why": str(error)}
    parts, parts_now = ([part_record(part) for part in made.parts] for made in (then, since))
    outcome = {"title": policy.title, "then": then.sentence, "now": since.sentence}
    return {**said, "follows": True, **outcome, "parts": parts, "parts_now": parts_now}


def check_decision(record: Record, entry: Entry) -> str:
    """Check one decision.

    Returns:
        What it came to, in a line.

    Raises:
        ForgeryError: an outcome or a part that does not follow, or evidence that the statement does not name.
        InputError: a policy or a part that cannot be read.
    """
    policy, decision = _checked(record, entry)
    return f"{policy.title}: {decision.sentence}; it follows from what its parts are said to have shown"


def _checked(record: Record, entry: Entry) -> tuple[Policy, Decision]:
    """A decision made again on what it was decided on, found to be the one that was signed."""
    where = f"log entry {entry.index}"
    policy, decision = decide_again(record, entry, entry.index, entry.time)
    signed = recorded(entry["parts"], where)
    if [part.name for part in signed] != [part.name for part in decision.parts]:
        got, expected = ([part.name for part in parts] for parts in (signed, decision.parts))
        raise _forged("other parts than the policy has", where, str(got), str(expected))
    for part, shown in zip(signed, decision.parts, strict=True):
        own = (part.kind, part.state, part.attempt)
        if own != (shown.kind, shown.state, shown.attempt):
            raise _forged(f"a part that does not follow: {part.name}", where, _told(*own), shown.said)
    if entry["outcome"] != decision.outcome:
        raise _forged("an outcome that does not follow", where, repr(entry["outcome"]), repr(decision.outcome))
    _check_subjects(policy, signed, entry, where)
    return policy, decision


def _check_subjects(policy: Policy, signed: list[Recorded], entry: Entry, where: str) -> None:
    """The statement is about the policy and the files that its parts were read from, and nothing else."""
    read = evidence(policy, {part.name: result_of(part, where) for part in signed})
    named = {name: digest for name, digest in entry.statement.subjects.items() if name != POLICY_FILE}
    if named != read:
        raise _forged("other evidence than its parts were read from", where, str(named), str(read))


def _told(kind: str, state: str, attempt: int | None) -> str:
    return f"{kind}, {state}" + ("" if attempt is None else f", attempt {attempt}")


def _forged(what: str, where: str, got: str, expected: str) -> ForgeryError:
    return ForgeryError(
        what,
        where=where,
        got=got,
        expected=expected,
        fix="Do not rely on this decision; ask the evaluator how it was made.",
    )
