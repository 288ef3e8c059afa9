"""`foretell information fingerprint`: which known models gave some next-token distributions, or none of these."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from foretell.base.errors import InputError
from foretell.base.files import MANIFEST
from foretell.cli.console import emit_json, out, progress_bars
from foretell.cli.opened_like import target_like
from foretell.distributions import Distributions, Head
from foretell.information.fingerprint.fingerprint import Listed, against, answer
from foretell.information.fingerprint.fingerprint_rates import OUTCOMES, Rate, Source, rates, record
from foretell.information.fingerprint.fingerprint_reading import (
    POSITIONS,
    check_one_vocabulary,
    common_precision,
    drawn_rows,
    stated_error_nats,
)
from foretell.information.fingerprint.precision import rounded

EXAMPLES = (
    "Example: foretell information fingerprint --truth answers/ --known tiny --known tiny@1536 --known b/truth   |   "
    "foretell information fingerprint --truth a/ --truth b/ --known tiny --known tiny@1536 --measure --round 3"
)
#: What `--measure` rounds to where nothing else is asked for.
_PRECISIONS = ("float32", "float16", "bfloat16", "3", "2", "1", "0")
_NO_LAYER = "it gives no output layer"


def command(
    truth: Annotated[
        list[Path], typer.Option(help="Folder of distributions whose maker is asked for; several only with --measure.")
    ],
    known: Annotated[
        list[str], typer.Option(help="A model that it may be: TARGET, or a factored truth of it; may be repeated.")
    ],
    positions: Annotated[
        int, typer.Option(help="Distributions, drawn at random, that are looked at together.", min=1)
    ] = POSITIONS,
    round_to: Annotated[
        list[str] | None,
        typer.Option("--round", help="Round the truth first: float32, float16, bfloat16 or decimals; may be repeated."),
    ] = None,
    error: Annotated[
        float, typer.Option(help="Nats that each log-probability may be off by besides its visible rounding.", min=0)
    ] = 0.0,
    measure: Annotated[
        bool, typer.Option("--measure", help="Count errors instead: each distribution of each truth alone, by --round.")
    ] = False,
    json_to: Annotated[str | None, typer.Option("--json", help="Write what was found to a file, or - .")] = None,
) -> None:
    """Tell which known models a truth can be from, by their output layers, or that it is from none of these."""
    opened = [Distributions(folder) for folder in truth]
    with progress_bars() as progress:
        heads: dict[str, Head | str] = {}
        for done, spec in enumerate(known):
            progress("opening known models", done, len(known))
            heads[spec] = _head(spec, opened)
        progress("opening known models", len(known), len(known))
        if measure:
            layers = {name: head for name, head in heads.items() if isinstance(head, Head)}
            sources = [Source(one.name, _own(one, heads), drawn_rows(one, positions)) for one in opened]
            counted = rates(sources, layers, round_to or _PRECISIONS, progress=progress)
        else:
            rows, stated = _one_truth(opened, positions, round_to or [])
            precision = common_precision(rows, max(error, stated))
            distances = {}
            for done, (name, head) in enumerate(heads.items()):
                progress("projecting on output layers", done, len(heads))
                distances[name] = against(head, rows, precision)
            progress("projecting on output layers", len(heads), len(heads))
            found = answer(distances, heads, precision)
    if json_to:
        emit_json(record(counted) if measure else found.record(), json_to)
    if json_to != "-":
        if measure:
            _print_rates(counted)
        for line in [] if measure else found.sentences():
            out.print(line, markup=False)


def _head(spec: str, truths: list[Distributions]) -> Head | str:
    """The output layer that a spec or a factored truth has, or why there is none."""
    if (Path(spec) / MANIFEST).is_file():
        folder = Distributions(Path(spec))
        vocabulary, head = folder.vocabulary, folder.head
    else:
        target = target_like(truths[0], spec)
        vocabulary, head = target.vocabulary, target.head
    for truth in truths:
        check_one_vocabulary(truth, spec, vocabulary)
    return _NO_LAYER if head is None else head


def _own(truth: Distributions, heads: dict[str, Head | str]) -> Head | None:
    """The layer of the model that made a truth: its own where it is factored, else that of the known model so named."""
    if truth.head is not None:
        return truth.head
    head = heads.get(truth.name)
    return head if isinstance(head, Head) else None


def _one_truth(opened: list[Distributions], positions: int, round_to: list[str]) -> tuple[list[Listed], float]:
    if len(opened) > 1 or len(round_to) > 1:
        raise InputError(
            "several questions at once",
            where="--truth and --round",
            got=f"{len(opened)} truths and {len(round_to)} precisions",
            expected="one truth, and one precision at most",
            fix="Ask one after the other, or pass --measure, which counts errors over all of them.",
        )
    rows = drawn_rows(opened[0], positions)
    for to in round_to:
        rows = [Listed(row.tokens, rounded(row.logprobs, to)) for row in rows]
    return rows, stated_error_nats(opened[0])


def _print_rates(counted: list[Rate]) -> None:
    """The sums over all truths for people; --json has each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("precision", "question"):
        table.add_column(column, no_wrap=True)
    for column in ("tried", *OUTCOMES):
        table.add_column(column, justify="right", no_wrap=True)
    for rate in counted:
        if rate.source == "all":
            bounds = rate.record()["bounds"]
            cells = [f"{rate.counts.get(name, 0)} ({bounds[name][0]:.1%}…{bounds[name][1]:.1%})" for name in OUTCOMES]
            table.add_row(rate.precision, rate.question, str(rate.tried), *cells)
    out.print(table)
    out.print("In brackets: exact binomial bounds, 95%, as far as distributions are independent trials.", markup=False)
