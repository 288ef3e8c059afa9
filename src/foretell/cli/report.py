"""`foretell report`: one page that shows a score and opens offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell.cli.console import out
from foretell.reports import write_report

EXAMPLES = "Example: foretell report run/ -o report.html"


def command(
    run: Annotated[Path, typer.Argument(help="Run folder written by `foretell score --out`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The page.")] = Path("report.html"),
) -> None:
    """Write a self-contained page: verdict, scale of references, slices, losses, and the prompts as heat maps."""
    write_report(run, output)
    out.print(f"{output}: {output.stat().st_size / 1e6:.1f} MB", markup=False)
