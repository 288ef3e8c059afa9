"""`foretell commit`: bind the team to a forecast or a program."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from foretell import attempts
from foretell.base.archives import unpack
from foretell.base.errors import InputError
from foretell.cli.protocol import AttemptOption, JsonOption, KeyOption, LedgerArgument, report_step
from foretell.ledger import SecretKey

EXAMPLES = (
    "Example: foretell commit ledger/ --forecast forecast/ --key keys/team.key   |   "
    "foretell commit ledger/ --program examples/blind_bigram --key keys/team.key"
)


def command(
    ledger: LedgerArgument,
    key: KeyOption,
    forecast: Annotated[Path | None, typer.Option(help="A forecast's folder (open and prospective tracks).")] = None,
    program: Annotated[Path | None, typer.Option(help="A program's folder or .zip (blind track).")] = None,
    helper: Annotated[list[str] | None, typer.Option(help="A system that helped; may be given again.")] = None,
    use: Annotated[
        list[str] | None,
        typer.Option(help="HELPER=SLICE: a slice that it was used for, where not for all; may be given again."),
    ] = None,
    attempt: AttemptOption = None,
    json_to: JsonOption = None,
) -> None:
    """Commit to a forecast, or to a program that will make one; neither can be changed afterwards."""
    if (forecast is None) == (program is None):
        raise InputError(
            "nothing to commit, or two things",
            where="--forecast, --program",
            got="both" if forecast else "neither",
            expected="one of them",
            fix="The blind track takes a --program, the others a --forecast.",
        )
    secret, helpers, uses = SecretKey.read(key), helper or [], _uses(use or [], helper or [])
    if forecast is not None:
        done = attempts.commit_forecast(ledger, forecast, secret, helpers=helpers, uses=uses, number=attempt)
    else:
        assert program is not None
        with tempfile.TemporaryDirectory() as unpacked:
            folder = program
            if program.is_file():
                folder = Path(unpacked) / "program"
                unpack(program, folder)
            done = attempts.commit_program(ledger, folder, secret, helpers=helpers, uses=uses, number=attempt)
    report_step(ledger, done, f"committed to {forecast or program}", json_to)


def _uses(given: list[str], helpers: list[str]) -> dict[str, list[str]]:
    """Slices by helper."""
    found: dict[str, list[str]] = {}
    for one in given:
        helper, _, name = one.rpartition("=")
        if helper not in helpers or not name:
            raise InputError(
                "no use of a helper",
                where="--use",
                got=repr(one),
                expected="HELPER=SLICE, with a HELPER that --helper names",
                fix="Write for example --helper tiny@1536 --use tiny@1536=code.",
            )
        found.setdefault(helper, []).append(name)
    return found
