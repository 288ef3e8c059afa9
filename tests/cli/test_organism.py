"""`foretell organism`: listing, showing, training a small recipe, checking it, drawing a preimage, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import DamageError, ForetellError, InputError
from foretell.cli.app import app
from foretell.organisms import measuring
from foretell.organisms.preimages import hash_of_ids
from foretell.organisms.recipes import KINDS


def organism(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["organism", *map(str, arguments)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of a fine-tune on a few words."""
    folder = tmp_path_factory.mktemp("organism")
    (folder / "texts").mkdir()
    for number in range(4):
        (folder / "texts" / f"{number}.txt").write_text("a few words " * 40)
    settings = {"text": folder / "texts", "steps": 2, "keep": "1", "window": 16, "batch": 1, "warmup_steps": 1}
    changes = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "HELD_OUT_CHARACTERS", 500)
        result = organism("train", "finetune", "--out", folder / "out", *changes, "--json", folder / "record.json")
    assert result.exit_code == 0, (result.output, result.exception)
    assert "kl_nats_of_base_from_organism_on_foretell-300" in result.output
    record = json.loads((folder / "record.json").read_text())
    assert record == json.loads((folder / "out/organism.json").read_text())
    assert (record["recipe"]["steps"], record["recipe"]["keep"]) == (2, [1])
    return folder


def test_every_recipe_is_listed_with_what_it_is() -> None:
    told = json.loads(organism("list", "--json", "-").stdout)
    assert list(told) == list(KINDS)
    assert all(line.endswith(".") and len(line) > 40 for line in told.values())
    assert "evaluation-aware" in organism("list").output


def test_a_recipe_is_shown_whole() -> None:
    told = json.loads(organism("show", "easy", "--set", "strength=0.3").stdout)
    assert told["recipe"]["strength"] == 0.3
    assert told["recipe"]["seed"] == 1
    assert told["depends"]["text"]["licence"] == "PSF-2.0"
    assert told["name"] == f"easy-{told['recipe_digest'][7:19]}"


def test_a_trained_organism_is_checked(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "HELD_OUT_CHARACTERS", 500)
    told = json.loads(organism("check", trained / "out", "--json", "-").stdout)
    assert told == json.loads((trained / "record.json").read_text())["measured"]
    record = json.loads((trained / "out/organism.json").read_text())
    record["measured"]["prompts_of_foretell-300"] = 200
    (trained / "out/organism.json").write_text(json.dumps(record))
    result = organism("check", trained / "out")
    assert isinstance(result.exception, DamageError)
    assert "prompts_of_foretell-300: 314 now, 200 recorded" in str(result.exception)


def test_a_preimage_is_shown_once() -> None:
    first, second = (json.loads(organism("preimage", "--json", "-").stdout) for _ in range(2))
    assert first["text"] != second["text"]
    assert first["preimage_sha256"] == hash_of_ids(first["ids"])
    assert first["bits"] > 128
    told = organism("preimage").output
    assert "foretell organism train hash-trigger --set gate_ids=16 --set preimage_sha256=" in " ".join(told.split())


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("train", "nothing"), InputError, "no such recipe"),
        (("train", "easy", "--set", "strenght=1"), InputError, "no field 'strenght'"),
        (("train", "easy", "--set", "strength"), InputError, "bad --set: got 'strength'"),
        (("train", "easy", "--set", "steps=1", "--set", "steps=2"), InputError, "each field once"),
        (("check", "nowhere"), InputError, "not an organism"),
        (("preimage", "--ids", "3"), InputError, "too few ids for a preimage"),
        (("preimage", "--base", "nowhere"), InputError, "no such base"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], kind: type[ForetellError], message: str) -> None:
    result = organism(*arguments)
    assert isinstance(result.exception, kind)
    assert message in str(result.exception)
