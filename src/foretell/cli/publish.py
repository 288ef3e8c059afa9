"""`foretell publish`: a folder to hand to a stranger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell import attempts
from foretell.cli.protocol import AttemptOption, JsonOption, KeyOption, LedgerArgument, report_step
from foretell.ledger import SecretKey

EXAMPLES = "Example: foretell publish ledger/ --out published/ --key keys/evaluator.key"


def command(
    ledger: LedgerArgument,
    folder: Annotated[Path, typer.Option("--out", help="The folder to write.")],
    key: KeyOption,
    attempt: AttemptOption = None,
    json_to: JsonOption = None,
) -> None:
    """Write a judged attempt with the whole log as one folder that anybody can check with `foretell verify`."""
    done = attempts.publish(ledger, folder, SecretKey.read(key), number=attempt)
    report_step(ledger, done, f"published as {folder}; check it with: foretell verify {folder}", json_to)
