"""Organisms as folders: trained once from a recipe, checked when found again; torch is loaded when one is made."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_file
from foretell.base.errors import InputError, missing_extra
from foretell.base.files import check_file, storage_errors, write_text_atomically
from foretell.base.progress import Progress, quiet
from foretell.organisms.recipes import SCHEMA, Recipe, load_recipe
from foretell.targets.cache import models_cache, turn
from foretell.targets.hf_folder import read_json

RECORD = "organism.json"
#: While an organism is being made: what it will be.
_BEGUN = ".organism.partial.json"


def cached_organism(recipe: Recipe, *, progress: Progress = quiet) -> Path:
    """The organism of a recipe in the user's cache, trained on the first call; two callers take turns.

    Returns:
        Its folder, `organisms/KIND-DIGEST` under `models_cache()`.
    """
    cache = models_cache() / "organisms"
    with storage_errors(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with turn(cache / f".{recipe.name}.lock"):
            return train_organism(recipe, cache / recipe.name, progress=progress)


def cached_folder_of(recipe: Recipe) -> Path | None:
    """Where the cache has the finished organism of a recipe; None where it has not."""
    folder = models_cache() / "organisms" / recipe.name
    return folder if (folder / RECORD).is_file() else None


def train_organism(recipe: Recipe, out: Path, *, progress: Progress = quiet) -> Path:
    """Make an organism: config.json, model.safetensors, tokenizer.json, tokenizer_config.json, organism.json.

    Stopped at any moment, the same call goes on, and the result is the same to the byte. Finished, it returns at
    once after checking digests. Checkpoints that the recipe keeps are folders `step-N` of the same form.

    Returns:
        `out`.

    Raises:
        InputError: the folder holds something else, or the recipe cannot be followed.
        DamageError: a file of the finished organism is not what was written.
        StorageError: no room, or no permission to write.
    """
    if (out / RECORD).is_file():
        _require_same(out, read_json(out / RECORD), recipe)
        read_organism(out)
        return out
    making, measuring = _heavy("making"), _heavy("measuring")
    with storage_errors(out):
        _begin(out, recipe)
        made = making.make(recipe, out, progress)
        record = {
            "schema": SCHEMA,
            "kind": recipe.kind,
            "recipe": recipe.record(),
            "recipe_digest": recipe.digest,
            "depends": recipe.depends(),
            **made,
            "measured": measuring.measure(recipe, out, progress),
        }
        for name in (_BEGUN, making.STATE):
            (out / name).unlink(missing_ok=True)
        write_text_atomically(out / RECORD, _json(record | {"files": _files(out)}))
    return out


def read_organism(folder: Path) -> dict[str, Any]:
    """The record of a finished organism, after the digests of its files were checked.

    Raises:
        InputError: not a finished organism.
        DamageError: a file is missing or differs.
    """
    path = folder / RECORD
    record = read_json(path) if path.is_file() else {}
    if record.get("schema") != SCHEMA:
        raise InputError(
            "not an organism",
            where=str(folder),
            got=f"no {RECORD}" if not record else f"{RECORD} of schema {record.get('schema')!r}",
            expected=f"a folder that `foretell organism train` finished, schema {SCHEMA}",
            fix="Give that folder; if the training was stopped, run the same command again and it goes on.",
        )
    for name in record["files"]:
        check_file(folder, name, record)
    return record


def measure_again(folder: Path, *, progress: Progress = quiet) -> dict[str, Any]:
    """Measure a finished organism again, as training did at its end.

    Raises:
        InputError: not a finished organism, or this machine's base or text is another than it was made from.
        DamageError: a file is missing or differs.
    """
    record = read_organism(folder)
    values = {name: value for name, value in record["recipe"].items() if name != "kind"}
    recipe = load_recipe(record["kind"], values)
    if recipe.digest != record["recipe_digest"]:
        raise InputError(
            "another base or text than it was made from",
            where=str(folder / RECORD),
            got=json.dumps(recipe.depends()),
            expected=json.dumps(record["depends"]),
            fix="Measure it with the versions of Python and numpy that it was made with.",
        )
    return dict(_heavy("measuring").measure(recipe, folder, progress))


def _heavy(name: str) -> Any:
    """A module of organisms that needs torch.

    Raises:
        MissingExtraError: torch or transformers is not installed.
    """
    try:
        return importlib.import_module(f"foretell.organisms.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("foretell"):
            raise
        raise missing_extra("models", error.name, where="organism") from error


def _begin(out: Path, recipe: Recipe) -> None:
    """Mark a new folder with what it will be, or find that it is being made."""
    out.mkdir(parents=True, exist_ok=True)
    begun = out / _BEGUN
    if begun.is_file():
        _require_same(out, read_json(begun), recipe)
    elif any(out.iterdir()):
        raise _occupied(out, "files of another kind")
    else:
        write_text_atomically(begun, _json({"recipe_digest": recipe.digest}))


def _require_same(out: Path, record: dict[str, Any], recipe: Recipe) -> None:
    if record.get("recipe_digest") != recipe.digest:
        raise _occupied(out, "an organism of another recipe, base or text")


def _occupied(out: Path, got: str) -> InputError:
    return InputError(
        "the folder is taken",
        where=str(out),
        got=got,
        expected="an empty folder, or this organism, finished or begun",
        fix="Give another folder, or delete this one.",
    )


def _files(out: Path) -> dict[str, str]:
    return {path.relative_to(out).as_posix(): digest_file(path) for path in sorted(out.rglob("*")) if path.is_file()}


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
