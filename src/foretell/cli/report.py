"""`foretell report`: one page that shows a score, or what a whole ledger comes to, and opens offline."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from foretell import attempts
from foretell.base.canonical import read_json
from foretell.base.errors import InputError
from foretell.cli.console import out
from foretell.ledger import Ledger
from foretell.reports import LedgerView, write_ledger_page, write_report
from foretell.verifier.decisions import decision_record
from foretell.verifier.ladders import ladder_now
from foretell.verifier.layout import LOG
from foretell.verifier.ledger_record import ledger_record

EXAMPLES = (
    "Example: foretell report run/ -o report.html   |   foretell report ledger/ --timeline watch.json -o ledger.html"
)
_WATCH = "foretell.watch-record/1"


def command(
    source: Annotated[
        Path, typer.Argument(metavar="RUN|LEDGER", help="Run folder of `foretell score --out`, or a ledger's folder.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The page.")] = Path("report.html"),
    timelines: Annotated[
        list[Path] | None,
        typer.Option(
            "--timeline", help="With a ledger: what `foretell watch … --status --json` wrote; may be repeated."
        ),
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="With a ledger: the folder of benchmark results that its ladder reads.")
    ] = None,
) -> None:
    """Write a self-contained page: of a run, its verdict, references and prompts; of a ledger, what rests on what.

    Of a ledger: the ladder, policy decisions, checkpoints over time, every verdict with whether it stands, who helped.
    """
    if (source / LOG).is_dir():
        write_ledger_page(_view(source, timelines or [], results), output)
    else:
        _require_none(timelines, results)
        write_report(source, output)
    out.print(f"{output}: {output.stat().st_size / 1e6:.2g} MB", markup=False)


def _view(root: Path, timelines: list[Path], results: Path | None) -> LedgerView:
    record, now = attempts.status(root), datetime.now(UTC)
    return LedgerView(
        ledger_record(Ledger(root / LOG), record),
        ladder=ladder_now(record, now, results=results).record() if record.notices["ladder"] else None,
        decisions=[decision_record(record, entry, now) for entry in record.notices["decision"]],
        timelines=[_watch_record(path) for path in timelines],
    )


def _watch_record(path: Path) -> dict[str, Any]:
    try:
        record = read_json(path.read_bytes())
        schema = record["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        record, schema = {}, f"{type(error).__name__}: {error}"
    if schema != _WATCH:
        raise InputError(
            "no timeline",
            where=str(path),
            got=str(schema),
            expected=f"a record of schema {_WATCH}",
            fix="Write one with `foretell watch … --status --json FILE`.",
        )
    return dict(record)


def _require_none(timelines: list[Path] | None, results: Path | None) -> None:
    if timelines or results is not None:
        raise InputError(
            "a timeline without a ledger",
            where="foretell report",
            got="--timeline or --results with a run folder",
            expected="a ledger's folder",
            fix="Give the ledger, or leave the option out.",
        )
