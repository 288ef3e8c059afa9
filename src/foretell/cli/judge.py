"""`foretell judge`: score the committed forecast and sign the verdict."""

from __future__ import annotations

import typer

from foretell import attempts
from foretell.cli.console import emit_json, out
from foretell.cli.protocol import AttemptOption, JsonOption, KeyOption, LedgerArgument
from foretell.cli.score import EXIT_CODES
from foretell.ledger import SecretKey

EXAMPLES = "Example: foretell judge ledger/ --key keys/evaluator.key"


def command(ledger: LedgerArgument, key: KeyOption, attempt: AttemptOption = None, json_to: JsonOption = None) -> None:
    """Check everything that was signed, score forecast against truth by the charter, and sign what follows.

    Ends with 0 for a pass, 10 for a fail, 11 where the bounds include the tolerance, 12 for an inadmissible attempt.
    """
    judged = attempts.judge(ledger, SecretKey.read(key), number=attempt)
    outcome = judged.outcome
    if json_to:
        record = {"attempt": judged.attempt.number, "decision": outcome.decision, "reasons": list(outcome.reasons)}
        emit_json(record | {"score": judged.score}, json_to)
    else:
        out.print(f"attempt {judged.attempt.number}: {outcome.decision}: " + "; ".join(outcome.reasons), markup=False)
        for line in judged.beside:
            out.print(f"  {line}", markup=False)
        out.print("next: foretell publish")
    raise typer.Exit(EXIT_CODES[outcome.decision])
