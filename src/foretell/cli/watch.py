"""`foretell watch`: a training run whose checkpoints are forecast before they are there, and judged as they come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from foretell.base.errors import InputError
from foretell.cli.console import emit_json, nats, out, progress_bars, say
from foretell.cli.score import EXIT_CODES
from foretell.ledger import PublicKey, SecretKey
from foretell.watching import WAITING, Patience, Plan, follow, open_watch, watch_record
from foretell.watching.standing import UNFORECAST

EXAMPLES = (
    "Example: foretell watch runs/a --plan watch.toml --ledger ledger/ --evaluator-key keys/evaluator.key "
    "--team-key keys/team.key   |   … --once (in a job script, before each piece of training)   |   … --status"
)
_WAITING_CODE = EXIT_CODES["inconclusive"]


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Where the training saves checkpoint-N or step-N.")],
    plan: Annotated[Path, typer.Option(help="The plan, a TOML file; docs/watching.md explains it.")],
    ledger: Annotated[Path, typer.Option(help="The ledger's folder; a new one is made where there is none.")],
    evaluator_key: Annotated[Path, typer.Option(help="The evaluator's secret key, NAME.key.")],
    team_key: Annotated[
        Path | None, typer.Option(help="The team's secret key, where the plan names forecasters.")
    ] = None,
    team: Annotated[Path | None, typer.Option(help="Or its public key, NAME.pub; the team commits by itself.")] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Do what can be done now; 0 means that training may go on.")
    ] = False,
    poll: Annotated[float, typer.Option(help="Seconds between two looks at the folder.", min=0.01)] = 5.0,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds to wait for each checkpoint; for ever if left out.")
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Only say where things stand; nothing is signed.")] = False,
    json_to: Annotated[
        str | None, typer.Option("--json", help="Write the timeline as JSON to a file, or - ; scores references.")
    ] = None,
) -> None:
    """Watch a training: seal and forecast each checkpoint before it is there, judge it when it is, stop on no pass.

    Ends with 0 where all scheduled checkpoints passed, 10 on a fail, 11 on an inconclusive one or when the waiting is
    over, 12 on an inadmissible one or one that nobody had forecast.
    """
    keys = SecretKey.read(evaluator_key), _team(team_key, team)
    with progress_bars() as progress:
        watch = open_watch(Plan.read(plan), run, ledger, evaluator=keys[0], team=keys[1], progress=progress)
        code = 0
        if not status:
            end = follow(watch, Patience(poll, timeout, once), say if json_to == "-" else _print)
            code = _code(end.decision, once and end.may_train)
            if json_to != "-":
                _print(f"{watch.plan.run}: {end.decision}: {end.words}")
        record = watch_record(watch, references=bool(json_to)) if status or json_to else {}
    if json_to:
        emit_json(record, json_to)
    if status and json_to != "-":
        out.print(_table(record))
    raise typer.Exit(code)


def _team(secret: Path | None, public: Path | None) -> SecretKey | PublicKey:
    if (secret is None) == (public is None):
        raise InputError(
            "no team, or two",
            where="--team-key, --team",
            got="both" if secret else "neither",
            expected="one of them",
            fix="Give --team-key where this machine forecasts, and --team where the team commits by itself.",
        )
    if secret is not None:
        return SecretKey.read(secret)
    assert public is not None
    return PublicKey.read(public)


def _code(decision: str, may_train: bool) -> int:
    if decision == WAITING:
        return 0 if may_train else _WAITING_CODE
    return EXIT_CODES["inadmissible" if decision == UNFORECAST else decision]


def _print(line: str) -> None:
    out.print(line, markup=False, soft_wrap=True)


def _table(record: dict[str, Any]) -> Table:
    """The timeline for people."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"{record['run']}: {record['decision']}")
    table.title_justify = "left"
    for name, justify in (("step", "right"), ("tolerance", "right"), ("state", "left"), ("forecaster", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for name in ("mean", "bounds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for one in record["checkpoints"]:
        loss = one["loss"]
        table.add_row(
            str(one["step"]),
            f"{one['tolerance']:g}",
            one["state"],
            one["forecaster"] or "–",
            nats(loss["mean"]) if loss else "–",
            f"{loss['lo']:.3f}…{loss['hi']:.3f}" if loss else "–",
            one["decision"] or "–",
        )
    return table
