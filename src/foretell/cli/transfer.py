"""`foretell transfer`: does skill at one kind of prompts, or at one model, carry over to another?"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from foretell.base.errors import InputError
from foretell.base.files import storage_errors, write_text_atomically
from foretell.cli.console import emit_json, nats, out, progress_bars
from foretell.cli.score import LevelOption
from foretell.reports.transfer_plot import transfer_file
from foretell.scoring.losses import loss_metric
from foretell.verdicts.transfer_record import transfer_record
from foretell.verdicts.transfer_units import read_units

EXAMPLES = (
    "Example: foretell transfer run/ --tolerance 0.5 --out transfer/   |   "
    "foretell transfer run-on-base/ run-on-organism/ --by slice --json -"
)
TRANSFER, PLOT = "transfer.json", "transfer.svg"
#: Letters of a cell's bounds.
_CELL = 11
#: Letters of a row's name.
_HEAD = 26


class By(StrEnum):
    """What a unit is."""

    slice = "slice"
    run = "run"


def command(
    run: Annotated[list[Path], typer.Argument(help="Folders of `foretell score --out` or `foretell scale --out`.")],
    by: Annotated[
        By | None, typer.Option(help="Compare slices, or whole runs; by default slices of one run, runs of several.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Mean loss: what was meeting it on one unit worth on the others?", min=0.0)
    ] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Compare the forecasts that all runs have, and leave out the others.")
    ] = False,
    level: LevelOption = 0.95,
    out_folder: Annotated[Path | None, typer.Option("--out", help=f"Folder for {TRANSFER} and {PLOT}.")] = None,
    json_to: Annotated[str | None, typer.Option("--json", help=f"Write {TRANSFER} to a file, or - .")] = None,
) -> None:
    """Compare forecasts across slices or models: losses, rank correlations with bounds, what a pass was worth."""
    if out_folder is not None:
        _require_own(out_folder)
    units = read_units(run, None if by is None else by.value, common=common)
    with progress_bars() as progress:
        result = transfer_record(units, level=level, tolerance=tolerance, progress=progress)
    if out_folder is not None:
        with storage_errors(out_folder):
            out_folder.mkdir(parents=True, exist_ok=True)
        write_text_atomically(out_folder / PLOT, transfer_file(result))
        emit_json(result, str(out_folder / TRANSFER))
    if json_to:
        emit_json(result, json_to)
    if json_to != "-":
        print_transfer(result)
        if out_folder is not None:
            out.print(f"Plot: {out_folder / PLOT}   Numbers: {out_folder / TRANSFER}", markup=False)


def _require_own(folder: Path) -> None:
    """Refuse a folder with other things in it."""
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else {""} if folder.exists() else set()
    if there - {TRANSFER, PLOT}:
        raise InputError(
            "the folder is in use",
            where=str(folder),
            got="files of something else",
            expected="a new folder, or an earlier table to replace",
            fix="Choose another --out.",
        )


def print_transfer(result: dict[str, Any]) -> None:
    """The table for people."""
    settings = result["settings"]
    metric = loss_metric(settings["metric"], TRANSFER)
    out.print(
        f"Mean {metric.title} ({metric.unit}) of {len(result['forecasts'])} forecasts on {len(result['units'])} units, "
        f"{settings['level']:.0%} bounds of each by itself",
        markup=False,
    )
    _print_parts(_losses, result)
    out.print("Rank correlation of the forecasts between units (Spearman), bounds that hold together", markup=False)
    _print_parts(_correlations, result)
    if result["passes"] is not None:
        out.print(
            f"Largest mean on another unit among forecasts that meet {settings['tolerance']:g} on the row's unit, "
            "bounds that hold together",
            markup=False,
        )
        _print_parts(_passes, result)
    for line in result["sentences"]:
        out.print(line, markup=False)
    for folder, names in result["left_out"].items():
        out.print(f"Left out, since not every run has them: {', '.join(names)} ({folder}).", markup=False)


def _print_parts(table: Callable[[dict[str, Any], list[str]], Table], result: dict[str, Any]) -> None:
    """A table in as many parts as the width needs."""
    units = [unit["name"] for unit in result["units"]]
    each = max(1, (out.width - _HEAD) // (_CELL + 1))
    for start in range(0, len(units), each):
        out.print(table(result, units[start : start + each]))


def _grid(head: str, units: list[str]) -> Table:
    """A table with a column a unit; names that are too long for it go on below."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(head, overflow="fold", width=_HEAD - 2)
    for column in units:
        table.add_column(column, justify="right", overflow="fold", width=_CELL)
    return table


def _names(result: dict[str, Any]) -> list[str]:
    return [unit["name"] for unit in result["units"]]


def _losses(result: dict[str, Any], units: list[str]) -> Table:
    table = _grid("forecast", units)
    found = {(one["forecast"], one["unit"]): one for one in result["losses"]}
    for name in result["forecasts"]:
        table.add_row(name, *(_cell(found[name, unit]["mean"], found[name, unit]) for unit in units))
    return table


def _correlations(result: dict[str, Any], units: list[str]) -> Table:
    found = {frozenset((one["a"], one["b"])): one for one in result["correlations"]}
    table = _grid("", units)
    for row in _names(result):
        cells = []
        for column in units:
            rho = found[frozenset((row, column))].get("spearman") if row != column else None
            cells.append("" if row == column else "–" if rho is None else _cell(rho["value"], rho))
        table.add_row(row, *cells)
    return table


def _passes(result: dict[str, Any], units: list[str]) -> Table:
    found = {(one["on"], one["then"]): one for one in result["passes"]}
    table = _grid("met on", units)
    for row in _names(result):
        ones = [found.get((row, column)) for column in units]
        cells = ["" if one is None else "–" if "unscored" in one else _cell(one["mean"], one) for one in ones]
        table.add_row(row, *cells)
    return table


def _cell(mean: Any, record: dict[str, Any], digits: int = 2) -> str:
    return f"{nats(mean, digits)}\n{record['lo']:.{digits}f}…{record['hi']:.{digits}f}"
