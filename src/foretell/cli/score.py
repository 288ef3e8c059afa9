"""`foretell score`: how far off each forecast was, who was closer, and whether a tolerance was met."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from foretell import evaluation
from foretell.cli.console import emit_json, nats, out, progress_bars
from foretell.distributions import Distributions
from foretell.scoring import ScoreSettings
from foretell.scoring.losses import LOSSES, NATS, loss_metric
from foretell.verdicts.claim import Claims
from foretell.verdicts.claims import one_line
from foretell.verdicts.judging import JudgeSettings

EXAMPLES = (
    "Example: foretell score --truth truth/ --forecast a/ --forecast b/ --tolerance 0.5 --out run/   "
    "(exit code 0 if the best forecast passes, 10 if it fails, 11 if that is open)"
)
EXIT_CODES = {"pass": 0, "unjudged": 0, "fail": 10, "inconclusive": 11, "inadmissible": 12}
#: Rows of the table that fit without asking: the paired differences of more forecasts are in the JSON.
_SHOWN_DIFFERENCES = 12
#: Characters that a terminal needs for the whole table.
_ROOM_FOR_MORE = 120

ToleranceOption = Annotated[
    float | None, typer.Option(help="Mean loss, in the metric's unit, that is still good enough.")
]
FloorOption = Annotated[float, typer.Option(help="ε of (1−ε)·forecast + ε·uniform: bounds every loss by log(V/ε).")]
CapOption = Annotated[float | None, typer.Option(help="A prompt's loss above this counts as this.")]
MetricOption = Annotated[str, typer.Option(help="The loss that is judged: " + ", ".join(LOSSES) + ".")]
LevelOption = Annotated[float, typer.Option(help="Two-sided confidence of all bounds.", min=0.5, max=0.9999)]


def command(
    truth: Annotated[Path, typer.Option(help="Folder written by `foretell collect`.")],
    forecast: Annotated[list[Path], typer.Option(help="Folder written by `foretell forecast`; may be repeated.")],
    tolerance: ToleranceOption = None,
    metric: MetricOption = "kl_nats",
    judge_slice: Annotated[
        list[str] | None, typer.Option(help="A slice that must meet the tolerance too; may be repeated; 'all'.")
    ] = None,
    floor: FloorOption = 1e-6,
    cap: CapOption = None,
    level: LevelOption = 0.95,
    top_k: Annotated[int, typer.Option(help="Likeliest tokens graded by topk_logprob_rmse.", min=1)] = 10,
    tail: Annotated[
        Path | None, typer.Option(help="Forecast along which the rest of top-k forecasts is spread.")
    ] = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help="Run folder, for `foretell report`.")] = None,
    json_to: Annotated[str | None, typer.Option("--json", help="Write score.json to a file, or - .")] = None,
) -> None:
    """Score forecasts against a truth: means with bounds, slices, the tail, paired differences, a verdict."""
    opened = Distributions(truth)
    slices = [prompt.slice for prompt in opened.prompts] if judge_slice == ["all"] else judge_slice or []
    with progress_bars() as progress:
        result = evaluation.score(
            opened,
            [Distributions(folder) for folder in forecast],
            out_folder,
            settings=ScoreSettings(floor, top_k),
            judging=JudgeSettings(tolerance, level, cap, dict.fromkeys(slices), metric),
            tail=Distributions(tail) if tail else None,
            progress=progress,
        )
    if json_to:
        emit_json(result, json_to)
    if json_to != "-":
        print_score(result)
    raise typer.Exit(EXIT_CODES[result["forecasts"][0]["verdict"]["decision"]])


def print_score(result: dict[str, Any]) -> None:
    """The score as tables for people."""
    truth, settings = result["truth"], result["settings"]
    tolerance, loss = settings["tolerance"], loss_metric(settings["metric"])
    noise = settings["noise_floor"]
    out.print(
        f"{truth['name']} on {truth['suite']['name']}: {truth['prompts']} prompts, {truth['positions']} positions; "
        f"{loss.title}{' in nats' if loss.unit == NATS else ''}, {settings['level']:.0%} bounds"
        + (f", tolerance {tolerance:g}" if tolerance is not None else "")
        + ("; noise floor unknown" if "unscored" in noise else f"; noise floor {noise['value']:.1e}"),
        markup=False,
    )
    out.print(leaderboard(result))
    for entry in result["forecasts"][:1]:
        verdict = entry["verdict"]
        if verdict["decision"] != "unjudged":
            more = f" About {verdict['prompts_needed']} prompts would decide." if verdict["prompts_needed"] else ""
            reasons = "; ".join(verdict["reasons"])
            out.print(f"Verdict on {entry['name']}: {verdict['decision'].upper()}. {reasons}.{more}", markup=False)
        out.print(one_line(Claims.of_record(entry["claims"])), markup=False)
    capped = sum(entry["capped_prompts"] for entry in result["forecasts"])
    if capped:
        cap = loss.amount(f"{settings['cap']:.2f}")
        out.print(f"{capped} prompt losses above the cap of {cap} count as the cap.")
    if result["differences"]:
        out.print(_differences(result))


def leaderboard(result: dict[str, Any]) -> Table:
    """One row a forecast, best first."""
    judged = result["settings"]["tolerance"] is not None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("forecast", overflow="fold", min_width=24)
    more = out.width >= _ROOM_FOR_MORE
    for column in ["mean", "bounds"] + ["top-1", "TV", "bits/byte", "99%"] * more + ["within"] * judged:
        table.add_column(column, justify="right", no_wrap=True)
    if more:
        table.add_column("worst slice", no_wrap=True)
    if judged:
        longest = max(len(entry["verdict"]["decision"]) for entry in result["forecasts"])
        table.add_column("verdict", no_wrap=True, min_width=longest)
    for entry in result["forecasts"]:
        table.add_row(*_row(entry, more, judged))
    return table


def _row(entry: dict[str, Any], more: bool, judged: bool) -> list[str]:
    loss, metrics, worst = entry["loss"], entry["metrics"], entry["worst_slice"]
    row = [str(entry["rank"]), entry["name"], nats(loss["mean"]), f"{loss['lo']:.3f}…{loss['hi']:.3f}"]
    if more:
        row += [nats(metrics[name], 2) for name in ("top1_agreement", "tv", "kl_bits_per_byte")]
        row.append(nats(entry["tail"]["q99"], 2))
    if judged:
        row.append(f"{entry['within_tolerance']['count']}/{entry['within_tolerance']['of']}")
    if more:
        row.append(f"{worst['slice']} {nats(worst['mean'], 2)}")
    return row + [entry["verdict"]["decision"]] * judged


def _differences(result: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="paired differences (a − b; below 0: a was closer)")
    table.title_justify = "left"
    for column, justify in (("a", "left"), ("b", "left"), ("mean", "right"), ("bounds", "right")):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in result["differences"][:_SHOWN_DIFFERENCES]:
        table.add_row(row["a"], row["b"], nats(row["mean"]), f"{row['lo']:.3f}…{row['hi']:.3f}")
    return table
