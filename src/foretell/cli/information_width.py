"""`foretell information width`: the hidden width of a model, from its log-probabilities alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich import box
from rich.table import Table

from foretell.cli.console import emit_json, out, progress_bars
from foretell.distributions import Distributions
from foretell.information.fingerprint.fingerprint_reading import stated_error_nats
from foretell.information.layer.width_report import POSITIONS, RULES, AtPrecision, WidthReport, measure_width

EXAMPLES = (
    "Example: foretell information width --truth truth/   |   "
    "foretell information width --truth truth/ --rule round:2 --rule noise:0.01 --json -"
)

FullTruthOption = Annotated[Path, typer.Option(help="Folder written by `foretell collect`, dense or factored.")]
ComputedOption = Annotated[
    Literal["float32", "float16", "bfloat16"],
    typer.Option(help="The arithmetic that the log-probabilities come from."),
]
ErrorOption = Annotated[
    float, typer.Option(help="Standard deviation, in nats, of noise that was added to each.", min=0)
]


def command(
    truth: FullTruthOption,
    positions: Annotated[
        int, typer.Option(help="Different contexts that are looked at; more than the width are needed.", min=1)
    ] = POSITIONS,
    rule: Annotated[
        list[str] | None,
        typer.Option(help=f"How the truth may be released, for the table; may be repeated [{', '.join(RULES)}]."),
    ] = None,
    computed: ComputedOption = "float32",
    error: ErrorOption = 0.0,
    json_to: Annotated[str | None, typer.Option("--json", help="Write what was found to a file, or - .")] = None,
) -> None:
    """Find the rank of a model's log-probabilities, and the hidden widths that have it."""
    opened = Distributions(truth)
    with progress_bars() as progress:
        found = measure_width(
            opened,
            positions=positions,
            rules=RULES if rule is None else rule,
            computed=computed,
            error_nats=max(error, stated_error_nats(opened)),
            progress=progress,
        )
    if json_to:
        emit_json(found.record(), json_to)
    if json_to != "-":
        _print(found)


def _print(found: WidthReport) -> None:
    out.print(f"{found.truth}:", markup=False)
    for line in found.sentences():
        out.print(f"  {line}", markup=False)
    if found.precisions:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("released as", "rank", "gap (nats)", "positions it took", "why not"):
            table.add_column(name, justify="left" if name in ("released as", "why not") else "right")
        for one in found.precisions:
            table.add_row(*_cells(one))
        out.print(table)


def _cells(one: AtPrecision) -> tuple[str, ...]:
    found = one.found
    if found.rank is None or found.gap_nats is None:
        bound = f"≥ {found.at_least:,}" if found.at_least else "–"
        return one.rule, bound, "–", "–", f"not determined: {found.reason}"
    return one.rule, f"{found.rank:,}", f"{found.gap_nats:.1f}", f"{one.fewest:,}", ""
