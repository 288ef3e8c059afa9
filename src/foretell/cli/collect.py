"""`foretell collect`: ask a target for its next-token distributions on a suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell import evaluation
from foretell.cli.console import emit_json, out, progress_bars, say
from foretell.suites import load_suite
from foretell.targets.specs import KINDS, OpenOptions, open_target

EXAMPLES = (
    "Example: foretell collect --target tiny --suite foretell-300 --out truth/   |   "
    "foretell collect --target endpoint:http://127.0.0.1:8080#m --tokenizer truth/ --suite mine.jsonl --out served/"
)
TARGET_HELP = "What is asked: " + "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items()) + "."
SUITE_HELP = "A built-in suite (foretell-300), a .jsonl or .parquet file, a folder of texts or a dataset folder."

TargetOption = Annotated[str, typer.Option("--target", help=TARGET_HELP)]
SuiteOption = Annotated[str, typer.Option("--suite", help=SUITE_HELP)]
TokenizerOption = Annotated[
    Path | None, typer.Option(help="tokenizer.json, or a folder that has one (endpoints need it).")
]
TopOption = Annotated[int, typer.Option(help="Tokens that an endpoint lists at each position.", min=1)]


def command(
    target: TargetOption,
    suite: SuiteOption,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the truth; a stopped run goes on in it.")],
    kind: Annotated[str, typer.Option(help="auto, dense, factored or topk.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32 or float16, of dense log-probabilities.")] = "float32",
    tokenizer: TokenizerOption = None,
    top: TopOption = 20,
    json_to: Annotated[str | None, typer.Option("--json", help="Write the manifest as JSON to a file, or - .")] = None,
) -> None:
    """Collect a truth: a target's next-token distributions on a suite, with its identity and its noise floor."""
    opened = open_target(target, OpenOptions(tokenizer, top, say))
    with progress_bars() as progress:
        truth = evaluation.collect(opened, load_suite(suite), out_folder, kind=kind, dtype=dtype, progress=progress)
    if json_to:
        emit_json(truth.manifest, json_to)
        return
    noise = truth.manifest["noise_floor"]
    out.print(
        f"{out_folder}: {len(truth)} positions of {len(truth.prompts)} prompts, {truth.kind}, "
        f"noise floor {noise['kl_nats']:.1e} nats ({noise['method']})",
        markup=False,
    )
