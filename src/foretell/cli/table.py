"""`foretell table`: count a corpus's n-grams once, for many forecasts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell.base.files import MANIFEST
from foretell.cli.console import out, progress_bars
from foretell.distributions import Vocabulary
from foretell.distributions.folder import read_vocabulary
from foretell.forecasters.specs import build_table

EXAMPLES = "Example: foretell table texts/ --like truth/ --order 5 --out texts.safetensors"


def command(
    corpus: Annotated[str, typer.Argument(help="stdlib, a text file, .jsonl, .parquet, or a folder of texts.")],
    like: Annotated[Path, typer.Option(help="Whose vocabulary: a truth or a tokenizer.json.")],
    out_file: Annotated[Path, typer.Option("--out", help="The table, a .safetensors file.")],
    order: Annotated[int, typer.Option(help="Longest n-gram counted.", min=1, max=8)] = 5,
) -> None:
    """Build an n-gram table, which then serves as CORPUS of `ngram:N:TABLE`."""
    vocabulary = read_vocabulary(like) if (like / MANIFEST).is_file() else Vocabulary.load(like)
    with progress_bars() as progress:
        build_table(
            corpus, vocabulary, order, out_file, lambda done, total: progress("reading the corpus", done, total)
        )
    out.print(f"{out_file}: {out_file.stat().st_size / 1e6:.1f} MB", markup=False)
