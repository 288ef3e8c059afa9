"""`foretell forecast`: let a forecaster predict a suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell import evaluation
from foretell.base.files import MANIFEST
from foretell.cli.collect import SuiteOption
from foretell.cli.console import emit_json, out, progress_bars, say
from foretell.distributions import Distributions, Vocabulary
from foretell.distributions.folder import read_vocabulary
from foretell.forecasters.specs import KNOWN, open_forecaster
from foretell.suites import load_suite
from foretell.suites.split import require_disjoint
from foretell.targets.collection import tokenize
from foretell.targets.specs import OpenOptions, open_target

EXAMPLES = (
    "Example: foretell forecast --with ngram:5:stdlib --suite foretell-300 --like truth/ --out forecast/   |   "
    "foretell forecast --with python:mine.py:predict --suite foretell-300 --like truth/ --out mine/"
)
WITH_HELP = (
    "The forecaster: " + ", ".join(KNOWN) + ". CORPUS is stdlib (this Python's own source), tiny (counts of the text "
    "that tiny was trained on), a file, a folder, or a table built by `foretell table`."
)


def command(
    with_: Annotated[str, typer.Option("--with", help=WITH_HELP)],
    suite: SuiteOption,
    like: Annotated[
        Path, typer.Option(help="Whose vocabulary: a truth (only its tokenizer is read) or a tokenizer.json.")
    ],
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the forecast.")],
    dtype: Annotated[str, typer.Option(help="float32 or float16, of dense log-probabilities.")] = "float32",
    practice: Annotated[Path | None, typer.Option(help="A truth on other prompts, to fit a pool's weights.")] = None,
    renormalise: Annotated[bool, typer.Option(help="Divide rows by their sum; recorded in the forecast.")] = False,
    json_to: Annotated[str | None, typer.Option("--json", help="Write the manifest as JSON to a file, or - .")] = None,
) -> None:
    """Make a forecast: a forecaster's next-token distributions on a suite. It sees the prompts, never a truth."""
    vocabulary = read_vocabulary(like) if (like / MANIFEST).is_file() else Vocabulary.load(like)
    asked = load_suite(suite)
    prompts = tokenize(asked, vocabulary.encode, None)
    practised = Distributions(practice) if practice else None
    if practised:
        require_disjoint(practised.prompts, prompts)
    with progress_bars() as progress:
        forecaster = open_forecaster(
            with_,
            vocabulary,
            open_target=lambda spec: open_target(spec, OpenOptions(spare_tokenizer=like, say=say)),
            practice=practised,
            renormalise=renormalise,
            progress=lambda done, total: progress("reading the corpus", done, total),
        )
        made = evaluation.make_forecast(
            forecaster,
            prompts,
            vocabulary,
            out_folder,
            suite={"name": asked.name, "digest": asked.digest},
            dtype=dtype,
            progress=progress,
        )
    if json_to:
        emit_json(made.manifest, json_to)
        return
    out.print(f"{out_folder}: {len(made)} positions of {len(made.prompts)} prompts by {made.name}", markup=False)
