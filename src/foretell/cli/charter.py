"""`foretell charter init|check|sign`: what will be asked, measured and concluded, fixed beforehand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from foretell import attempts
from foretell.attempts.pool import commit_pool
from foretell.base.errors import InputError
from foretell.base.files import write_atomically
from foretell.cli.collect import SUITE_HELP, TARGET_HELP
from foretell.cli.console import emit_json, out, say
from foretell.cli.protocol import KeyOption, LedgerArgument, vocabulary_like
from foretell.cli.score import MetricOption
from foretell.ledger.keys import PublicKey, SecretKey
from foretell.scoring import ScoreSettings
from foretell.scoring.losses import loss_metric
from foretell.suites import load_suite
from foretell.targets.specs import OpenOptions, open_target
from foretell.verdicts.charter import Charter
from foretell.verdicts.charter_summary import summary
from foretell.verdicts.charter_text import charter_toml

app = typer.Typer(
    help="A charter: what will be asked, measured and concluded; written, checked, signed into a ledger.",
    no_args_is_help=True,
)
_DAYS = 30
_MIB = 1 << 20
_BLIND = {
    "size_budget_bytes": 10 * _MIB,
    "seconds": 600,
    "memory_bytes": 2048 * _MIB,
    "processes": 64,
    "output_bytes": 1024 * _MIB,
}
#: A cap that is made up here has four digits after the point: nobody means more.
_CAP_STEPS = 10_000
_EXAMPLE = (
    "Example: foretell charter init charter.toml --target tiny --pool pool.jsonl --prompts 200 --tolerance 0.5 "
    "--evaluator keys/evaluator.key --team team.pub"
)
CharterArgument = Annotated[Path, typer.Argument(metavar="CHARTER", help="The charter, a TOML file.")]
JsonOption = Annotated[str | None, typer.Option("--json", help="Write the charter as JSON to a file, or - .")]


@app.command("init", epilog=_EXAMPLE)
def init(
    charter: CharterArgument,
    pool: Annotated[str, typer.Option(help=f"What prompts will be drawn from. {SUITE_HELP}")],
    prompts: Annotated[int, typer.Option(help="How many prompts to draw (`foretell plan` says how many).", min=1)],
    tolerance: Annotated[float, typer.Option(help="Mean loss, in the metric's unit, that is good enough.")],
    evaluator: Annotated[Path, typer.Option("--evaluator", "--key", help="The evaluator's secret key, NAME.key.")],
    team: Annotated[Path, typer.Option(help="The team's public key, NAME.pub.")],
    target: Annotated[str | None, typer.Option(help=TARGET_HELP)] = None,
    future: Annotated[str | None, typer.Option(help="In words: the model that is meant, before it is there.")] = None,
    tokenizer_of: Annotated[
        str | None, typer.Option(help="Whose tokenizer a future target has: a target, a truth or a tokenizer.json.")
    ] = None,
    track: Annotated[str | None, typer.Option(help="open, blind or prospective.")] = None,
    title: Annotated[str | None, typer.Option(help="What this is about, for readers.")] = None,
    metric: MetricOption = "kl_nats",
    slice_tolerance: Annotated[
        list[str] | None, typer.Option(help="SLICE=X: the slice must meet X too; may be repeated.")
    ] = None,
    weight: Annotated[
        list[str] | None, typer.Option(help="SLICE=W: what each of its prompts counts for; may be repeated.")
    ] = None,
    cap: Annotated[float | None, typer.Option(help="A prompt's loss above this counts as this.")] = None,
    level: Annotated[float, typer.Option(help="Two-sided confidence of all bounds.")] = 0.95,
    deadline: Annotated[
        str | None, typer.Option(help=f"Such as 2030-01-31T12:00:00Z; in {_DAYS} days by default.")
    ] = None,
    helpers: Annotated[
        str, typer.Option(help="Other systems behind a forecast: none, declared, or approved.")
    ] = "none",
    valid_days: Annotated[
        int | None, typer.Option(help="For how many days a pass lets the target help elsewhere.", min=1)
    ] = None,
    size_budget: Annotated[int | None, typer.Option(help="Bytes of a blind program.", min=1)] = None,
    seconds: Annotated[int | None, typer.Option(help="Time of a blind program.", min=1)] = None,
) -> None:
    """Write a charter in which every field is explained; change the file as you like before you sign it."""
    _require_absent(charter)
    secret, suite, other = SecretKey.read(evaluator), load_suite(pool), PublicKey.read(team)
    described, vocabulary = _target(target, future, tokenizer_of)
    committed = commit_pool(suite, secret)
    kind = track or ("prospective" if future is not None else "open")
    content: dict[str, Any] = {
        "schema": "foretell.charter/1",
        "title": title or f"{described.get('name') or described['future']} on {suite.name}",
        "target": described,
        "pool": {
            "name": suite.name,
            "commitment": committed.root,
            "prompts": committed.prompts,
            "slices": committed.slices,
        },
        "draw": {"prompts": prompts},
        "weights": _by_slice(weight, "--weight"),
        "score": {
            "metric": metric,
            "tolerance": tolerance,
            "cap": cap if cap is not None else _rounded_up(loss_metric(metric).cap(vocabulary)),
            "level": level,
            "floor": ScoreSettings().floor,
            "top_k": ScoreSettings().top_k,
            "tail": "uniform",
            "slice_tolerances": _by_slice(slice_tolerance, "--slice-tolerance"),
        },
        "track": {"kind": kind, "deadline": _deadline(deadline)},
        "helpers": {"rule": helpers},
        "approval": {"valid_days": valid_days} if valid_days is not None else None,
        "blind": _BLIND | _given(size_budget_bytes=size_budget, seconds=seconds) if kind == "blind" else None,
        "evaluator": _role(secret.public),
        "team": _role(other),
    }
    # A command line may hold bytes that are no text; parsing refuses them.
    data = charter_toml(content).encode("utf-8", "surrogateescape")
    made = Charter.parse(data, str(charter))
    write_atomically(charter, lambda temporary: temporary.write_bytes(data))
    _print(made)


@app.command("check", epilog="Example: foretell charter check charter.toml")
def check(charter: CharterArgument, json_to: JsonOption = None) -> None:
    """Check a charter and say what it promises, in plain words, with the digest that names it."""
    read = Charter.read(charter)
    if json_to:
        terms = read.model_dump(mode="json", by_alias=True, exclude_none=True)
        emit_json({"digest": read.digest, "charter": terms}, json_to)
    if json_to != "-":
        _print(read)


@app.command("sign", epilog="Example: foretell charter sign ledger/ charter.toml --key keys/evaluator.key")
def sign(ledger: LedgerArgument, charter: CharterArgument, key: KeyOption) -> None:
    """Sign a charter into a ledger (a new one, where there is none); from then on it cannot be changed."""
    read = Charter.read(charter)
    index = attempts.fix_charter(ledger, read, SecretKey.read(key))
    out.print(f"entry {index}: charter {read.digest}; next: foretell seal", markup=False, soft_wrap=True)


def _print(charter: Charter) -> None:
    rows = summary(charter)
    width = max(len(name) for name, _ in rows)
    for name, words in rows:
        out.print(f"{name:<{width}}  {words}", markup=False, soft_wrap=True)


def _target(target: str | None, future: str | None, tokenizer_of: str | None) -> tuple[dict[str, Any], int]:
    """The [target] table and the size of its vocabulary."""
    if target is not None and future is None and tokenizer_of is None:
        opened = open_target(target, OpenOptions(say=say))
        return opened.identity.record(), opened.vocabulary.size
    if target is None and future is not None and tokenizer_of is not None:
        vocabulary = vocabulary_like(tokenizer_of)
        return {"future": future, "tokenizer": vocabulary.digest}, vocabulary.size
    given = {"--target": target, "--future": future, "--tokenizer-of": tokenizer_of}
    raise InputError(
        "no target, or two",
        where="foretell charter init",
        got=", ".join(name for name, value in given.items() if value is not None) or "none of the options",
        expected="--target, or --future together with --tokenizer-of",
        fix="Name a target that is there, or describe one that will be.",
    )


def _by_slice(given: list[str] | None, option: str) -> dict[str, float]:
    found = {}
    for one in given or []:
        name, _, number = one.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError as error:
            raise InputError(
                "not a slice with a number",
                where=option,
                got=repr(one),
                expected="SLICE=NUMBER",
                fix=f"Write for example {option} code=0.5.",
            ) from error
    return found


def _deadline(text: str | None) -> datetime:
    if text is None:
        return (datetime.now(UTC) + timedelta(days=_DAYS)).replace(microsecond=0)
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            "not a date and time",
            where="--deadline",
            got=repr(text),
            expected="a date and time in UTC",
            fix="Write it as 2030-01-31T12:00:00Z.",
        ) from error


def _rounded_up(number: float) -> float:
    """A few digits are enough, but a cap shall not cut off what it is the most of."""
    return math.ceil(number * _CAP_STEPS) / _CAP_STEPS


def _given(**options: int | None) -> dict[str, int]:
    return {name: value for name, value in options.items() if value is not None}


def _role(key: PublicKey) -> dict[str, str]:
    return {"key": key.verifier, "recipient": key.recipient}


def _require_absent(path: Path) -> None:
    if path.exists():
        raise InputError(
            "there is a file already",
            where=str(path),
            got="a file",
            expected="a new name",
            fix="Choose another name, or remove the file.",
        )
