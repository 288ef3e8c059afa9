"""What the played demos share: commands in order, each with who types it and the exit code that it ends with."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import typer

from foretell.base.errors import InputError
from foretell.cli.console import out
from foretell.distributions.vocabulary import TOKENIZER, Vocabulary
from foretell.targets.specs import open_target


class Move(NamedTuple):
    """One command, who types it, and the exit code that it ends with."""

    who: str
    arguments: list[str]
    code: int = 0


def begin(folder: Path) -> Vocabulary:
    """Make the demo's folder, with the tokenizer that forecasts are made for.

    Raises:
        InputError: the folder exists.
    """
    if folder.exists():
        raise InputError(
            "the folder exists", where=str(folder), got="a folder", expected="a new one", fix="Choose another --out."
        )
    folder.mkdir(parents=True)
    vocabulary = open_target("tiny").vocabulary
    shutil.copyfile(vocabulary.path, folder / TOKENIZER)
    return vocabulary


def play(context: typer.Context, moves: Iterable[Move]) -> None:
    """Show and run each command.

    Raises:
        Exit: with the code of a command that did not end as it should.
    """
    for move in moves:
        out.print(f"\n[dim]{move.who}[/] $ foretell {shlex.join(move.arguments)}", soft_wrap=True)
        code = context.find_root().command.main(move.arguments, prog_name="foretell", standalone_mode=False) or 0
        if code != move.code:
            raise typer.Exit(int(code) or 1)
        if code:
            out.print(f"[dim](exit code {code})[/]")
