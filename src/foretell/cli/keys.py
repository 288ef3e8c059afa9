"""`foretell keys`: make the keys that evaluator and team sign with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell.cli.console import out
from foretell.ledger import PublicKey, SecretKey

app = typer.Typer(help="Make and show the keys that an evaluator or a team signs with.", no_args_is_help=True)


@app.command("new", epilog="Example: foretell keys new evaluator --out keys/")
def new(
    name: Annotated[str, typer.Argument(help="Whose key: a name without spaces and '+', such as institute.example.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for NAME.key (keep it secret) and NAME.pub.")] = Path(),
) -> None:
    """Make a signing key (Ed25519) and a decryption key (age), in one secret and one public file."""
    secret, public = SecretKey.generate(name).write(folder)
    out.print(f"{secret}: secret, for you alone\n{public}: public, for everybody", markup=False)


@app.command("show", epilog="Example: foretell keys show keys/evaluator.pub")
def show(path: Annotated[Path, typer.Argument(help="A public or secret key file.")]) -> None:
    """Print the public side of a key: what signatures are checked with, and what is encrypted to."""
    public = SecretKey.read(path).public if path.suffix == ".key" else PublicKey.parse(path.read_text(encoding="utf-8"))
    out.print(public.text().rstrip(), markup=False, soft_wrap=True)
