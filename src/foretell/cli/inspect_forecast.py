"""`foretell inspect`: traces of models in a forecast that nobody declared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell import information
from foretell.base.files import MANIFEST
from foretell.base.progress import Progress
from foretell.cli.console import emit_json, out, progress_bars
from foretell.cli.opened_like import forecaster_like
from foretell.distributions import Distributions
from foretell.forecasters.specs import KNOWN, is_reference
from foretell.information import Known

EXAMPLES = (
    "Example: foretell inspect mine/ --truth truth/ --known unigram:tiny --known ngram:2:tiny --known ngram:5:tiny "
    "--known tiny@1536"
)
_FORECASTERS = {spec.partition(":")[0] for spec in KNOWN}


def command(
    forecast: Annotated[Path, typer.Argument(help="Folder written by `foretell forecast`.")],
    known: Annotated[
        list[str] | None,
        typer.Option(
            help="A model to look for (TARGET, or a folder of its answers), or a text-only forecaster, which explains "
            "what any reader of text knows; may be repeated."
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Folder written by `foretell collect`: explains what knowing the target gives.")
    ] = None,
    json_to: Annotated[str | None, typer.Option("--json", help="Write what was found to a file, or - .")] = None,
) -> None:
    """Look for an output layer's rank, and for known models, in a forecast; evidence, never proof; ends with 0."""
    opened = Distributions(forecast)
    with progress_bars() as progress:
        knowns = [_known(spec, opened, progress) for spec in known or []]
        found = information.inspect(opened, knowns, Distributions(truth) if truth else None, progress=progress)
    if json_to:
        emit_json(found.record(), json_to)
    if json_to != "-":
        sampled = found.sampled
        out.print(
            f"{found.forecast}: {sampled['positions']:,} positions of {sampled['prompts']:,} prompts looked at",
            markup=False,
        )
        for line in found.sentences():
            out.print(f"  {line}", markup=False)


def _known(spec: str, forecast: Distributions, progress: Progress) -> Known:
    """A folder of answers, a forecaster's spec, or a target's."""
    if (Path(spec) / MANIFEST).is_file():
        return Known.of_folder(forecast, Distributions(Path(spec)))
    named = spec if spec.partition(":")[0] in _FORECASTERS else f"model:{spec}"
    return Known.of_forecaster(forecaster_like(forecast, named, progress), text_only=is_reference(named))
