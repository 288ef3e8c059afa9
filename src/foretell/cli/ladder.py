"""`foretell ladder init|sign|status|check`: how much training compute is unlocked by the verdicts so far."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from foretell import attempts
from foretell.base.errors import InputError
from foretell.base.files import write_atomically
from foretell.cli.console import emit_json, out
from foretell.cli.protocol import KeyOption, LedgerArgument
from foretell.ledger import PublicKey, SecretKey
from foretell.verdicts.compute import TrainingFlop, training_flop
from foretell.verdicts.ladder import Ladder, template
from foretell.verdicts.ladder_loosened import loosened
from foretell.verdicts.ladder_parts import GIVEN
from foretell.verdicts.ladder_status import Rung
from foretell.verifier.ladders import LadderNow, ladder_now, signed_ladders

app = typer.Typer(
    help="How much training compute is unlocked: the next rung only when the models of the one below were forecast.",
    no_args_is_help=True,
)
#: Exit codes of `check`: not unlocked; and where an unknown benchmark result decides.
_LOCKED, _UNDECIDED = 10, 11
_LIMIT_WIDTH = len("up to 1.23457e+21 FLOP")
_MARKS = {True: "✓", False: "✗", None: "?"}
_WORDS = {True: "unlocked", False: "locked", None: "cannot be said"}
_WORTH = "It rests on forecasts that held on the prompts that were drawn; what a larger model will do, it does not say."
ResultsOption = Annotated[
    Path | None, typer.Option(help="Folder with benchmark results, where the ladder has tables of capability.")
]
EvaluatorOption = Annotated[
    Path | None, typer.Option(help="Public key, NAME.pub, of who must have signed the ladder that holds.")
]
JsonOption = Annotated[str | None, typer.Option("--json", help="Write it as JSON to a file, or - .")]


@app.command("init", epilog="Example: foretell ladder init ladder.toml")
def init(ladder: Annotated[Path, typer.Argument(metavar="LADDER", help="The file to write.")]) -> None:
    """Write a ladder in which every field is explained; change its values before you sign it."""
    if ladder.exists():
        raise InputError(
            "there is a file already",
            where=str(ladder),
            got="a file",
            expected="a new name",
            fix="Choose another name, or remove the file.",
        )
    write_atomically(ladder, lambda temporary: temporary.write_bytes(template()))
    out.print(f"{ladder}: change its values, then: foretell ladder sign", markup=False, soft_wrap=True)


@app.command("sign", epilog="Example: foretell ladder sign ledger/ ladder.toml --key keys/evaluator.key")
def sign(
    ledger: LedgerArgument,
    ladder: Annotated[Path, typer.Argument(metavar="LADDER", help="The ladder, a TOML file.")],
    key: KeyOption,
    allow_looser: Annotated[
        bool, typer.Option("--allow-looser", help="Sign it although it asks for less than the one that holds.")
    ] = False,
) -> None:
    """Sign a ladder into a ledger; the latest one holds, and what it loosened is shown for ever."""
    read, secret = Ladder.read(ladder), SecretKey.read(key)
    signed = signed_ladders(attempts.status(ledger))
    what: list[str] = []
    if signed:
        what = loosened(signed[-1].ladder, read)
        if signed[-1].signer.raw != secret.public.raw:
            what.insert(
                0, f"it would be signed by {secret.public.id}, and {signed[-1].signer.id} signed the one before"
            )
    if what and not allow_looser:
        raise InputError(
            "a ladder that is looser than the one that holds",
            where=str(ladder),
            got="; ".join(what),
            expected="no less than the ladder of entry " + str(signed[-1].index),
            fix="Ask for no less, or pass --allow-looser: every reader of the ledger will see what was loosened.",
        )
    index = attempts.fix_ladder(ledger, read.text, secret)
    out.print(f"entry {index}: ladder {read.digest}; next: foretell ladder status", markup=False, soft_wrap=True)
    for words in what:
        out.print(f"looser: {words}", markup=False, soft_wrap=True)


@app.command("status", epilog="Example: foretell ladder status ledger/ --results results/")
def status(
    ledger: LedgerArgument,
    ladder: Annotated[
        Path | None, typer.Option(help="A ladder that is not signed yet, to see what it would unlock.")
    ] = None,
    results: ResultsOption = None,
    evaluator: EvaluatorOption = None,
    json_to: JsonOption = None,
) -> None:
    """Say what may be trained now, on which verdicts that rests, and why not more."""
    preview = None if ladder is None else Ladder.read(ladder)
    now = _now(ledger, results, evaluator, preview)
    if json_to:
        emit_json(now.record(), json_to)
    if json_to != "-":
        for line in told(now):
            out.print(line, markup=False, soft_wrap=True)


@app.command(
    "check",
    epilog="Example: foretell ladder check ledger/ --flop 1e21 || exit   |   foretell ladder check ledger/ "
    "--parameters 1e9 --tokens 2e10 --evaluator institute.pub --results results/",
)
def check(
    ledger: LedgerArgument,
    flop: Annotated[float | None, typer.Option(help="What the whole training will take, with its base.")] = None,
    parameters: Annotated[float | None, typer.Option(help="Or its parameters, together with --tokens.")] = None,
    tokens: Annotated[float | None, typer.Option(help="Tokens that it will be trained on.")] = None,
    results: ResultsOption = None,
    evaluator: EvaluatorOption = None,
    json_to: JsonOption = None,
) -> None:
    """May a training of so much compute begin now? Ends with 0 if so, 10 if not, 11 if that cannot be said."""
    now = _now(ledger, results, evaluator)
    job = _job(now.ladder, flop, parameters, tokens)
    allowed, reasons = now.status.allows(job.flop), now.status.why_not(job.flop)
    if json_to:
        asked = {"flop": job.flop, "rule": job.rule, "allowed": allowed, "why_not": list(reasons)}
        emit_json({**asked, "ladder": now.record()}, json_to)
    if json_to != "-":
        limit = f"up to {now.status.may_train_up_to_flop:g} FLOP are unlocked by {_holding(now)}"
        out.print(f"{job.flop:g} FLOP ({job.rule}): {_WORDS[allowed]}; {limit}", markup=False, soft_wrap=True)
        for reason in reasons:
            out.print(f"  {reason}", markup=False, soft_wrap=True)
    raise typer.Exit({True: 0, False: _LOCKED, None: _UNDECIDED}[allowed])


def told(now: LadderNow) -> Iterator[str]:
    """A ladder's status in lines of text."""
    yield now.ladder.title
    yield from _origin(now)
    yield ""
    width = max(len(rung.name) for rung in now.status.rungs)
    for rung in now.status.rungs:
        limit = f"up to {rung.up_to_flop:g} FLOP"
        yield f"{_MARKS[rung.unlocked]} {rung.name:<{width}}  {limit:<{_LIMIT_WIDTH}}  {_WORDS[rung.unlocked]}"
        yield from (f"    {line}" for line in _batch(rung))
    yield ""
    yield f"Now: training up to {now.status.may_train_up_to_flop:g} FLOP is unlocked. {_WORTH}"
    if above := [rung for rung in now.status.rungs if not rung.unlocked]:
        yield f"Why not more ({above[0].name}: {_WORDS[above[0].unlocked]}):"
        yield from (f"  {reason}" for reason in above[0].why_not)
    if now.status.above:
        yield "Registered above what is unlocked now: " + ", ".join(model.name for model in now.status.above)
    if now.without_compute:
        yield "On no rung, as nobody said what their training took: " + ", ".join(now.without_compute)
    yield from (f"Left out: {name} ({reason})" for name, reason in now.ladder.leave_out.items())


