"""`foretell reveal`: ask the target, and open prompts and truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell import attempts
from foretell.base.files import MANIFEST
from foretell.cli.collect import TARGET_HELP, TokenizerOption, TopOption
from foretell.cli.console import progress_bars, say
from foretell.cli.protocol import AttemptOption, JsonOption, KeyOption, LedgerArgument, report_step
from foretell.ledger import SecretKey
from foretell.targets.specs import OpenOptions, open_target

EXAMPLES = "Example: foretell reveal ledger/ --target tiny --key keys/evaluator.key"


def command(
    ledger: LedgerArgument,
    target: Annotated[str, typer.Option(help=f"{TARGET_HELP} Or the folder of a truth on the sealed prompts.")],
    key: KeyOption,
    tokenizer: TokenizerOption = None,
    top: TopOption = 20,
    attempt: AttemptOption = None,
    json_to: JsonOption = None,
) -> None:
    """Collect the target's truth on the sealed prompts, and open both. A stopped run goes on."""
    truth = Path(target) if (Path(target) / MANIFEST).is_file() else None
    with progress_bars() as progress:
        asked = truth or open_target(target, OpenOptions(tokenizer, top, say))
        done = attempts.reveal(ledger, asked, SecretKey.read(key), number=attempt, progress=progress)
    report_step(ledger, done, "prompts and truth revealed", json_to)
