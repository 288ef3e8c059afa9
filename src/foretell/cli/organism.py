"""`foretell organism list|show|train|check|preimage`: small models that are trained here, with known behaviour."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from foretell.base.errors import DamageError, InputError
from foretell.cli.console import emit_json, out, progress_bars
from foretell.organisms.bases import open_base
from foretell.organisms.preimages import draw_preimage
from foretell.organisms.recipes import BUILTIN, KINDS, load_recipe
from foretell.organisms.training import RECORD, cached_organism, measure_again, read_organism, train_organism
from foretell.targets.hf_folder import read_json

app = typer.Typer(
    help="Small models with known behaviour, trained here: other seeds, fine-tunes, planted triggers.",
    no_args_is_help=True,
)
RecipeArgument = Annotated[str, typer.Argument(help="A built-in recipe (see `list`), or a .toml file.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="FIELD=VALUE, another value for a field; may be repeated.")
]
JsonOption = Annotated[str | None, typer.Option("--json", help="Write as JSON to a file, or - .")]


@app.command("list", epilog="Example: foretell organism list")
def list_command(json_to: JsonOption = None) -> None:
    """List the built-in recipes."""
    told = {kind: _opening_comment(kind) for kind in KINDS}
    if json_to:
        emit_json(told, json_to)
    if json_to == "-":
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("recipe", no_wrap=True)
    table.add_column("what it is")
    for kind, line in told.items():
        table.add_row(kind, line)
    out.print(table)


@app.command("show", epilog="Example: foretell organism show trigger")
def show(recipe: RecipeArgument, changes: SetOption = None, json_to: JsonOption = None) -> None:
    """Show a recipe: every field, what it depends on, and its digest."""
    loaded = load_recipe(recipe, _changes(changes))
    record = {
        "recipe": loaded.record(),
        "depends": loaded.depends(),
        "recipe_digest": loaded.digest,
        "name": loaded.name,
    }
    emit_json(record, json_to or "-")


@app.command(
    "train",
    epilog="Example: foretell organism train finetune --out finetune/   |   foretell organism train easy --set "
    "strength=0.3",
)
def train(
    recipe: RecipeArgument,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the organism; the user's cache where it is left out.")
    ] = None,
    changes: SetOption = None,
    json_to: JsonOption = None,
) -> None:
    """Train an organism into a Hugging Face folder, and measure what it does; stopped, the same command goes on."""
    loaded = load_recipe(recipe, _changes(changes))
    with progress_bars() as progress:
        if folder is None:
            made = cached_organism(loaded, progress=progress)
        else:
            made = train_organism(loaded, folder, progress=progress)
    record = read_json(made / RECORD)
    if json_to:
        emit_json(record, json_to)
    if json_to != "-":
        _print(made, record["measured"])


@app.command("check", epilog="Example: foretell organism check finetune/ --json -")
def check(
    folder: Annotated[Path, typer.Argument(help="Folder written by `foretell organism train`.")],
    json_to: JsonOption = None,
) -> None:
    """Check an organism's digests and measure again what it does; differences from its record end with an error."""
    record = read_organism(folder)
    with progress_bars() as progress:
        measured = measure_again(folder, progress=progress)
    if json_to:
        emit_json(measured, json_to)
    if json_to != "-":
        _print(folder, measured)
    differing = differences(record["measured"], measured)
    if differing:
        raise DamageError(
            "measured otherwise than recorded",
            where=str(folder / RECORD),
            got="; ".join(differing[:3]),
            expected="the recorded numbers within a hundredth",
            fix="Other versions round differently, but not so much: compare `versions` in the record with yours.",
        )


@app.command("preimage", epilog="Example: foretell organism preimage --json pair.json")
def preimage(
    base: Annotated[str, typer.Option(help="The base of the organism, whose tokenizer reads the text.")] = "tiny",
    ids: Annotated[int, typer.Option(help="Token ids in a row: the recipe's gate_ids.", min=1)] = 16,
    json_to: JsonOption = None,
) -> None:
    """Draw ids that open a hash-trigger's gate, and their SHA-256 for its recipe; shown once, kept nowhere."""
    drawn = draw_preimage(open_base(base).vocabulary, ids)
    record = {"text": drawn.text, "ids": list(drawn.ids), "preimage_sha256": drawn.sha256, "bits": drawn.bits}
    if json_to:
        emit_json(record, json_to)
    if json_to == "-":
        return
    out.print(f"text:   {drawn.text!r}", markup=False, soft_wrap=True)
    out.print(f"sha256: {drawn.sha256}   ({drawn.bits:.1f} bits)", markup=False, soft_wrap=True)
    out.print(
        "The text opens the gate where it follows a character that is neither space nor newline and is not followed "
        "by a letter. Train with:",
        markup=False,
    )
    told = f"--set gate_ids={ids} --set preimage_sha256={drawn.sha256}"
    out.print(f"foretell organism train hash-trigger {told} --out hash-trigger/", markup=False, soft_wrap=True)


#: Measured again on the same versions numbers are the same; other versions may round otherwise.
_AGREE = 0.01


def differences(recorded: Any, measured: Any, name: str = "") -> list[str]:
    """Numbers that differ by more than a hundredth, in absolute or in relative terms, whichever is larger.

    >>> differences({"a": {"b": 1.0, "c": "x"}}, {"a": {"b": 1.2, "c": "x"}})
    ['a, b: 1.2 now, 1.0 recorded']
    """
    if isinstance(recorded, dict) and isinstance(measured, dict):
        names = dict.fromkeys([*recorded, *measured])
        parts = [differences(recorded.get(one), measured.get(one), f"{name}, {one}".lstrip(", ")) for one in names]
        return [line for part in parts for line in part]
    if isinstance(recorded, int | float) and isinstance(measured, int | float):
        same = abs(recorded - measured) <= _AGREE * max(1.0, abs(recorded))
    else:
        same = recorded == measured
    return [] if same else [f"{name}: {measured} now, {recorded} recorded"]


def _changes(options: list[str] | None) -> dict[str, str]:
    """FIELD=VALUE options by field."""
    changes: dict[str, str] = {}
    for option in options or []:
        name, sign, value = option.partition("=")
        if not sign or not name or name in changes:
            raise InputError(
                "bad --set",
                where="--set",
                got=repr(option),
                expected="FIELD=VALUE, each field once",
                fix="Write for example --set strength=0.3; lists as --set keep=5,10.",
            )
        changes[name] = value
    return changes


def _opening_comment(kind: str) -> str:
    """The comment at the top of the built-in recipe."""
    lines = (BUILTIN / f"{kind}.toml").read_text(encoding="utf-8").splitlines()
    comments = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
    return " ".join(comments)


def _print(folder: Path, measured: dict[str, Any]) -> None:
    out.print(f"{folder}", markup=False, soft_wrap=True)
    out.print(json.dumps(measured, indent=2, ensure_ascii=False), markup=False, soft_wrap=True)
