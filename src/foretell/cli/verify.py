"""`foretell verify`: check a published folder or a ledger again, from bytes alone."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from foretell.base.archives import unpack
from foretell.base.errors import InputError
from foretell.cli.console import emit_json, out, progress_bars
from foretell.cli.protocol import JsonOption
from foretell.ledger import PublicKey
from foretell.verifier import Check, Outside, verify

EXAMPLES = (
    "Example: foretell verify published/   |   foretell verify published.zip --evaluator institute.pub "
    "--checkpoint kept.note --authorities tsa-roots.pem"
)
#: Exit code where something does not hold.
_FAILED = 13
_MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]–[/]"}


def command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A published folder or its .zip, or a ledger.")],
    evaluator: Annotated[
        Path | None, typer.Option(help="The evaluator's public key, NAME.pub, as you know it from elsewhere.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint of this log that you kept: nothing before it may have changed.")
    ] = None,
    authorities: Annotated[
        Path | None, typer.Option(help="PEM certificates of the timestamp authorities that you trust.")
    ] = None,
    opening: Annotated[Path | None, typer.Option(help="A single opened prompt: was it one of the sealed ones?")] = None,
    json_to: JsonOption = None,
) -> None:
    """Replay everything from its bytes: signatures, order, commitments, identities, the score, the verdict.

    Needs no network and no model. Ends with 13 if anything does not hold.
    """
    outside = Outside(
        evaluator=PublicKey.read(evaluator).verifier if evaluator else None,
        checkpoint=_read(checkpoint) if checkpoint else None,
        authorities=_read(authorities) if authorities else None,
        opening=_read(opening) if opening else None,
    )
    with tempfile.TemporaryDirectory() as unpacked, progress_bars() as progress:
        if folder.is_file():
            unpack(folder, Path(unpacked) / "folder")
        checks = verify(Path(unpacked) / "folder" if folder.is_file() else folder, outside, progress)
    holds = all(check.holds is not False for check in checks)
    if json_to:
        emit_json({"verified": holds, "checks": [vars(check) for check in checks]}, json_to)
    else:
        _print(checks, holds, evaluator is not None)
    raise typer.Exit(0 if holds else _FAILED)


def _print(checks: list[Check], holds: bool, known: bool) -> None:
    for check in checks:
        out.print(f"{_MARKS[check.holds]} ", end="")
        out.print(f"{check.name}: {check.detail}", markup=False, soft_wrap=True)
    if not holds:
        out.print("[bold red]does not verify[/]")
        return
    out.print("[bold green]verified[/]", end="")
    key = (
        "" if known else "; that the evaluator's key is the evaluator's, you have to know from elsewhere (--evaluator)"
    )
    out.print(f": the record holds together. It is evidence about the sampled prompts only{key}.", markup=False)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InputError("no such file", where=str(path), got="nothing", expected="a file", fix="Check the name.")
    return path.read_bytes()
