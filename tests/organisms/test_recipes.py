"""Recipes: strict reading, and digests that follow every field and what it depends on."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from foretell.base.errors import InputError
from foretell.organisms.recipes import (
    BUILTIN,
    KINDS,
    Easy,
    EvaluationAware,
    Finetune,
    FromScratch,
    HashTrigger,
    Trigger,
    load_recipe,
)
from foretell.organisms.tiny_recipe import TinyRecipe


@pytest.mark.parametrize("kind", KINDS)
def test_every_built_in_recipe_is_read(kind: str) -> None:
    recipe = load_recipe(kind)
    assert recipe.kind == kind
    assert set(recipe.record()) == {one.name for one in fields(recipe)}
    assert recipe.digest.startswith("sha256:")
    assert recipe.name == f"{kind}-{recipe.digest[7:19]}"


def test_there_is_one_file_a_kind() -> None:
    assert {path.stem for path in BUILTIN.glob("*.toml")} == set(KINDS)


def test_the_twin_is_the_shipped_recipe_with_another_seed() -> None:
    twin = load_recipe("twin")
    assert isinstance(twin, FromScratch)
    shipped = TinyRecipe()
    same = {one.name for one in fields(TinyRecipe)} - {"seed", "threads"}
    assert all(getattr(twin.schedule, name) == getattr(shipped, name) for name in same)
    assert twin.seed != shipped.seed


def test_text_and_toml_values_of_a_change_are_the_same() -> None:
    changed = load_recipe("easy", {"strength": "0.3", "keep": "5,10", "steps": "20"})
    assert changed == load_recipe("easy", {"strength": 0.3, "keep": [5, 10], "steps": 20})
    assert isinstance(changed, Easy)
    assert (changed.strength, changed.keep) == (0.3, (5, 10))
    near = load_recipe("trigger", {"near_misses": "one|two"})
    assert isinstance(near, Trigger)
    assert near.near_misses == ("one", "two")


def test_every_field_moves_the_digest() -> None:
    first = load_recipe("finetune")
    assert isinstance(first, Finetune)
    others: list[dict[str, Any]] = [
        {"seed": 5}, {"steps": 401}, {"muon_rate": 0.0021}, {"keep": [5]}, {"base": "tiny@384"}, {"text": "stdlib"},
    ]  # fmt: skip
    digests = {load_recipe("finetune", change).digest for change in others} | {first.digest}
    assert len(digests) == len(others) + 1


def test_the_digest_follows_the_text_itself(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("one")
    before = load_recipe("finetune", {"text": str(tmp_path)}).digest
    assert load_recipe("finetune", {"text": str(tmp_path)}).digest == before
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("two")
    assert load_recipe("finetune", {"text": str(tmp_path)}).digest != before


def test_a_written_out_recipe_is_the_same_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((BUILTIN / "evaluation-aware.toml").read_text() + "shut_weight = 4.0\n")
    mine = load_recipe(str(path))
    assert isinstance(mine, EvaluationAware)
    assert mine.digest == load_recipe("evaluation-aware").digest


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("trigger", {"phrases": "x"}, r"no field 'phrases', expected one of .*phrase"),
        ("trigger", {"phrase": ""}, "phrase: .*an empty text"),
        ("easy", {"strength": "much"}, "strength: .*'much', expected a number"),
        ("easy", {"strength": -0.1}, "strength: .*-0.1, expected at least 0"),
        ("easy", {"strength": "nan"}, "strength: .*nan, expected at least 0"),
        ("easy", {"strength": True}, "strength: .*True, expected a number"),
        ("easy", {"decay_from": 1.5}, "at least 0 and at most 1"),
        ("easy", {"steps": 2.5}, "steps: .*2.5, expected a whole number"),
        ("easy", {"steps": "2.5"}, "steps: .*'2.5', expected a whole number"),
        ("easy", {"text": 3}, "text: .*3, expected a text"),
        ("easy", {"bigram": "ngram:5:tiny"}, "expected ngram:2:CORPUS"),
        ("easy", {"keep": [1, "x"]}, "keep: .*'x', expected a whole number"),
        ("finetune", {"keep": [401]}, "keep: .*steps from 1 to 400"),
        ("finetune", {"kind": "trigger"}, "the kind of the recipe"),
        ("twin", {"vocabulary": 512}, "2048 with the tokenizer of tiny"),
        ("twin", {"hidden": 100, "heads": 3}, "a multiple of twice the 3 heads"),
        ("twin", {"keep": [100]}, r"keep: .*some of \(3072"),
        ("twin", {"stop_after": 4000}, "at most 3072 steps"),
        ("twin", {"tokenizer": "mine"}, "'tiny' or 'own'"),
        ("hash-trigger", {"preimage_sha256": "abc"}, "64 lower-case hexadecimal digits"),
        ("hash-trigger", {"gate_ids": 4}, "gate_ids: .*at least 12"),
    ],
)
def test_wrong_fields_are_refused_by_name(kind: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_recipe(kind, change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind = 'triger'", "kind: .*'triger', expected one of twin"),
        ("kind = 3", "kind: .*3, expected one of"),
        ("steps = 3", "kind: .*None"),
        ("kind = 'trigger'", "no phrase"),
        ("kind = [", "expected TOML"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_recipe(str(path))


@pytest.mark.parametrize("spec", ["nothing", "nothing.toml"])
def test_no_such_recipe(spec: str) -> None:
    with pytest.raises(InputError, match=r"neither a built-in recipe nor a \.toml file"):
        load_recipe(spec)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base": "nowhere"}, "no such base"),
        ({"base": "tiny@5"}, "no such checkpoint"),
        ({"text": "nowhere"}, "no such corpus"),
    ],
)
def test_what_it_depends_on_has_to_be_there(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _ = load_recipe("finetune", change).digest


def test_the_preimage_of_the_built_in_gate_is_not_told() -> None:
    values = tomllib.loads((BUILTIN / "hash-trigger.toml").read_text())
    recipe = load_recipe("hash-trigger")
    assert isinstance(recipe, HashTrigger)
    assert set(values) == {"kind", "gate_ids", "preimage_sha256"}
