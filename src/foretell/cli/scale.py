"""`foretell scale`: one ladder from uniform to the noise floor, with skill over what any reader of text would know."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from foretell import scale
from foretell.base.errors import InputError
from foretell.base.files import write_text_atomically
from foretell.base.progress import Progress
from foretell.cli.collect import SuiteOption, TargetOption, TokenizerOption, TopOption
from foretell.cli.console import emit_json, nats, out, progress_bars, say
from foretell.cli.score import CapOption, FloorOption, LevelOption
from foretell.distributions import Distributions, Vocabulary
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.panel import default_corpora, own_rungs, text_references
from foretell.forecasters.saved_answers import SavedAnswers
from foretell.forecasters.specs import open_forecaster
from foretell.forecasters.surrogate import SurrogateForecaster
from foretell.organisms.recipes import FromScratch, load_recipe
from foretell.organisms.training import cached_folder_of
from foretell.reports import write_report
from foretell.reports.beyond_text import ladder_file
from foretell.scoring import ScoreSettings
from foretell.suites import load_suite
from foretell.targets.specs import OpenOptions, open_target
from foretell.targets.tiny import is_tiny, step_of
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.scale_record import REFERENCE, SCALE, label, sentences

EXAMPLES = (
    "Example: foretell scale --target tiny --suite foretell-300 --tolerance 0.75 --out scale/   |   "
    "foretell scale --target hf:large --suite fresh.jsonl --practice earlier.jsonl --corpus texts/ "
    "--rung model:hf:small --forecast mine/ --forecast mine-on-practice/"
)
REPORT, PLOT = "report.html", "scale.svg"
#: Organisms that stand beside a checkpoint of the shipped target: half its size, another seed.
_NEIGHBOURS = ("sibling", "twin")


def command(
    target: TargetOption,
    suite: SuiteOption,
    practice: Annotated[
        str | None, typer.Option(help="Other prompts, to fit the pool on; by default half of the suite's documents.")
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(help="Text for the references: stdlib, tiny, a file, a folder or a table; may be repeated."),
    ] = None,
    rung: Annotated[
        list[str] | None, typer.Option(help="One more forecaster to place, such as model:TARGET; may be repeated.")
    ] = None,
    forecast: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of `foretell forecast`; may be repeated, also for one forecast's practice answers."),
    ] = None,
    own: Annotated[
        bool, typer.Option("--own/--no-own", help="Place the target's own checkpoints and int8 copy too.")
    ] = True,
    tolerance: Annotated[float | None, typer.Option(help="Nats of mean KL divergence to place among them.")] = None,
    floor: FloorOption = 1e-6,
    cap: CapOption = None,
    level: LevelOption = 0.95,
    tokenizer: TokenizerOption = None,
    top: TopOption = 20,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for everything; a stopped run goes on in it.")
    ] = None,
    json_to: Annotated[str | None, typer.Option("--json", help="Write scale.json to a file, or - .")] = None,
) -> None:
    """Place a tolerance and any forecast between uniform and the truth's noise, beside the best text-only pool."""
    opened = open_target(target, OpenOptions(tokenizer, top, say))
    corpora = list(corpus or default_corpora(target))
    made, missing = own_rungs(target) if own else ([], ["the target's own checkpoints and copies (--no-own)"])
    near = neighbours(target) if own else {}
    specs = [*made, *(rung or [])]
    asked = {
        "target": target,
        "suite": suite,
        "practice": practice,
        "corpus": corpora,
        "rung": list(rung or []),
        "forecast": [str(folder) for folder in forecast or []],
        "no-own": None if own else True,
        "tolerance": tolerance,
        "floor": floor,
        "cap": cap,
        "level": level,
    }
    with tempfile.TemporaryDirectory(prefix="foretell-") as temporary, progress_bars() as progress:
        folder = out_folder or Path(temporary)
        scene = scale.set_scene(
            opened, load_suite(suite), load_suite(practice) if practice else None, folder, progress=progress
        )
        vocabulary = scene.judged.vocabulary
        given = together(forecast or [], vocabulary)
        result = scale.place(
            scene,
            text_references(corpora, vocabulary, partial(progress, "reading the corpus")),
            [
                *(partial(_neighbour, kind, where, vocabulary) for kind, where in near.items()),
                *(partial(_opened, spec, vocabulary, tokenizer, progress) for spec in specs),
            ],
            given,
            settings=ScoreSettings(floor),
            judging=JudgeSettings(tolerance, level, cap),
            asked=asked,
            notes=_notes([one for one in missing if one.removeprefix("a ") not in near]),
        )
        if out_folder:
            progress("writing the report", 0, 1)
            write_text_atomically(folder / PLOT, ladder_file(result))
            emit_json(result, str(folder / SCALE))
            write_report(folder / "run", folder / REPORT)
            progress("writing the report", 1, 1)
    if json_to:
        emit_json(result, json_to)
    if json_to != "-":
        print_scale(result)
        if out_folder:
            out.print(f"Plot: {out_folder / PLOT}   Report: {out_folder / REPORT}", markup=False)


