"""`foretell information release`: how to publish a truth: what each rule leaks, and what it costs whoever is judged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich import box
from rich.table import Table

from foretell.base.errors import InputError
from foretell.base.files import write_text_atomically
from foretell.base.interval import Unscored
from foretell.base.progress import Progress
from foretell.cli.console import emit_json, out, progress_bars
from foretell.cli.opened_like import forecaster_like
from foretell.distributions import Distributions
from foretell.distributions.published import check_alters, publish
from foretell.distributions.release import ReleaseRule, parse_rule
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.panel import default_corpora, own_rungs, text_references
from foretell.forecasters.specs import is_reference
from foretell.information.release.release_sample import MOST_POSITIONS
from foretell.information.release.release_table import Release, Releases, meaning
from foretell.information.release.releasing import check_rules, measure_releases
from foretell.information.undeclared.inspection import Known
from foretell.reports.figures import percent, plain
from foretell.reports.release_plot import release_file
from foretell.targets.tiny import is_tiny

EXAMPLES = (
    "Example: foretell information release --truth truth/ --plot release.svg   |   "
    "foretell information release --truth truth/ --rule round:2 --forecast mine/ --out published/"
)
#: What is compared unless rules are named.
RULES = (
    "exact",
    "float16",
    "round:3",
    "round:2",
    "round:1",
    "round:0",
    "topk:100",
    "topk:20",
    "topk:5",
    "noise:0.01",
    "noise:0.1",
    "noise:1",
    "temperature:2",
)
#: Of the table, after the rule: what leaks, and what it costs.
_COLUMNS = ("bits ≤", "bounds", "size", "rank", "layer", "told", "off by", "itself", "flips", "swaps", "judged from")
_LEGEND = (
    "Off by: nats that the mean score of some forecast moves, at most; itself: the same of a perfect forecast. Flips: "
    "verdicts that change, of all forecasts on a grid of tolerances. Swaps: pairs of forecasts in the other order + "
    "those whose order is no longer known / all. Size: bits that one position takes."
)
#: The text-only references that are compared unless forecasts are named.
_REFERENCES = ("uniform", "unigram", "ngram:5")


def command(
    truth: Annotated[Path, typer.Option(help="Folder written by `foretell collect`, with every probability.")],
    rule: Annotated[
        list[str] | None,
        typer.Option(
            help="exact, float16, round:DIGITS, topk:K, noise:SIGMA or temperature:T; may be repeated; by default a "
            "list of each."
        ),
    ] = None,
    forecast: Annotated[
        list[Path] | None, typer.Option(help="Folder of `foretell forecast` whose score is compared; may be repeated.")
    ] = None,
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="A forecaster to compare, a spec as of `forecast`; repeatable.")
    ] = None,
    positions: Annotated[
        int, typer.Option(help="Positions that bits are measured on: at least twice the hidden width.", min=4)
    ] = MOST_POSITIONS,
    plot: Annotated[Path | None, typer.Option(help="Write bits against score error as an SVG file.")] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Publish the truth here, altered by the one --rule.")
    ] = None,
    json_to: Annotated[str | None, typer.Option("--json", help="Write everything to a file, or - .")] = None,
) -> None:
    """Compare rules for publishing a truth: bits leaked against score errors; with --out, publish by one of them."""
    opened = Distributions(truth)
    rules = [parse_rule(spec) for spec in rule or RULES]
    if out_folder is not None and len(rules) != 1:
        raise InputError(
            "no single rule",
            where="--out",
            got=f"{len(rules)} rules",
            expected="one --rule, by which the truth is altered",
            fix="Compare rules without --out first, then publish by one.",
        )
    check_rules(opened, rules)
    if out_folder is not None:
        check_alters(opened, rules[0], out_folder)
    with progress_bars() as progress:
        panel, notes = _panel(opened, forecast or [], with_ or [], progress)
        found = measure_releases(opened, rules, panel, positions=positions, notes=notes, progress=progress)
        if out_folder is not None:
            _publish(opened, rules[0], found.rules[0], out_folder, progress)
    record = found.record()
    if plot is not None:
        write_text_atomically(plot, release_file(record))
    if json_to:
        emit_json(record, json_to)
    if json_to != "-":
        _print(found)
        if plot is not None:
            out.print(f"Plot: {plot}", markup=False)
        if out_folder is not None:
            floor = Distributions(out_folder).manifest["noise_floor"]["kl_nats"]
            out.print(f"{out_folder}: {opened.name} released by {rules[0].spec}; noise floor {floor:.1e}", markup=False)


def _publish(truth: Distributions, rule: ReleaseRule, measured: Release, folder: Path, progress: Progress) -> None:
    """With noise that nobody can draw again."""
    publish(
        truth,
        rule,
        folder,
        noise_floor=measured.noise_floor(truth.manifest["noise_floor"]),
        measured=truth.manifest.get("measured", {}) | {"release": measured.record()},
        rng=np.random.default_rng(),
        progress=progress,
    )


def _panel(
    truth: Distributions, folders: Sequence[Path], specs: Sequence[str], progress: Progress
) -> tuple[list[Known], list[str]]:
    """The forecasts that were named, or the references and earlier checkpoints that go with the target."""
    named = [
        *(Known.of_folder(truth, Distributions(folder)) for folder in folders),
        *(_known(forecaster_like(truth, spec, progress)) for spec in specs),
    ]
    if named:
        return named, []
    target = str(truth.manifest["source"]["name"])
    corpus = default_corpora(target)[0]
    wanted = {"uniform", *(f"{kind}:{corpus}" for kind in _REFERENCES[1:])}
    groups = text_references([corpus], truth.vocabulary, partial(progress, "reading the corpus"))
    found = [one for group in (next(groups), next(groups)) for one in group if one.name in wanted]
    if not is_tiny(target):
        return [_known(one) for one in found], [
            f"No model near {target} was compared; --with model:TARGET takes one, such as an int8 copy."
        ]
    near, missing = own_rungs(target)
    found += [forecaster_like(truth, spec, progress) for spec in near]
    return [_known(one) for one in found], [f"Not compared: {', '.join(missing)}."] if missing else []


def _known(forecaster: Forecaster) -> Known:
    return Known.of_forecaster(forecaster, text_only=is_reference(forecaster.name))


def _print(found: Releases) -> None:
    out.print(
        f"{found.truth}: {found.prompts:,} prompts, {found.positions:,} positions, {found.vocabulary:,} tokens; "
        f"noise floor {found.noise_nats:.1e}",
        markup=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rule", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column, justify="right", overflow="fold")
    for one in found.rules:
        table.add_row(*_row(one))
    out.print(table)
    for line in (_LEGEND, *meaning(found.sampled), *found.notes):
        out.print(line, markup=False)
    reasons = {one.state_bits.bits.reason for one in found.rules if isinstance(one.state_bits.bits, Unscored)}
    for reason in sorted(reasons):
        out.print(f"Bits not determined: {reason}.", markup=False)


def _row(one: Release) -> list[str]:
    bits, bounds = one.state_bits.bits, one.state_bits.bounds
    changes, itself, rank = one.changes, one.errors[0], one.rank
    return [
        one.rule,
        "–" if isinstance(bits, Unscored) else f"{bits:,.0f}",
        "–" if isinstance(bounds, Unscored) else f"{bounds.lo:,.0f}…{bounds.hi:,.0f}",
        f"{one.size_bits:,.0f}",
        f"{rank.rank:,}" if rank.rank is not None else f"? ≥{rank.at_least:,}" if rank.at_least else "?",
        "–" if isinstance(one.recovered, Unscored) else f"{one.recovered.per_number:.1f}",
        "–" if isinstance(one.told, Unscored) else f"{one.told.bits:.2f}",
        plain(one.worst.error),
        plain(itself.error),
        percent(changes.changed / changes.verdicts),
        f"{changes.swapped}+{changes.undecided}/{changes.pairs}",
        plain(one.judgeable) if one.judgeable <= one.most_nats else "none",
    ]
