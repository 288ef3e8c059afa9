"""`foretell diff`: how far one model is from another on a suite."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from foretell import evaluation
from foretell.cli.collect import SUITE_HELP, TokenizerOption, TopOption
from foretell.cli.console import emit_json, progress_bars, say
from foretell.cli.score import CapOption, FloorOption, LevelOption, ToleranceOption, print_score
from foretell.distributions import Distributions
from foretell.scoring import ScoreSettings
from foretell.suites import load_suite
from foretell.targets.specs import OpenOptions, open_target
from foretell.verdicts.judging import JudgeSettings

EXAMPLES = "Example: foretell diff tiny tiny@1536   |   foretell diff smollm2 hf:my-fine-tune --suite mine.jsonl"


def command(
    target_a: Annotated[str, typer.Argument(help="The model that counts as the truth (a spec, see `collect`).")],
    target_b: Annotated[str, typer.Argument(help="The model whose distance is measured: KL(a‖b).")],
    suite: Annotated[str, typer.Option(help=SUITE_HELP)] = "foretell-300",
    tolerance: ToleranceOption = None,
    floor: FloorOption = 1e-6,
    cap: CapOption = None,
    level: LevelOption = 0.95,
    tokenizer: TokenizerOption = None,
    top: TopOption = 20,
    out_folder: Annotated[Path | None, typer.Option("--out", help="Keep truths and run here, for `report`.")] = None,
    json_to: Annotated[str | None, typer.Option("--json", help="Write score.json to a file, or - .")] = None,
) -> None:
    """Measure how far model B is from model A on a suite: a quantised copy, a fine-tune, another engine."""
    asked = load_suite(suite)
    with tempfile.TemporaryDirectory(prefix="foretell-") as temporary, progress_bars() as progress:
        folder = out_folder or Path(temporary)
        sides = []
        for name, spec in (("a", target_a), ("b", target_b)):
            opened = open_target(spec, OpenOptions(tokenizer, top, say))
            sides.append(evaluation.collect(opened, asked, folder / name, progress=progress))
        result = evaluation.score(
            sides[0],
            [Distributions(sides[1].folder)],
            folder / "run",
            settings=ScoreSettings(floor),
            judging=JudgeSettings(tolerance, level, cap),
            progress=progress,
        )
    if json_to:
        emit_json(result, json_to)
    if json_to != "-":
        print_score(result)
