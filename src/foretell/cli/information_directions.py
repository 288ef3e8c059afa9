"""`foretell information directions`: how many directions of a model's weights its answers to N prompts pin down."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich import box
from rich.table import Table

from foretell.base.errors import InputError
from foretell.base.files import write_text_atomically
from foretell.base.interval import Interval
from foretell.cli.collect import SuiteOption, TargetOption
from foretell.cli.console import emit_json, out, progress_bars, say
from foretell.cli.score import LevelOption
from foretell.information.directions.direction_settings import DirectionSettings, Effort
from foretell.information.directions.local_curves import last_only, local_curves
from foretell.information.directions.local_results import LocalInformation, Row, whole
from foretell.reports.directions_plot import directions_file
from foretell.suites import load_suite
from foretell.targets.collection import tokenize
from foretell.targets.specs import OpenOptions, open_target

EXAMPLES = (
    "Example: foretell information directions --target tiny --suite foretell-300 --prompts 1,5,20 --plot pinned.svg"
)


def command(
    target: TargetOption,
    suite: SuiteOption,
    prompts: Annotated[str, typer.Option(help="Numbers of prompts N, by commas.")] = "1,5,20",
    tolerance: Annotated[list[float] | None, typer.Option(help="Mean KL in nats; may be repeated.")] = None,
    size: Annotated[
        list[float] | None,
        typer.Option(help="A change along one direction, as a share of the weights' norm; may be repeated."),
    ] = None,
    prior: Annotated[
        float, typer.Option(help="Share of its tensor's root mean square by which each weight may be off beforehand.")
    ] = 0.05,
    last: Annotated[bool, typer.Option("--last", help="Only each prompt's last scored position.")] = False,
    draws: Annotated[
        int, typer.Option(help="Random choices of N prompts; for small N up to four times as many.", min=1)
    ] = 2,
    probes: Annotated[int, typer.Option(help="Random vectors a choice: more make the bounds tighter.", min=1)] = 1,
    steps: Annotated[int, typer.Option(help="Products with each: more resolve smaller eigenvalues.", min=2)] = 40,
    level: LevelOption = 0.95,
    seed: Annotated[int, typer.Option(help="Of the choices of prompts and of the random vectors.", min=0)] = 0,
    json_to: Annotated[str | None, typer.Option("--json", help="Write the curves to a file, or - .")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the curves as a picture (.svg).")] = None,
) -> None:
    """Count the directions of the weights that N prompts pin down, by the Fisher information of the answers."""
    defaults = DirectionSettings()
    settings = DirectionSettings(
        _numbers(prompts),
        tuple(tolerance or defaults.tolerances),
        tuple(size or defaults.sizes),
        prior,
        draws,
        Effort(probes, steps, level),
    )
    opened = open_target(target, OpenOptions(say=say))
    asked = tokenize(load_suite(suite), opened.encode, opened.context)
    with progress_bars() as progress:
        chosen = last_only(asked) if last else asked
        found = local_curves(opened, chosen, settings, np.random.default_rng(seed), progress=progress)
    if plot is not None:
        write_text_atomically(plot, directions_file(found.record()))
    if json_to:
        emit_json(found.record(), json_to)
    if json_to != "-":
        _print(found)
        if plot is not None:
            out.print(f"Plot: {plot}", markup=False)


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise InputError(
            "not numbers of prompts",
            where="--prompts",
            got=repr(text),
            expected="whole numbers above 0, by commas",
            fix="For example --prompts 1,5,20.",
        )
    return tuple(map(int, parts))


def _print(found: LocalInformation) -> None:
    settings = found.settings
    out.print(
        f"{found.target}: directions of its weights that answers pin down (effective number), and bits about the "
        f"weights beyond knowing each to {settings.prior:.0%}; {settings.effort.level:.0%} bounds of the mean over "
        "draws of prompts",
        markup=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("prompts", "answers", "nats"):
        table.add_column(head, justify="right")
    for size in settings.sizes:
        table.add_column(f"pinned to {size:.2%}", justify="right")
    table.add_column("bits", justify="right")
    reasons: dict[str, int] = {}
    answers = {one.prompts: f"{one.positions:,.0f}" for one in found.measured}
    for row in found.rows:
        table.add_row(f"{row.prompts:,}", answers[row.prompts], f"{row.tolerance:g}", *_cells(row, reasons))
    out.print(table)
    for reason, number in reasons.items():
        out.print(f"[{number}] not determined: {reason}.", markup=False)
    for line in found.sentences():
        out.print(line, markup=False)


def _cells(row: Row, reasons: dict[str, int]) -> list[str]:
    """Figures, or the number of the reason why there is none."""

    def cell(bounds: Interval, untold: str | None) -> str:
        return whole(bounds) if untold is None else f"– \\[{reasons.setdefault(untold, len(reasons) + 1)}]"

    pinned = [cell(one.effective, one.untold) for one in row.pinned]
    return [*pinned, cell(row.volume.bits, row.volume.untold)]
