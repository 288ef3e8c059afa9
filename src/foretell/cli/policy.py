"""`foretell policy init|check|decide|show`: verdicts and other evaluations combined, and what that came to, signed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from foretell import attempts
from foretell.base.errors import InputError
from foretell.base.files import write_text_atomically
from foretell.cli.console import emit_json, out
from foretell.cli.protocol import JsonOption, KeyOption, LedgerArgument
from foretell.ledger import PublicKey, SecretKey
from foretell.verdicts.policy import Policy
from foretell.verdicts.policy_decision import Decision, decide
from foretell.verdicts.policy_evidence import read_results, record
from foretell.verdicts.policy_text import policy_toml
from foretell.verifier.decisions import decision_record
from foretell.verifier.layout import LOG
from foretell.verifier.record import Record
from foretell.verifier.standing import standings

app = typer.Typer(
    help="A policy: verdicts combined with results of other evaluations; checked, decided, signed.",
    no_args_is_help=True,
)
#: Exit codes, as those of verdicts.
_EXIT_CODES = {"met": 0, "not met": 10, "undecided": 11}
_FORGED = 13
_MARKS = {"met": "[green]✓[/]", "not met": "[red]✗[/]", "missing": "[dim]–[/]"}
_BEYOND = "It says what these evaluations showed, on what each of them asked, and nothing beyond."
PolicyArgument = Annotated[Path, typer.Argument(metavar="POLICY", help="The policy, a TOML file.")]


@app.command("init", epilog="Example: foretell policy init policy.toml --target tiny --title 'Before the next run'")
def init(
    policy: PolicyArgument,
    target: Annotated[str, typer.Option(help="The model: the digest of its weights, or its name in a verdict.")],
    title: Annotated[str, typer.Option(help="What is decided by it, for readers.")] = "Before the next step",
) -> None:
    """Write a policy in which every field is explained; change the file as you like."""
    if policy.exists():
        raise InputError(
            "there is a file already",
            where=str(policy),
            got="a file",
            expected="a new name",
            fix="Choose another name, or remove the file.",
        )
    text = policy_toml(title, target, policy.name)
    Policy.parse(text.encode("utf-8", "surrogateescape"), str(policy))  # a command line may hold what no policy may
    write_text_atomically(policy, text)
    out.print(f"{policy}: change it, then: foretell policy check {policy}", markup=False, soft_wrap=True)


@app.command("check", epilog="Example: foretell policy check policy.toml --ledger ledger/")
def check(
    policy: PolicyArgument,
    ledger: Annotated[
        Path | None, typer.Option(help="The ledger, or a published folder, that has the verdicts.")
    ] = None,
    evaluator: Annotated[
        Path | None, typer.Option(help="Whose verdicts count, NAME.pub; by default the ledger's only evaluator's.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="The time to decide as of, such as 2030-01-31T12:00:00Z; now by default.")
    ] = None,
    json_to: JsonOption = None,
) -> None:
    """Say what each part shows and what the policy comes to; signs nothing.

    Ends with 0 where it is met, 10 where it is not met, 11 where what is missing leaves it undecided.
    """
    read, time = Policy.read(policy), _time(at)
    found, judges = None, frozenset[str]()
    if ledger is not None:
        log = _log(ledger)
        found = standings(log, sum(entry.time <= time for entry in log.entries))
        judges = _judges(log, read, evaluator)
    decision = decide(read, read_results(read, policy.parent), found, judges, time)
    _report(read, decision, json_to, {"at": time.isoformat()})


@app.command("decide", epilog="Example: foretell policy decide ledger/ policy.toml --key keys/evaluator.key")
def decide_now(ledger: LedgerArgument, policy: PolicyArgument, key: KeyOption, json_to: JsonOption = None) -> None:
    """Decide now, and sign into the ledger what each part showed, from which files, and what is missing.

    Ends as `check` does; the decision is signed whatever it is.
    """
    read, secret = Policy.read(policy), SecretKey.read(key)
    _log(ledger)  # signs nothing into a folder that is none
    index, decision = attempts.record_decision(ledger, read, read_results(read, policy.parent), secret)
    if json_to != "-":
        out.print(f"entry {index}: signed", markup=False)
    _report(read, decision, json_to, {"entry": index})


@app.command("show", epilog="Example: foretell policy show ledger/")
def show(ledger: LedgerArgument, json_to: JsonOption = None) -> None:
    """List the decisions of a ledger, each made again: what it came to then, and what has become of it since.

    Ends with 13 where a decision does not follow from what it says.
    """
    log, now = _log(ledger), datetime.now(UTC)
    told = [decision_record(log, entry, now) for entry in log.notices["decision"]]
    if json_to:
        emit_json({"decisions": told}, json_to)
    if json_to != "-":
        for one in told:
            _print_told(one)
        if not told:
            out.print("no decision yet; next: foretell policy decide")
    raise typer.Exit(0 if all(one["follows"] for one in told) else _FORGED)


def _print_told(told: dict[str, Any]) -> None:
    head = f"entry {told['entry']}, {told['time'][:16]}Z, by {told['signer']}"
    if not told["follows"]:
        out.print(f"{head}: says {told['said']!r}, which does not follow: {told['why']}", markup=False, soft_wrap=True)
        return
    out.print(f"{head}: {told['title']}", markup=False, soft_wrap=True)
    _print_parts([(part["name"], part["state"], part["said"]) for part in told["parts"]])
    out.print(f"  then: {told['then']}", markup=False, soft_wrap=True)
    if told["now"] == told["then"]:
        out.print("  now, with the same files: the same", markup=False)
        return
    out.print(f"  now, with the same files: {told['now']}", markup=False, soft_wrap=True)
    for part, since in zip(told["parts"], told["parts_now"], strict=True):
        if part["state"] != since["state"]:
            out.print(f"    {part['name']}: {since['state']}: {since['said']}", markup=False, soft_wrap=True)


def _report(policy: Policy, decision: Decision, json_to: str | None, facts: dict[str, Any]) -> None:
    """Print or write a decision, and end by it."""
    if json_to:
        told = {"title": policy.title, "rule": policy.rule.told, "outcome": decision.outcome}
        parts = {"missing": list(decision.wanting), "parts": [record(part) for part in decision.parts]}
        emit_json({**facts, **told, **parts, "says": decision.sentence}, json_to)
    if json_to != "-":
        out.print(f"{policy.title}: {policy.rule.told}", markup=False, soft_wrap=True)
        _print_parts([(part.name, part.state, part.said) for part in decision.parts])
        out.print(f"{decision.sentence}. {_BEYOND}", markup=False, soft_wrap=True)
    raise typer.Exit(_EXIT_CODES[decision.outcome])


def _print_parts(parts: list[tuple[str, str, str]]) -> None:
    names, states = (max(len(part[column]) for part in parts) for column in (0, 1))
    for name, state, said in parts:
        out.print(f"  {_MARKS[state]} ", end="")
        out.print(f"{name:<{names}}  {state:<{states}}  {said}", markup=False, soft_wrap=True)


def _log(ledger: Path) -> Record:
    """What has happened in a ledger, verified.

    Raises:
        InputError: the folder is none.
    """
    if not (ledger / LOG).is_dir():
        raise InputError(
            "no ledger",
            where=str(ledger),
            got="another folder" if ledger.is_dir() else "no such folder",
            expected=f"a ledger or a published folder, with its {LOG}/",
            fix="Give the folder that `foretell charter sign` or `foretell publish` wrote.",
        )
    return attempts.status(ledger)


def _judges(log: Record, policy: Policy, evaluator: Path | None) -> frozenset[str]:
    """Whose verdicts count where nobody signs.

    Raises:
        InputError: several evaluators have charters in the log, and none of them is named.
    """
    if evaluator is not None:
        return frozenset({PublicKey.read(evaluator).verifier})
    there = {charter.evaluator.public().id: charter.evaluator.public().verifier for charter in log.charters.values()}
    if len(there) > 1 and not policy.evaluators:
        raise InputError(
            "a ledger of several evaluators",
            where="--ledger",
            got=", ".join(sorted(there)),
            expected="one whose verdicts count",
            fix="Name one with --evaluator, or several as `evaluators` in the policy.",
        )
    return frozenset() if policy.evaluators else frozenset(there.values())


def _time(text: str | None) -> datetime:
    """The time of an option, now where it is not given."""
    if text is None:
        return datetime.now(UTC)
    try:
        time = datetime.fromisoformat(text)
        if time.utcoffset() is None:
            raise ValueError("no offset")
    except ValueError as error:
        raise InputError(
            "not a date and time",
            where="--at",
            got=repr(text),
            expected="a date and time with its offset",
            fix="Write it as 2030-01-31T12:00:00Z.",
        ) from error
    return time