def _origin(now: LadderNow) -> Iterator[str]:
    """Which ladder this is, and what was loosened on the way to it."""
    if now.is_preview:
        yield f"a preview: {now.ladder.digest} is not signed"
    else:
        yield f"{_holding(now)}; {len(now.signed) - 1} signed before"
    for entry, what in now.changes:
        for words in what:
            yield f"looser {'than the one that holds' if entry is None else f'since entry {entry}'}: {words}"


def _holding(now: LadderNow) -> str:
    return f"entry {now.signed[-1].index}, signed by {now.signed[-1].signer.id}"


def _batch(rung: Rung) -> Iterator[str]:
    """The models of a rung, each with what counts, or why nothing does."""
    for one in rung.models:
        names = f" (also {', '.join(one.model.names[1:])})" if len(one.model.names) > 1 else ""
        counted = "; ".join(one.reasons) if one.attempt is None else f"attempt {one.attempt} counts"
        others = [f"{number} {decision}" for number, decision in one.tried.items() if number != one.attempt]
        beside = f"; other attempts: {', '.join(others)}" if others and one.attempt is not None else ""
        yield f"{_MARKS[one.counts]} {one.model.name}{names}, {one.model.flop:g} FLOP: {counted}{beside}"


def _now(ledger: Path, results: Path | None, evaluator: Path | None, preview: Ladder | None = None) -> LadderNow:
    if results is not None and not results.is_dir():
        raise InputError(
            "no folder of results",
            where="--results",
            got=str(results),
            expected="a folder",
            fix="Give the folder that the files in the ladder's tables of capability are below.",
        )
    record = attempts.status(ledger)
    if not record.entries:
        raise InputError(
            "no ledger",
            where=str(ledger),
            got="a folder without a log" if ledger.is_dir() else "no such folder",
            expected="a ledger's folder",
            fix="`foretell charter sign` begins one.",
        )
    known = None if evaluator is None else PublicKey.read(evaluator)
    return ladder_now(record, datetime.now(UTC), results=results, preview=preview, evaluator=known)


def _job(ladder: Ladder, flop: float | None, parameters: float | None, tokens: float | None) -> TrainingFlop:
    """What a training will take, counted as the ladder counts."""
    job = training_flop(flop, parameters, tokens)
    if job is None:
        raise InputError(
            "no training",
            where="foretell ladder check",
            got="none of the options",
            expected="--flop, or --parameters together with --tokens",
            fix="Say what the training will take.",
        )
    if ladder.compute.rule == GIVEN != job.rule:
        raise InputError(
            "training compute that is counted otherwise",
            where="--parameters, --tokens",
            got=job.rule,
            expected="--flop: this ladder takes training compute as it is given",
            fix="Give the operations themselves.",
        )
    return job
