"""`foretell stamp`: let a timestamp authority say when a log was as it is now."""

from __future__ import annotations

from typing import Annotated

import typer

from foretell import attempts
from foretell.cli.console import out
from foretell.cli.protocol import LedgerArgument

EXAMPLES = "Example: foretell stamp ledger/ --authority https://tsa.example/tsr"


def command(
    ledger: LedgerArgument,
    authority: Annotated[str, typer.Option(help="URL of a timestamp authority (RFC 3161).")],
) -> None:
    """Have the log's latest checkpoint timestamped by somebody outside (optional; needs the extra timestamps)."""
    out.print(f"{attempts.stamp(ledger, authority)}: the log as it is now was timestamped", markup=False)
