"""A ladder says what it asks, is named by its bytes, and is refused with the field that is wrong."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from foretell.base.errors import InputError
from foretell.verdicts.ladder import Ladder, template

from .made_ladders import CONTENT, MMLU, content, ladder, toml

ROOT = Path(__file__).parents[2]
EXAMPLE, DOCS = ROOT / "examples" / "governance" / "ladder.toml", ROOT / "docs" / "ladder.md"
THREE = CONTENT["rungs"]


def with_rung(**fields: Any) -> list[dict[str, Any]]:
    """The second of three rungs with more fields."""
    return [THREE[0], {**THREE[1], **fields}, THREE[2]]


def table(**changes: Any) -> list[dict[str, Any]]:
    return [{**MMLU, **changes}]


def steps(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"at_least": result, "tolerance": tolerance} for result, tolerance in pairs]


def test_it_is_named_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "ladder.toml"
    path.write_text(toml(CONTENT) + "# ü\n")
    read = Ladder.read(path)
    assert read.digest == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert read.text == path.read_text()
    assert Ladder.parse(toml(CONTENT).encode()).digest != read.digest


@pytest.mark.parametrize("data", [template(), EXAMPLE.read_bytes()], ids=["template", "example"])
def test_what_is_shipped_is_a_ladder(data: bytes) -> None:
    read = Ladder.parse(data)
    assert len(read.rungs) > 2
    lines = data.decode().splitlines()
    assert max(map(len, lines)) <= 120


def test_the_table_of_the_docs_fits_the_example() -> None:
    page = DOCS.read_text(encoding="utf-8")
    (table,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    read = Ladder.parse(EXAMPLE.read_bytes() + table.encode())
    assert [own.tolerance(0.8) for own in read.capability] == [0.2]


def test_every_field_of_the_template_is_explained() -> None:
    """A comment above each field, or above the field before it."""
    lines = template().decode().splitlines()
    requirement = lines[lines.index("[requirement]") :]
    assert sum(line.startswith("#") for line in requirement) > len(Ladder.parse(template()).requirement.model_dump())


def test_a_rung_is_as_strict_as_the_rest_but_where_it_is_stricter() -> None:
    made = ladder(rungs=with_rung(tolerance=0.25, at_least=3, slices=["code", "facts"]))
    asked = [(own.tolerance, own.at_least, own.slices, own.level) for own in made.requirements]
    assert asked == [(0.5, 1, ["code"], 0.95), (0.25, 3, ["code", "facts"], 0.95), (0.5, 1, ["code"], 0.95)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": None}, r"ladder\.toml: title: a ladder that is wrong: got nothing, expected a value"),
        ({"note": "more"}, r"note: .* got a field that no ladder has, expected the fields of foretell\.ladder/1 only"),
        ({"schema": "foretell.ladder/2"}, r"schema: .* expected 'foretell\.ladder/1'"),
        ({"compute__rule": "8ND"}, r"compute\.rule: .* got '8ND', expected '6ND' or 'given'"),
        ({"requirement__metric": "top1_agreement"}, r"requirement\.metric: .* got 'top1_agreement'"),
        ({"requirement__tolerance": "0.5"}, r"requirement\.tolerance: .* got '0\.5', expected a valid number"),
        ({"requirement__tolerance": 7.0}, r"requirement\.tolerance: .* got 7, expected less than the cap of 7"),
        ({"requirement__tolerance": float("inf")}, r"requirement\.tolerance: .* got inf, expected a finite number"),
        ({"requirement__slice_tolerances": {"code": 8.0}}, r"requirement\.tolerance: .* got 8, expected less than"),
        ({"requirement__helpers": "some"}, r"requirement\.helpers: .* got 'some'"),
        ({"requirement__every_model": 1}, r"requirement\.every_model: .* got 1, expected a valid boolean"),
        ({"requirement__at_least": 0}, r"requirement\.at_least: .* got 0, expected greater than or equal to 1"),
        ({"requirement__reach": 1.5}, r"requirement\.reach: .* got 1\.5, expected less than or equal to 1"),
        ({"evaluators": ["age1abc"]}, r"evaluators\.0: .* got 'age1abc'"),
        ({"rungs": []}, r"rungs: .* got \[\]"),
        ({"rungs": with_rung(up_to_flop=0)}, r"rungs\.1\.up_to_flop: .* got 0, expected greater than 0"),
        ({"rungs": with_rung(up_to_flop=1e19)}, r"rungs\.1\.up_to_flop: .* got 1e\+19, expected more than the 1e\+19"),
        ({"rungs": with_rung(up_to_flop=1e22)}, r"rungs\.2\.up_to_flop: .* more than the 1e\+22 of rung 'b'"),
        ({"rungs": with_rung(name="a")}, r"rungs\.1\.name: .* got 'a' again, expected each once"),
        ({"rungs": with_rung(tolerance=0.6)}, r"rungs\.1: .* its tolerance shows 0\.6 nats, and 0\.5 nats is asked"),
        ({"rungs": with_rung(cap=6.0)}, r"rungs\.1: .* up to 6 says nothing of kl_nats up to 7"),
        ({"rungs": with_rung(level=0.9)}, r"rungs\.1: .* its confidence is 0\.9, and 0\.95 is asked"),
        ({"rungs": with_rung(floor=1e-3)}, r"rungs\.1: .* its floor 0\.001 is milder than 1e-06"),
        ({"rungs": with_rung(track="open")}, r"rungs\.1: .* it was on the open track"),
        ({"rungs": with_rung(helpers="declared")}, r"rungs\.1: .* help with forecasts: declared, not approved"),
        ({"rungs": with_rung(slices=["facts"])}, r"rungs\.1: .* its prompts have no slice 'code'"),
        ({"rungs": with_rung(every_model=False)}, r"rungs\.1: .* not every model of the batch has to count"),
        ({"rungs": with_rung(metric="tv")}, r"rungs\.1\.metric: .* a field that no ladder has"),
        ({"capability": table(steps=[])}, r"capability\.0\.steps: .* got \[\]"),
        ({"capability": table(steps=steps((0.3, 0.5)))}, r"steps\.0\.tolerance: .* the 0\.5 of \[requirement\]"),
        ({"capability": table(steps=steps((0.3, 0.4), (0.3, 0.2)))}, r"steps\.1\.at_least: .* got 0\.3, expected more"),
        ({"capability": table(steps=steps((0.3, 0.2), (0.6, 0.4)))}, r"steps\.1\.tolerance: .* less than 0\.2"),
        ({"capability": [MMLU, MMLU]}, r"capability\.1\.benchmark: .* got 'mmlu' again"),
        ({"capability": table(source={**MMLU["source"], "kind": "csv"})}, r"capability\.0\.source: "),
        ({"capability": table(source={**MMLU["source"], "file": "m.json"})}, r"file: .* a pattern with \{model\}"),
        ({"capability": table(source={**MMLU["source"], "file": "../{model}"})}, r"file: .* a relative path below"),
        ({"capability": table(source={**MMLU["source"], "file": "/{model}"})}, r"file: .* a relative path below"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ladder(**changes)


def test_a_cap_below_the_tolerance() -> None:
    with pytest.raises(InputError, match=r"requirement\.tolerance: .* got 0\.5, expected less than the cap of 0\.4"):
        ladder(requirement__cap=0.4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "not a ladder: .* expected TOML in UTF-8"),
        (b"title = ", "not a ladder: .* expected TOML in UTF-8"),
        (b"a = 1\na = 2", "not a ladder: .* expected TOML in UTF-8"),
        (b"#" * (1 << 21), "not a ladder: got 2097152 bytes, expected at most 1048576"),
        (b"", "a ladder that is wrong: got nothing, expected a value"),
    ],
)
def test_what_is_no_ladder(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Ladder.parse(data)


@pytest.mark.parametrize("name", ["nowhere.toml", "."])
def test_what_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no ladder: got (no such file|a folder), expected a ladder in TOML"):
        Ladder.read(tmp_path / name)


def test_content_is_what_was_written() -> None:
    terms = ladder(capability=[MMLU], leave_out={"x": "mistyped"}).model_dump(by_alias=True, exclude_defaults=True)
    assert terms == content(capability=[MMLU], leave_out={"x": "mistyped"})
