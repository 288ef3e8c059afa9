"""`foretell study list|run`: the questions that the debate asks, each answered by one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from foretell.cli.console import emit_json, out, progress_bars, say
from foretell.studies import STUDIES
from foretell.studies.page import page_record, write_list, write_page
from foretell.studies.study import CLAIMS, find_study
from foretell.studies.workshop import Workshop

app = typer.Typer(
    help="What a low score means, measured: each study is a question, one command, and a page.", no_args_is_help=True
)
PAGES, WORK, QUICK = Path("docs/studies"), Path("build/studies"), "quick"
_JSON_HELP = "Write it as JSON to a file, or - ."


@app.command("list", epilog="Example: foretell study list")
def list_studies(json_to: Annotated[str | None, typer.Option("--json", help=_JSON_HELP)] = None) -> None:
    """The studies with their questions, and the claims that each is about."""
    if json_to:
        studies = [
            {"number": s.number, "name": s.name, "question": s.question, "claims": s.claims, "minutes": s.minutes}
            for s in STUDIES.values()
        ]
        emit_json({"studies": studies, "claims": CLAIMS}, json_to)
    if json_to == "-":
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "name", "question", "about", "minutes"):
        table.add_column(column, overflow="fold", justify="right" if column in ("", "minutes") else "left")
    for study in STUDIES.values():
        table.add_row(str(study.number), study.name, study.question, ", ".join(study.claims), str(study.minutes))
    out.print(table)


@app.command("run", epilog="Example: foretell study run knee   |   foretell study run knee --quick")
def run(
    name: Annotated[str, typer.Argument(help="A name of `foretell study list`.")],
    pages: Annotated[
        Path | None,
        typer.Option("--out", help=f"Folder of the page; {PAGES}, for a quick run {QUICK} in the work folder."),
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder for truths and forecasts; a stopped run goes on in it.")] = WORK,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small samples: shows in seconds that the path works; decides nothing.")
    ] = False,
    json_to: Annotated[str | None, typer.Option("--json", help=_JSON_HELP)] = None,
) -> None:
    """Answer a study's question and write its page, figure and numbers."""
    study = find_study(STUDIES, name)
    folder = pages or (work / QUICK if quick else PAGES)
    with progress_bars() as progress:
        workshop = Workshop(work / (f"{study.page}-{QUICK}" if quick else study.page), quick=quick, progress=progress)
        workshop.say = say
        findings = study.run(workshop)
        page = write_page(study, findings, workshop, folder)
        write_list(folder)
    if json_to:
        emit_json(page_record(study, findings, workshop), json_to)
    if json_to != "-":
        if quick:
            out.print("A quick run: it decides nothing.", style="bold")
        for line in findings.answer:
            out.print(line, markup=False)
        out.print(f"Page: {page}", markup=False)
