"""`foretell seal`: draw an attempt's prompts and lock them away."""

from __future__ import annotations

from typing import Annotated

import typer

from foretell import attempts
from foretell.cli.collect import SUITE_HELP
from foretell.cli.protocol import JsonOption, KeyOption, LedgerArgument, report_step
from foretell.ledger import SecretKey
from foretell.suites import load_suite

EXAMPLES = "Example: foretell seal ledger/ --pool pool.jsonl --key keys/evaluator.key"


def command(
    ledger: LedgerArgument,
    pool: Annotated[str, typer.Option(help=f"The pool that the charter commits to. {SUITE_HELP}")],
    key: KeyOption,
    charter: Annotated[str | None, typer.Option(help="Digest of the charter; the latest by default.")] = None,
    json_to: JsonOption = None,
) -> None:
    """Draw prompts from the pool by the charter's rule, commit to each, and encrypt them. None is ever used twice."""
    attempt = attempts.seal(ledger, load_suite(pool), SecretKey.read(key), charter)
    report_step(ledger, attempt, f"{attempt.charter.draw.prompts} prompts sealed", json_to)
