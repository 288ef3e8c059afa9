"""`foretell run`: the evaluator runs a blind program on the sealed prompts."""

from __future__ import annotations

from typing import Annotated

import typer

from foretell import attempts
from foretell.attempts import status
from foretell.cli.console import progress_bars, say
from foretell.cli.protocol import AttemptOption, JsonOption, KeyOption, LedgerArgument, report_step, vocabulary_like
from foretell.ledger import SecretKey

EXAMPLES = "Example: foretell run ledger/ --like tiny --key keys/evaluator.key"


def command(
    ledger: LedgerArgument,
    like: Annotated[str, typer.Option(help="Whose tokens: the target, a truth's folder or a tokenizer.json.")],
    key: KeyOption,
    unsafe: Annotated[
        bool,
        typer.Option("--unsafe-unsandboxed", help="Run without a sandbox: the attempt is marked so for ever."),
    ] = False,
    attempt: AttemptOption = None,
    json_to: JsonOption = None,
) -> None:
    """Run the committed program in a sandbox: no network, no files but its own, limits on time, memory and output."""
    if unsafe:
        say("WITHOUT A SANDBOX: the program can read and change what you can, and the attempt will say so for ever.")
    with progress_bars() as progress:
        done = attempts.run_program(
            ledger,
            vocabulary_like(like),
            SecretKey.read(key),
            number=attempt,
            unsafe_unsandboxed=unsafe,
            progress=progress,
        )
    entry = status(ledger).attempts[done.number - 1].steps["run"]
    said = "the program answered" if entry["outcome"] == "forecast" else f"no forecast: {entry['outcome']}"
    report_step(ledger, done, said, json_to)
