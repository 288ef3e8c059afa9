"""`foretell plan`: how many prompts a charter needs, and what its tolerance means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from foretell.base.errors import InputError
from foretell.cli.console import emit_json, out, progress_bars
from foretell.cli.score import CapOption
from foretell.scoring.losses import LOSSES, LossMetric, loss_metric
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.plan import SCHEMA, Plan, make_plan
from foretell.verdicts.reference_scale import ReferenceScale
from foretell.verdicts.run_folder import SCORE, read_losses, read_score
from foretell.verdicts.simulation import Aim

EXAMPLES = "Example: foretell plan --run run/ --tolerance 0.75 --power 0.9"


def command(
    run: Annotated[Path, typer.Option(help="A practice run: the folder of `foretell score --out`, or its score.json.")],
    tolerance: Annotated[float, typer.Option(help="Mean loss, in the metric's unit, that is good enough.")],
    forecast: Annotated[
        str | None, typer.Option(help="Whose losses; by default the best forecast that is no reference.")
    ] = None,
    judge_slice: Annotated[
        list[str] | None, typer.Option(help="SLICE or SLICE=X: must meet the tolerance (or X) too; may be repeated.")
    ] = None,
    power: Annotated[float, typer.Option(help="Wanted chance of the verdict that the forecaster deserves.")] = 0.8,
    level: Annotated[float, typer.Option(help="Two-sided confidence of the bounds that will judge.")] = 0.95,
    metric: Annotated[
        str | None, typer.Option(help="The loss: " + ", ".join(LOSSES) + "; the run's by default.")
    ] = None,
    cap: CapOption = None,
    json_to: Annotated[str | None, typer.Option("--json", help="Write the plan as JSON to a file, or - .")] = None,
) -> None:
    """From a practice run, the number of prompts that decides with a chosen power; and what a tolerance means."""
    folder = run.parent if run.name == SCORE else run
    score = read_score(folder)
    loss = loss_metric(metric or score["settings"]["metric"])
    limit = JudgeSettings(metric=loss.name, cap=cap).cap_for(score["truth"]["vocabulary"])
    chosen = _chosen(score, forecast, str(folder))
    losses = {entry["name"]: read_losses(folder, entry["name"], loss.name, limit) for entry in score["forecasts"]}
    aim = Aim(tolerance, _slices(judge_slice, tolerance), level, power)
    noise = float(score["truth"]["noise_floor"]["kl_nats"])
    references = [entry["name"] for entry in score["forecasts"] if entry["reference"]]
    scale = ReferenceScale.of(loss, tolerance, losses, noise, references)
    with progress_bars() as progress:
        plan = make_plan(losses[chosen], aim, progress=progress)
    practice = {
        "forecast": chosen,
        "prompts": len(losses[chosen].prompts),
        "documents": len(set(losses[chosen].clusters)),
    }
    if json_to:
        emit_json(_record(plan, aim, loss, limit, practice) | {"scale": scale.record()}, json_to)
    if json_to != "-":
        _print(plan, aim, loss, practice, scale)


def _chosen(score: dict[str, Any], forecast: str | None, where: str) -> str:
    names = [entry["name"] for entry in score["forecasts"]]
    if forecast is None:
        own = [entry["name"] for entry in score["forecasts"] if not entry["reference"]]
        return str((own or names)[0])
    if forecast not in names:
        raise InputError(
            "no such forecast",
            where=where,
            got=repr(forecast),
            expected="one of " + ", ".join(map(repr, names)),
            fix="Name a forecast of the practice run.",
        )
    return forecast


def _slices(given: list[str] | None, tolerance: float) -> dict[str, float]:
    found = {}
    for one in given or []:
        name, equals, number = one.rpartition("=")
        try:
            found[name if equals else one] = float(number) if equals else tolerance
        except ValueError as error:
            raise InputError(
                "not a tolerance",
                where="--judge-slice",
                got=repr(one),
                expected="SLICE or SLICE=NUMBER",
                fix="Write for example --judge-slice code=0.5.",
            ) from error
    return found


def _record(plan: Plan, aim: Aim, loss: LossMetric, cap: float, practice: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "practice": practice,
        "aim": {
            "metric": loss.name,
            "unit": loss.unit,
            "tolerance": aim.tolerance,
            "slice_tolerances": aim.slices,
            "cap": cap,
            "level": aim.level,
            "power": aim.power,
        },
        "plan": plan.record(),
    }


def _print(plan: Plan, aim: Aim, loss: LossMetric, practice: dict[str, Any], scale: ReferenceScale) -> None:
    for line in [*_sentences(plan, aim, practice), *scale.sentences()]:
        out.print(line, markup=False)
    if len(plan.alone) > 1:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("judged", f"tolerance, {loss.unit}", "prompts in all that it alone needs"):
            table.add_column(column, justify="left" if column == "judged" else "right")
        for name, alone in plan.alone.items():
            limit = aim.slices.get(name, aim.tolerance)
            table.add_row(name, f"{limit:g}", "–" if alone is None else f"{alone:,}")
        out.print(table)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("forecast of the practice run", overflow="fold")
    table.add_column("")
    table.add_column(f"mean loss, {loss.unit}", justify="right")
    for name, mean in scale.means.items():
        table.add_row(name, "reference" if name in scale.references else "", f"{mean:.3f}")
    out.print(table)


def _sentences(plan: Plan, aim: Aim, practice: dict[str, Any]) -> list[str]:
    who = f"a forecaster like {practice['forecast']} in {practice['prompts']} prompts of practice"
    if plan.deserved is None:
        return [
            f"The truth lists its likeliest tokens only, so {who} may deserve either verdict, however many prompts."
        ]
    if plan.prompts is None or plan.simulated is None or plan.likely is None:
        return [f"No number of prompts that can be planned for gives {who} a {plan.deserved}: it is too close."]
    found = [
        f"{plan.prompts:,} prompts give {who} a {plan.deserved} with a power of {plan.power:.0%} "
        f"({plan.simulated.lo:.1%} to {plan.simulated.hi:.1%} by the simulation's own chance; {aim.power:.0%} wanted).",
        f"How far the practice run itself can be off leaves it between {plan.likely.lo:.0%} and {plan.likely.hi:.0%}; "
        "a longer practice run narrows that.",
    ]
    if len(plan.alone) > 1:
        reason = "asks for the most prompts" if plan.deserved == "pass" else "fails first"
        found.append(f"Of what is judged, {plan.decisive} {reason}.")
    return found
