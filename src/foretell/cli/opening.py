"""`foretell open`: the evaluator hands the sealed prompts to the team; the team reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell import attempts
from foretell.base.errors import InputError
from foretell.base.files import write_atomically
from foretell.cli.console import out as console
from foretell.cli.protocol import AttemptOption, JsonOption, KeyOption, LedgerArgument, report_step
from foretell.ledger import SecretKey
from foretell.suites import save_suite

EXAMPLES = (
    "Example: foretell open ledger/ --key keys/evaluator.key   |   then "
    "foretell open ledger/ --key keys/team.key --out prompts.jsonl"
)


def command(
    ledger: LedgerArgument,
    key: KeyOption,
    out: Annotated[Path | None, typer.Option(help="Write the opened prompts here, as a suite (.jsonl).")] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Open this prompt alone, to a file (--out) that `verify --opening` checks.")
    ] = None,
    attempt: AttemptOption = None,
    json_to: JsonOption = None,
) -> None:
    """Open the sealed prompts to the team (evaluator), or write them as a suite once they are open (--out)."""
    secret = SecretKey.read(key)
    if prompt is not None:
        _open_one(ledger, secret, prompt, attempt, out)
        return
    if out is None:
        opened = attempts.open_prompts(ledger, secret, attempt)
        report_step(ledger, opened, "prompts opened to the team", json_to)
        return
    if out.suffix != ".jsonl":
        raise InputError(
            "not a suite's name",
            where="--out",
            got=str(out),
            expected="a name that ends in .jsonl",
            fix="For example --out prompts.jsonl.",
        )
    suite = attempts.read_opened(ledger, secret, attempt)
    save_suite(suite, out)
    console.print(f"{out}: {len(suite)} prompts to forecast", markup=False)


def _open_one(ledger: Path, secret: SecretKey, prompt: str, attempt: int | None, out: Path | None) -> None:
    target = out or Path(f"{prompt}.opening.json")
    data = attempts.open_one(ledger, secret, prompt, attempt)
    write_atomically(target, lambda path: path.write_bytes(data))
    console.print(f"{target}: check it with: foretell verify LEDGER --opening {target}", markup=False)