def neighbours(target: str) -> dict[str, Path]:
    """Organisms of the user's cache that were trained up to the step of a shipped checkpoint: folders by kind."""
    found = {}
    for kind in _NEIGHBOURS if is_tiny(target) else ():
        recipe = load_recipe(kind)
        folder = cached_folder_of(recipe)
        if isinstance(recipe, FromScratch) and recipe.stop_after == step_of(target) and folder is not None:
            found[kind] = folder
    return found


def _notes(missing: Sequence[str]) -> list[str]:
    return [f"{', '.join(missing)}; --rung model:TARGET places one"] if missing else []


def _neighbour(kind: str, folder: Path, vocabulary: Vocabulary) -> Forecaster:
    return SurrogateForecaster(f"model:{kind}", open_target(f"hf:{folder}", OpenOptions(say=say)), vocabulary)


def _opened(spec: str, vocabulary: Vocabulary, tokenizer: Path | None, progress: Progress) -> Forecaster:
    return open_forecaster(
        spec,
        vocabulary,
        open_target=lambda other: open_target(other, OpenOptions(spare_tokenizer=tokenizer, say=say)),
        progress=partial(progress, "reading the corpus"),
    )


def together(folders: Sequence[Path], vocabulary: Vocabulary) -> list[SavedAnswers]:
    """Folders as forecasts: those of one forecaster, on practice and on judged prompts, are one.

    Raises:
        InputError: a folder twice, or see `SavedAnswers`.
    """
    by_name: dict[str, list[Path]] = {}
    for folder in folders:
        named = by_name.setdefault(Distributions(folder).name, [])
        if folder.resolve() in [other.resolve() for other in named]:
            raise InputError(
                "a folder twice",
                where="--forecast",
                got=str(folder),
                expected="each folder once",
                fix="Leave one out.",
            )
        named.append(folder)
    return [SavedAnswers(parts, vocabulary) for parts in by_name.values()]


def print_scale(result: dict[str, Any]) -> None:
    """The ladder for people: from uniform down to the noise floor."""
    truth, settings = result["truth"], result["settings"]
    out.print(
        f"{truth['name']} on {truth['suite']['name']}: {truth['prompts']} prompts, {truth['positions']} positions; "
        f"KL divergence in nats, {settings['level']:.0%} bounds",
        markup=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rung", overflow="fold", min_width=24)
    table.add_column("", no_wrap=True)
    for column in ("mean", "bounds", "skill", "bounds", "gain", "bounds", "DM"):
        table.add_column(column, justify="right", no_wrap=True)
    limit, place = settings["tolerance"], result["tolerance"]
    shown = limit is None
    for rung in result["rungs"]:
        if not shown and place["missed_by"] is None:
            shown = _line(table, limit)
        table.add_row(*_row(rung))
        if not shown and label(rung) == place["missed_by"]:
            shown = _line(table, limit)
    noise = result["noise_floor"]
    table.add_row("noise floor", "", f"{noise['kl_nats']:.1e}", *[""] * 6)
    out.print(table)
    out.print(
        "skill: 1 − mean ÷ mean of the pool. gain: nats that the pool loses less when the forecast joins it. "
        "DM: Diebold–Mariano statistic of that gain, approximate.",
        markup=False,
    )
    for line in sentences(result):
        out.print(line, markup=False)


def _line(table: Table, tolerance: float) -> bool:
    table.add_row("── tolerance ──", "", f"{tolerance:.3f}", *[""] * 6)
    return True


def _row(rung: dict[str, Any]) -> list[str]:
    skill, encompassing = rung.get("skill"), rung.get("encompassing") or {}
    test = encompassing.get("diebold_mariano") or {}
    weight = rung.get("weight_in_pool")
    kind = f"in the pool: {weight:.2f}" if weight else "reference" if rung["kind"] == REFERENCE else ""
    numbers = [*_pair(rung["kl_nats"]), *_pair(skill), *_pair(encompassing.get("gain_nats"))]
    return [label(rung), kind, *numbers, nats(test.get("statistic"), 1) if "statistic" in test else ""]


def _pair(record: dict[str, Any] | None) -> list[str]:
    """Mean and bounds; blank where nothing was asked, a dash where there is no number."""
    if record is None:
        return ["", ""]
    return ["–", "–"] if "unscored" in record else [nats(record["mean"]), f"{record['lo']:.3f}…{record['hi']:.3f}"]
