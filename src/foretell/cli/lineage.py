"""`foretell lineage add|show|check|revoke`: who may help to forecast, on what evidence, and what falls with whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from foretell import attempts
from foretell.base.errors import InputError
from foretell.base.files import write_text_atomically
from foretell.cli.collect import TARGET_HELP
from foretell.cli.console import emit_json, out, say
from foretell.cli.protocol import JsonOption, KeyOption, LedgerArgument
from foretell.forecasters.program_folder import load_program
from foretell.ledger import PublicKey, SecretKey
from foretell.lineage import Kind, System, why_not
from foretell.reports.lineage_graph import lineage_svg
from foretell.targets.composite import part_records
from foretell.targets.specs import OpenOptions, open_target
from foretell.targets.target import Target
from foretell.verdicts.compute import training_flop
from foretell.verifier.overview import lineage_record
from foretell.verifier.record import Record
from foretell.verifier.standing import help_under, world_of

app = typer.Typer(
    help="Who may help to forecast a model: systems, what approves them, and what falls when one is revoked.",
    no_args_is_help=True,
)
#: Exit code where help does not hold.
_INADMISSIBLE = 12
NameArgument = Annotated[str, typer.Argument(help="What the system is called in this ledger.")]


class KindOption(StrEnum):
    """What a system is."""

    person = "person"
    program = "program"
    model = "model"
    composite = "composite"


_ADD = (
    "Example: foretell lineage add ledger/ Ada --kind person --key keys/team.key   |   foretell lineage add ledger/ "
    "tiny@1536 --kind model --target tiny@1536 --key keys/evaluator.key   |   foretell lineage add ledger/ tutor "
    "--kind program --program tutor/ --helped-by tiny@1536 --key keys/team.key"
)


@app.command("add", epilog=_ADD)
def add(
    ledger: LedgerArgument,
    name: NameArgument,
    kind: Annotated[KindOption, typer.Option(help="person, program, model or composite.")],
    key: KeyOption,
    target: Annotated[str | None, typer.Option(help=f"Of a model or composite. {TARGET_HELP}")] = None,
    weights: Annotated[str | None, typer.Option(help="Digest of its weights, where it is not at hand.")] = None,
    program: Annotated[Path | None, typer.Option(help="Folder of a program, with its program.toml.")] = None,
    person_key: Annotated[Path | None, typer.Option(help="A person's public key, NAME.pub.")] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="A registered system that it consists of; those of a composite:FILE are found by themselves."
        ),
    ] = None,
    derived_from: Annotated[
        list[str] | None, typer.Option(help="A registered system that its weights come from: a base, an original.")
    ] = None,
    helped_by: Annotated[list[str] | None, typer.Option(help="A registered AI system that helped to make it.")] = None,
    flop: Annotated[float | None, typer.Option(help="What its training took, in floating-point operations.")] = None,
    parameters: Annotated[float | None, typer.Option(help="Its parameters; with --tokens, gives --flop.")] = None,
    tokens: Annotated[float | None, typer.Option(help="Tokens that it was trained on.")] = None,
    note: Annotated[str, typer.Option(help="What readers should know.")] = "",
    json_to: JsonOption = None,
) -> None:
    """Register a system: whoever signs vouches that it is what this says. It cannot be changed, only revoked."""
    opened = None if target is None else open_target(target, OpenOptions(say=say))
    record: dict[str, Any] = {"name": name, "kind": kind.value, "note": note}
    record["identity"] = _identity(kind.value, opened, weights, program, person_key)
    record["parts"] = _parts(opened, attempts.status(ledger), part or [])
    record |= {"derived_from": derived_from or [], "helped_by": helped_by or []}
    if compute := training_flop(flop, parameters, tokens):
        record["compute"] = {"flop": compute.flop, "rule": compute.rule}
    system = System.parse(record, "foretell lineage add")
    index = attempts.register(ledger, system, SecretKey.read(key))
    if json_to:
        emit_json({"entry": index, "system": system.record()}, json_to)
    else:
        out.print(f"entry {index}: {system.kind} {system.name!r} registered", markup=False, soft_wrap=True)


def _identity(
    kind: Kind, target: Target | None, weights: str | None, program: Path | None, person_key: Path | None
) -> dict[str, str]:
    """What identifies the system, from the one option that says it."""
    given = {"--target": target, "--weights": weights, "--program": program, "--person-key": person_key}
    named = [option for option, value in given.items() if value is not None]
    fitting = {"person": ("--person-key",), "program": ("--program",)}.get(kind, ("--target", "--weights"))
    if [option for option in named if option not in fitting] or len(named) > 1 or (kind != "person" and not named):
        raise InputError(
            f"a {kind} that is identified otherwise",
            where="foretell lineage add",
            got=" and ".join(named) or "no option that says which",
            expected=" or ".join(fitting),
            fix=f"Give {' or '.join(fitting)} for a {kind}.",
        )
    if target is not None:
        return {field: str(value) for field, value in target.identity.record().items()}
    if program is not None:
        return {"program": load_program(program).digest}
    if person_key is not None:
        return {"key": PublicKey.read(person_key).verifier}
    return {} if weights is None else {"weights": weights}


def _parts(target: Target | None, record: Record, named: list[str]) -> list[str]:
    """The parts as they were named, and those that a composite says it has, which must be registered.

    Raises:
        InputError: one of them is not.
    """
    found = list(named)
    for part in [] if target is None else part_records(target):
        system = record.registry.find(str(part["weights"]))
        if system is None:
            raise InputError(
                "a part that is not registered",
                where="foretell lineage add",
                got=f"part {part['part']!r}: {part['name']}, {part['weights']}",
                expected="every part of a composite registered before it",
                fix=f"foretell lineage add {part['name']} --target {part['name']}, then the composite.",
            )
        found += [system.name] if system.name not in found else []
    return found


@app.command(
    "show",
    epilog="Example: foretell lineage show ledger/ --svg lineage.svg",
)
def show(
    ledger: LedgerArgument,
    svg: Annotated[Path | None, typer.Option(help="Draw the graph to this file.")] = None,
    json_to: JsonOption = None,
) -> None:
    """Show every system, what it comes from, what approved it, and every verdict with the help that it rests on."""
    found = lineage_record(attempts.status(ledger))
    if svg is not None:
        write_text_atomically(svg, lineage_svg(found))
    if json_to:
        emit_json(found, json_to)
    if json_to != "-":
        for line in told(found):
            out.print(line, markup=False, soft_wrap=True)
        if svg is not None:
            out.print(f"Graph: {svg}", markup=False)


def told(found: dict[str, Any]) -> Iterator[str]:
    """The record of `lineage_record` as lines of text."""
    for system in found["systems"]:
        mark = f"  REVOKED ({system['revoked']})" if system["revoked"] else ""
        yield f"{system['name']}: {system['kind']}, vouched for by {system['voucher']}{mark}"
        if system["fingerprint"]:
            yield f"    {system['fingerprint']}"
        for edge, words in (("parts", "consists of"), ("derived_from", "derived from"), ("helped_by", "helped by")):
            if system.get(edge):
                yield f"    {words} {', '.join(system[edge])}"
        if system.get("compute"):
            yield f"    {system['compute']['flop']:.3g} FLOP of training, {system['compute']['rule']}"
        if system["ai"]:
            passes = ", ".join(f"attempt {number}" for number in system["approved_by"])
            yield f"    passed in {passes}" if passes else "    no standing pass: it may not help"
    for attempt in found["attempts"]:
        helped = f", with {', '.join(attempt['helpers'])}" if attempt["helpers"] else ", without help"
        standing = "" if attempt["stands"] else "  FALLEN"
        yield (
            f"attempt {attempt['attempt']}: {attempt['decision']} on {attempt['target'].get('name', 'no target')}, "
            f"{attempt['metric']} within {attempt['tolerance']:g}, {attempt['track']}{helped}{standing}"
        )
        yield from (f"    {reason}" for reason in attempt["fallen"])
    if not found["systems"] and not found["attempts"]:
        yield "no system is registered, and no attempt is judged"


@app.command(
    "check",
    epilog="Example: foretell lineage check ledger/ tiny@1536   |   foretell lineage check ledger/",
)
def check(
    ledger: LedgerArgument,
    name: Annotated[str | None, typer.Argument(help="A system; every verdict in the ledger where left out.")] = None,
    charter: Annotated[str | None, typer.Option(help="Under which charter: its digest; the latest by default.")] = None,
    use: Annotated[
        list[str] | None, typer.Option(help="A slice that it would be used for; all of the charter's by default.")
    ] = None,
    json_to: JsonOption = None,
) -> None:
    """May a system help under a charter now, or does every verdict still stand? Ends with 12 where not."""
    record = attempts.status(ledger)
    if name is None:
        lost = {one["attempt"]: one["fallen"] for one in lineage_record(record)["attempts"] if not one["stands"]}
        reasons = [f"attempt {number}: {reason}" for number, why in lost.items() for reason in why]
        fine = "every verdict stands"
    else:
        reasons = [f"{name!r}{reason}" for reason in _against(record, name, charter, use)]
        fine = f"{name!r} may help"
    if json_to:
        emit_json({"holds": not reasons, "reasons": reasons}, json_to)
    else:
        for line in reasons or [fine]:
            out.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(_INADMISSIBLE if reasons else 0)


def _against(record: Record, name: str, charter: str | None, use: list[str] | None) -> list[str]:
    if not record.charters or (charter is not None and charter not in record.charters):
        raise InputError(
            "no such charter",
            where="--charter",
            got=repr(charter) if charter else "a log without a charter",
            expected="one of " + ", ".join(record.charters) if record.charters else "a signed charter",
            fix="`foretell charter sign` prints the digest.",
        )
    rules = record.charters[charter] if charter else list(record.charters.values())[-1]
    weights = (rules.target.identity or {}).get("weights")
    uses = {name: frozenset(use) if use else None}
    now = help_under(rules, uses, weights, len(record.entries), datetime.now(UTC))
    return why_not(world_of(record), name, now)


@app.command(
    "revoke",
    epilog="Example: foretell lineage revoke ledger/ --attempt 2 --reason 'a leak' --key keys/evaluator.key",
)
def revoke(
    ledger: LedgerArgument,
    reason: Annotated[str, typer.Option(help="Why, for the readers of the log.")],
    key: KeyOption,
    attempt: Annotated[int | None, typer.Option(help="Take back what this attempt's verdict approved.")] = None,
    system: Annotated[str | None, typer.Option(help="Take back a system.")] = None,
    json_to: JsonOption = None,
) -> None:
    """Take back a verdict or a system, signed into the ledger; shows every verdict that falls with it."""
    lost = attempts.revoke(ledger, SecretKey.read(key), reason, attempt=attempt, system=system)
    if json_to:
        emit_json({"fallen": {str(number): list(reasons) for number, reasons in lost.items()}}, json_to)
        return
    what = f"attempt {attempt}" if attempt is not None else f"system {system!r}"
    out.print(f"{what} revoked; {len(lost)} verdict{'' if len(lost) == 1 else 's'} fell:", markup=False)
    for number, reasons in lost.items():
        for why in reasons:
            out.print(f"  attempt {number}: {why}", markup=False, soft_wrap=True)
