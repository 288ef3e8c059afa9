"""One prompt of a sealed attempt opened alone: its record, its salt, and the way from its card to the pool's root."""

from __future__ import annotations

import json

from foretell.base.canonical import canonical_json
from foretell.base.errors import ForgeryError
from foretell.ledger import inclusion_proof, verify_inclusion
from foretell.verifier.prompts import Cards, Opening, card_leaf, read_opening
from foretell.verifier.record import Record

SCHEMA = "foretell.opening/1"


def write_single(opening: Opening, cards: Cards, attempt: int) -> bytes:
    """The file that opens one prompt; the others stay closed."""
    proof = [step.hex() for step in inclusion_proof(cards.leaves, opening.index)]
    return canonical_json({"schema": SCHEMA, "attempt": attempt, "opening": opening.record(), "proof": proof})


def check_single(data: bytes, record: Record) -> str:
    """Check one opened prompt against what the log committed to.

    Returns:
        What was found, in a line.

    Raises:
        ForgeryError: it is not a prompt that was sealed in that attempt.
    """
    try:
        value = json.loads(data)
        opening, number = read_opening(value["opening"]), int(value["attempt"])
        proof = [bytes.fromhex(step) for step in value["proof"]]
        attempt = record.attempts[number - 1]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _forged("no opening of a prompt", repr(error), f"a file of schema {SCHEMA}") from error
    pool = attempt.charter.pool
    if opening.index not in attempt.steps["seal"]["indices"]:
        raise _forged("a prompt that was not drawn", f"index {opening.index}", f"one drawn in attempt {number}")
    leaf = card_leaf(opening.commitment, opening.prompt.slice)
    if not verify_inclusion(leaf, opening.index, pool.prompts, proof, bytes.fromhex(pool.commitment)):
        raise _forged("a prompt that was not sealed", f"prompt {opening.prompt.id!r}", f"one under {pool.commitment}")
    return f"prompt {opening.prompt.id!r} was sealed in attempt {number}, at place {opening.index} of the pool"


def _forged(what: str, got: str, expected: str) -> ForgeryError:
    fix = "Ask the evaluator for the opening of a prompt that was sealed."
    return ForgeryError(what, where="the opening", got=got, expected=expected, fix=fix)
