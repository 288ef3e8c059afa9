"""What the commands of the protocol share: the ledger, the key, the attempt, and how a step is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from foretell.attempts import status
from foretell.base.files import MANIFEST
from foretell.cli.console import emit_json, out, say
from foretell.distributions import Vocabulary
from foretell.distributions.folder import read_vocabulary
from foretell.targets.specs import OpenOptions, open_target
from foretell.verifier.record import Attempt

LedgerArgument = Annotated[Path, typer.Argument(metavar="LEDGER", help="The ledger's folder.")]
KeyOption = Annotated[Path, typer.Option("--key", help="Your secret key, NAME.key.")]
AttemptOption = Annotated[int | None, typer.Option("--attempt", help="Number of the attempt; the latest by default.")]
JsonOption = Annotated[str | None, typer.Option("--json", help="Write what was done as JSON to a file, or - .")]


def report_step(ledger: Path, attempt: Attempt, line: str, json_to: str | None) -> None:
    """Say what was done and what comes next."""
    now = status(ledger).attempts[attempt.number - 1]
    if json_to:
        done: dict[str, Any] = {
            "attempt": now.number,
            "charter": now.charter_digest,
            "steps": {step: entry.index for step, entry in now.steps.items()},
            "next": now.next_step,
        }
        emit_json(done, json_to)
        return
    after = f"next: foretell {now.next_step}" if now.next_step else "the attempt is complete"
    out.print(f"attempt {now.number}: {line}; {after}", markup=False)


def vocabulary_like(like: str) -> Vocabulary:
    """The vocabulary of a truth's folder, a tokenizer.json or its folder, or a target."""
    path = Path(like)
    if (path / MANIFEST).is_file():
        return read_vocabulary(path)
    return Vocabulary.load(path) if path.exists() else open_target(like, OpenOptions(say=say)).vocabulary
