"""`foretell information survivors`: how many models of a family N prompts leave within a tolerance of the target."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich import box
from rich.table import Table

from foretell import evaluation
from foretell.base.errors import InputError
from foretell.base.files import write_text_atomically
from foretell.base.progress import Progress
from foretell.cli.collect import SuiteOption, TargetOption
from foretell.cli.console import emit_json, out, progress_bars, say
from foretell.cli.opened_like import forecaster_like, target_like
from foretell.cli.score import LevelOption, MetricOption
from foretell.distributions import Distributions
from foretell.forecasters.panel import default_corpora
from foretell.information.survivors.direction_files import direction_files
from foretell.information.survivors.family_members import DIRECTIONS, FAMILIES, OTHER, Member, copies, relatives
from foretell.information.survivors.identification import Identification
from foretell.information.survivors.member_losses import MemberLosses, member_losses, reference_loss
from foretell.information.survivors.surviving import RULES, VersionSpace
from foretell.information.survivors.tolerance_ladder import tolerance_ladder
from foretell.information.survivors.version_space import DRAWS, PROMPTS, version_space
from foretell.organisms.recipes import load_recipe
from foretell.organisms.training import cached_folder_of
from foretell.scoring.losses import loss_metric
from foretell.studies.drawing import svg
from foretell.studies.survivor_curves import survivor_curves
from foretell.suites import load_suite
from foretell.targets.specs import OpenOptions, open_target
from foretell.targets.target import Target

EXAMPLES = (
    "Example: foretell information survivors --target tiny --suite foretell-300 --family tiny --out survivors/   |   "
    "foretell information survivors --target smollm2 --suite mine.jsonl --family copies --member hf:my-fine-tune "
    "--tolerance 0.1 --plot survivors.svg"
)
#: Organisms that belong to the shipped target's family where they were trained: half its size, another seed.
_ORGANISMS = ("sibling", "twin")
_ORDER = 5


class RuleName(StrEnum):
    """What a member that remains has to meet."""

    mean = "mean"
    every = "every"


def command(
    target: TargetOption,
    suite: SuiteOption,
    family: Annotated[
        list[str] | None,
        typer.Option(help="; ".join(f"{name}: {told}" for name, told in FAMILIES.items()) + "; may be repeated."),
    ] = None,
    member: Annotated[
        list[str] | None, typer.Option(help="One more model of the family, a spec as of --target; may be repeated.")
    ] = None,
    tolerance: Annotated[
        list[float] | None,
        typer.Option(help="By default from the truth's noise to the n-gram score; may be repeated.", min=0.0),
    ] = None,
    prompts: Annotated[
        list[int] | None, typer.Option("--prompts", "-n", help="Numbers of prompts; 1 to 1,000 by default.", min=1)
    ] = None,
    rule: Annotated[
        RuleName, typer.Option(help="; ".join(f"{name}: {told}" for name, told in RULES.items()) + ".")
    ] = RuleName.mean,
    metric: MetricOption = "kl_nats",
    draws: Annotated[int, typer.Option(help="Random draws of prompts.", min=100)] = DRAWS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same draws.", min=0)] = 0,
    level: LevelOption = 0.95,
    plot: Annotated[Path | None, typer.Option(help="Write the curves as an SVG file.")] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for truth and losses; a stopped run goes on in it.")
    ] = None,
    json_to: Annotated[str | None, typer.Option("--json", help="Write everything to a file, or - .")] = None,
) -> None:
    """Count the models of a family that remain within a tolerance of the target after N prompts, and the bits won."""
    opened = open_target(target, OpenOptions(say=say))
    with tempfile.TemporaryDirectory(prefix="foretell-") as temporary, progress_bars() as progress:
        folder = out_folder or Path(temporary)
        truth = evaluation.collect(opened, load_suite(suite), folder / "truth", progress=progress)
        members = _members(target, opened, truth, family or [], member or [], folder, progress)
        losses = member_losses(truth, members, folder, partial(target_like, truth), metric=metric, progress=progress)
        tolerances, reference = _tolerances(target, truth, losses, tolerance or [], rule.value, progress)
        found = version_space(
            losses.family(),
            tolerances,
            noise=losses.noise[rule.value],
            rng=np.random.default_rng(seed),
            rule=rule.value,
            prompts=prompts or PROMPTS,
            draws=draws,
            level=level,
            progress=progress,
        )
    unit = loss_metric(metric).unit
    figure = survivor_curves(found, unit=unit) if plot is not None else None
    if plot is not None and figure is not None:
        write_text_atomically(plot, svg(figure))
    if json_to:
        emit_json(_record(target, truth, losses, found, seed, reference), json_to)
    if json_to != "-":
        _print(target, truth, losses, found, reference)
        if plot is not None:
            out.print(f"Plot: {plot if figure is not None else 'none, since nothing was determined'}", markup=False)


def _members(
    target: str,
    opened: Target,
    truth: Distributions,
    families: Sequence[str],
    named: Sequence[str],
    folder: Path,
    progress: Progress,
) -> list[Member]:
    """Those that were named first, since they are the likeliest to be refused."""
    members = [Member.of(spec) for spec in named]
    for family in families:
        if family not in FAMILIES:
            raise InputError(
                "no such family",
                where="--family",
                got=repr(family),
                expected="one of " + ", ".join(FAMILIES),
                fix="Name single models with --member.",
            )
        if family == "copies":
            members += copies(target)
            continue
        relatives(target)  # refuses another target before anything is worked out
        files = direction_files(truth, opened, folder / "directions", DIRECTIONS, progress=progress)
        members += [*relatives(target, [str(file) for file in files]), *_organisms()]
    return members


def _organisms() -> list[Member]:
    """Other models with the shipped target's vocabulary, where they were trained on this machine."""
    found = {kind: cached_folder_of(load_recipe(kind)) for kind in _ORGANISMS}
    return [Member(kind, OTHER, f"hf:{folder}") for kind, folder in found.items() if folder is not None]


