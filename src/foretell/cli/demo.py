"""`foretell demo`: the whole flow on the shipped target, with every reference, in under a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell import evaluation
from foretell.cli import demo_governance, demo_protocol
from foretell.cli.console import emit_json, out, progress_bars
from foretell.cli.score import print_score
from foretell.forecasters.specs import open_forecaster
from foretell.reports import write_report
from foretell.suites import load_suite
from foretell.targets.specs import open_target
from foretell.verdicts.judging import JudgeSettings

EXAMPLES = (
    "Example: foretell demo --out demo/   |   foretell demo --protocol --out attempt/   |   "
    "foretell demo --governance --out governance/"
)
#: The reference panel: text only, then earlier checkpoints of the target itself.
REFERENCES = (
    "uniform",
    "unigram:tiny",
    "ngram:2:tiny",
    "ngram:3:tiny",
    "ngram:5:tiny",
    "infinigram:stdlib",
    "pool:ngram:2:tiny+ngram:5:tiny+infinigram:stdlib",
    "model:tiny@384",
    "model:tiny@768",
    "model:tiny@1536",
)
_TOLERANCE_NATS = 0.75


def command(
    context: typer.Context,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for truth, forecasts, run and report.")] = Path(
        "foretell-demo"
    ),
    tolerance: Annotated[
        float, typer.Option(help="Nats of mean KL divergence that are good enough.")
    ] = _TOLERANCE_NATS,
    json_to: Annotated[str | None, typer.Option("--json", help="Write score.json to a file, or - .")] = None,
    protocol: Annotated[
        bool, typer.Option("--protocol", help="Play evaluator and team instead: three tracks, published and verified.")
    ] = False,
    governance: Annotated[
        bool, typer.Option("--governance", help="Play helpers, a ladder, a policy and a revocation instead.")
    ] = False,
) -> None:
    """Forecast the shipped target with every reference, rank them, judge the best, and write a report."""
    if protocol:
        demo_protocol.play(context, out_folder)
        return
    if governance:
        demo_governance.play(context, out_folder)
        return
    suite = load_suite("foretell-300")
    with progress_bars() as progress:
        truth = evaluation.collect(open_target("tiny"), suite, out_folder / "truth", progress=progress)
        forecasts = []
        for number, spec in enumerate(REFERENCES):
            forecaster = open_forecaster(
                spec,
                truth.vocabulary,
                open_target=open_target,
                progress=lambda done, total: progress("reading the corpus", done, total),
            )
            forecasts.append(
                evaluation.make_forecast(
                    forecaster,
                    truth.prompts,
                    truth.vocabulary,
                    out_folder / f"forecast-{number:02d}",
                    suite=truth.manifest["suite"],
                    progress=progress,
                )
            )
        judging = JudgeSettings(tolerance=tolerance)
        run = out_folder / "run"
        result = evaluation.score(truth, forecasts, run, judging=judging, progress=progress)
        progress("writing the report", 0, 1)
        write_report(run, out_folder / "report.html")
        progress("writing the report", 1, 1)
    if json_to:
        emit_json(result, json_to)
    if json_to != "-":
        print_score(result)
        out.print(f"Report: {out_folder / 'report.html'}", markup=False)
