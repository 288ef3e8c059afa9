"""`foretell suite make|show|draw`: what is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from foretell.base.errors import SuiteError
from foretell.cli.console import emit_json, out
from foretell.suites import ReadOptions, Scored, Suite, draw, load_suite, save_suite

app = typer.Typer(
    help="Prompts: make a suite from texts, show it, draw a fresh sample of a pool.", no_args_is_help=True
)
_JSON_HELP = "Write a summary as JSON to a file, or - ."
OutOption = Annotated[Path, typer.Option("--out", help="The suite, .jsonl or .parquet.")]
JsonOption = Annotated[str | None, typer.Option("--json", help=_JSON_HELP)]


@app.command("make", epilog="Example: foretell suite make texts/ --length 300 --per-document 5 --out pool.jsonl")
def make(
    source: Annotated[str, typer.Argument(help="JSONL, Parquet, a folder of texts, or a dataset folder.")],
    out_file: OutOption,
    text_column: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    slice_column: Annotated[str, typer.Option(help="Column of the slice.")] = "slice",
    scored: Annotated[str, typer.Option(help="last, all, or positions such as -4,-3,-2,-1.")] = "last",
    length: Annotated[int, typer.Option(help="Characters of a passage at most (folders of texts).", min=40)] = 400,
    per_document: Annotated[int, typer.Option(help="Passages of one text at most; 0 means all.", min=0)] = 0,
    json_to: JsonOption = None,
) -> None:
    """Turn texts into a suite. A text is cut between paragraphs, sentences or words; its file is the document."""
    options = ReadOptions(text_column, slice_column, parse_scored(scored), length, per_document)
    made = load_suite(source, options)
    save_suite(made, out_file)
    _summarise(made, json_to, f"{out_file}: ")


@app.command("show", epilog="Example: foretell suite show foretell-300 --prompts 3")
def show(
    suite: Annotated[str, typer.Argument(help="A built-in suite, a file or a folder.")],
    prompts: Annotated[int, typer.Option(help="Print so many prompts of each slice.", min=0)] = 0,
    json_to: JsonOption = None,
) -> None:
    """Show a suite: slices, counts, lengths, digest, and prompts."""
    asked = load_suite(suite)
    _summarise(asked, json_to)
    if json_to == "-":
        return
    for name in asked.slices if prompts else ():
        for prompt in [p for p in asked if p.slice == name][:prompts]:
            out.rule(f"{prompt.id}", align="left", style="dim")
            out.print(prompt.text, markup=False)


@app.command(
    "draw", epilog="Example: foretell suite draw pool.jsonl -n 200 --seed 7 --exclude earlier.jsonl --out fresh.jsonl"
)
def draw_command(
    pool: Annotated[str, typer.Argument(help="The suite to draw from.")],
    count: Annotated[int, typer.Option("-n", help="Prompts in all (or in each slice with --per-slice).", min=1)],
    seed: Annotated[int, typer.Option(help="The same seed gives the same draw.")],
    out_file: OutOption,
    exclude: Annotated[list[str] | None, typer.Option(help="A suite whose prompts must not come again.")] = None,
    per_slice: Annotated[bool, typer.Option(help="The same number from every slice.")] = False,
    json_to: JsonOption = None,
) -> None:
    """Draw a fresh stratified sample: each slice in proportion, none of the prompts of earlier suites."""
    earlier = [load_suite(source) for source in exclude or []]
    drawn = draw(load_suite(pool), count, seed, exclude=earlier, per_slice=per_slice)
    save_suite(drawn, out_file)
    _summarise(drawn, json_to, f"{out_file}: ")


def parse_scored(text: str) -> Scored:
    """'last', 'all' or a list of positions.

    >>> parse_scored("-2,-1")
    (-2, -1)
    """
    if text == "last":
        return "last"
    if text == "all":
        return "all"
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SuiteError(
            "bad scored positions",
            where="--scored",
            got=repr(text),
            expected="last, all, or numbers with commas",
            fix="Write for example --scored=-4,-3,-2,-1.",
        ) from error


def _summarise(suite: Suite, json_to: str | None, prefix: str = "") -> None:
    documents = len({prompt.cluster for prompt in suite})
    if json_to:
        facts = {"name": suite.name, "digest": suite.digest, "prompts": len(suite), "documents": documents}
        emit_json(facts | {"slices": suite.slices}, json_to)
    if json_to == "-":
        return
    out.print(f"{prefix}{len(suite)} prompts of {documents} documents, {suite.digest}", markup=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("slice", "prompts", "characters, mean", "weight"):
        table.add_column(column, justify="left" if column == "slice" else "right")
    for name, count in suite.slices.items():
        chosen = [prompt for prompt in suite if prompt.slice == name]
        characters = sum(len(prompt.text) for prompt in chosen) / count
        table.add_row(name, str(count), f"{characters:.0f}", f"{sum(prompt.weight for prompt in chosen):g}")
    out.print(table)