def _tolerances(
    target: str, truth: Distributions, losses: MemberLosses, given: Sequence[float], rule: Any, progress: Progress
) -> tuple[list[float], str]:
    """The given ones, or from the noise to the n-gram score; and what that score is."""
    if given:
        return sorted(set(given)), ""
    name = f"ngram:{_ORDER}:{default_corpora(target)[0]}"
    reference = reference_loss(truth, losses, forecaster_like(truth, name, progress))
    amount = loss_metric(losses.metric).amount(f"{reference:.3g}")
    return tolerance_ladder(losses.noise[rule], reference), f"{name}, which knows text only, scores {amount}."


def _record(
    target: str, truth: Distributions, losses: MemberLosses, found: VersionSpace, seed: int, reference: str
) -> dict[str, Any]:
    told = {"name": target, "weights": truth.manifest["source"]["weights"], "suite": truth.manifest["suite"]}
    settings = {"metric": losses.metric, "cap": losses.cap, "seed": seed}
    notes = [*losses.notes, *([reference] if reference else [])]
    return found.record() | {"target": told, "settings": settings, "members": losses.record(), "notes": notes}


def _print(target: str, truth: Distributions, losses: MemberLosses, found: VersionSpace, reference: str) -> None:
    metric = loss_metric(losses.metric)
    out.print(
        f"{target} on {truth.manifest['suite']['name']}: {found.prompts:,} prompts of {found.documents:,} documents; "
        f"{metric.title} ({metric.unit}); noise {found.noise:.2g}",
        markup=False,
    )
    if drawn := found.judged:
        out.print("Models that remain (bits won), and below the middle 95% of draws, by tolerance", markup=False)
        out.print(_counts(found))
        out.print(f"Members that remain after {drawn[0].points[-1].prompts:,} prompts, by kind", markup=False)
        out.print(_kinds(found))
        out.print(
            f"Prompts after which nobody of a kind remains, with {found.probability:.0%} probability (bounds)",
            markup=False,
        )
        out.print(_needed(found))
    for line in (*found.sentences(), *losses.notes, *([reference] if reference else [])):
        out.print(line, markup=False)


def _counts(found: VersionSpace) -> Table:
    drawn = found.judged
    table = _table("prompts", [f"{curve.tolerance:.2g}" for curve in drawn])
    for row, point in enumerate(drawn[0].points):
        cells = []
        for curve in drawn:
            one = curve.points[row]
            cells.append(
                f"{one.remaining.mean:.1f} ({one.bits.mean:.2f})\n{one.remaining.suite.lo:g}…{one.remaining.suite.hi:g}"
            )
        table.add_row(f"{point.prompts:,}", *cells)
    for count in found.beyond:
        table.add_row(f"{count:,}", *["–"] * len(drawn))
    return table


def _kinds(found: VersionSpace) -> Table:
    drawn = found.judged
    table = _table("kind", [f"{curve.tolerance:.2g}" for curve in drawn])
    for kind, count in found.kinds.items():
        cells = (curve.points[-1].by_kind[kind].mean for curve in drawn)
        table.add_row(f"{kind} ({count})", *(f"{mean:.3g}" for mean in cells))
    return table


def _needed(found: VersionSpace) -> Table:
    """How many prompts of this suite; for fresh prompts the JSON has the number, and where there is none says so."""
    drawn = found.judged
    table = _table("kind", [f"{curve.tolerance:.2g}" for curve in drawn])
    for kind in found.kinds:
        table.add_row(kind, *(_cell(curve.among[kind]) for curve in drawn))
    table.add_row("all", *(_cell(curve.identification) for curve in drawn))
    return table


def _cell(one: Identification) -> str:
    if one.status != "found" or one.suite is None:
        return "never" if one.status == "never" else "–"
    return f"{one.suite.prompts:,} ({one.suite.lo:,}…{one.suite.hi:,})"


def _table(head: str, columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(head, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
