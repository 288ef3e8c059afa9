"""Definitions of composites: what each kind takes, every bad shape refused by file and field, and no cycle."""

from __future__ import annotations

from pathlib import Path

import pytest

from foretell.base.errors import InputError
from foretell.targets.composite_definition import load_definition
from foretell.targets.composite_rules import RULES, BestOfN, DraftAndVerify, Pool

EXAMPLES = Path(__file__).parents[2] / "examples" / "composites"
POOL = """
schema = "foretell.composite/1"
kind = "linear-pool"
parts = [{name = "a", target = "tiny", weight = 0.5}, {name = "b", target = "tiny@96", weight = 0.5}]
"""
BEST = """
schema = "foretell.composite/1"
kind = "best-of-n"
n = 2
parts = [{name = "judge", target = "tiny"}, {name = "drafter", target = "tiny@96"}]
"""
PATTERN = """
schema = "foretell.composite/1"
kind = "router"
rule = "pattern"
pattern = "def"
parts = [{name = "first", target = "tiny"}, {name = "otherwise", target = "tiny@96"}]
"""
CONFIDENT = PATTERN.replace('"pattern"\npattern = "def"', '"confidence"\nthreshold = 0.5')
PIPELINE = BEST.replace('"best-of-n"\nn = 2', '"pipeline"\ntokens = 3')
PIPELINE = PIPELINE.replace("judge", "writer").replace("drafter", "reader")
VERIFIED = BEST.replace('"best-of-n"\nn = 2', '"draft-and-verify"').replace("judge", "verifier")
EVERY = (POOL, POOL.replace("linear", "logarithmic"), BEST, PATTERN, CONFIDENT, PIPELINE, VERIFIED)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "composite.toml"


@pytest.mark.parametrize("text", EVERY)
def test_every_kind_is_read(text: str, file: Path) -> None:
    file.write_text(text)
    assert len(load_definition(file).parts) == 2


def test_there_is_an_example_of_every_kind_and_each_is_read() -> None:
    found = {type(load_definition(path).rule) for path in EXAMPLES.glob("*.toml")}
    assert found == set(RULES.values())


def test_the_page_shows_a_definition_and_has_every_kind_with_its_fields(file: Path) -> None:
    page = (EXAMPLES.parents[1] / "docs" / "composites.md").read_text(encoding="utf-8")
    file.write_text(page.split("```toml\n")[1].split("```")[0])
    assert isinstance(load_definition(file).rule, BestOfN)
    for (kind, rule), model in RULES.items():
        told = [line for line in page.splitlines() if line.startswith(f"| `{kind}` |") and f'"{rule}"' in f'{line}""']
        assert len(told) == 1, (kind, rule)
        fields = set(model.model_fields) - {"schema_", "kind", "rule", "parts"}
        assert all(f"`{name}`" in told[0] for name in (*fields, *model.roles)), told


def test_parts_come_in_the_order_of_their_roles(file: Path) -> None:
    file.write_text(BEST)
    definition = load_definition(file)
    assert isinstance(definition.rule, BestOfN)
    assert [(part.name, part.spec) for part in definition.parts] == [("drafter", "tiny@96"), ("judge", "tiny")]


def test_weights_are_divided_by_their_sum_and_lenience_is_1_unless_given(file: Path) -> None:
    file.write_text(POOL.replace("weight = 0.5}]", "weight = 0.4999999}]"))
    rule = load_definition(file).rule
    assert isinstance(rule, Pool)
    assert sum(rule.weights) == pytest.approx(1, abs=1e-15)
    file.write_text(VERIFIED)
    rule = load_definition(file).rule
    assert isinstance(rule, DraftAndVerify)
    assert rule.lenience == 1


@pytest.mark.parametrize(
    ("text", "change", "message"),
    [
        (POOL, ('"foretell.composite/1"', '"foretell.composite/2"'), "schema.*got 'foretell.composite/2'"),
        (POOL, ('schema = "foretell.composite/1"', ""), "toml: schema: .*got nothing, expected 'foretell.composite/1'"),
        (POOL, ('"linear-pool"', '"committee"'), "toml: kind: .*got 'committee', expected one of linear-pool, "),
        (POOL, ('"linear-pool"', "[1]"), r"toml: kind: .*got \[1\], expected one of linear-pool"),
        (POOL, ('kind = "linear-pool"', ""), "toml: kind: .*got nothing"),
        (POOL, ("weight = 0.5}]", "weight = 0.4}]"), "toml: parts: .*got 0.9, expected weights that sum to 1"),
        (POOL, ("weight = 0.5}]", "weight = -0.5}]"), r"toml: parts.1.weight: .*got -0.5, expected greater than 0"),
        (POOL, ("weight = 0.5}]", "weight = nan}]"), r"toml: parts.1.weight: .*got nan, expected "),
        (POOL, ("weight = 0.5}]", 'weight = "half"}]'), r"toml: parts.1.weight: .*got 'half', expected a valid number"),
        (POOL, (", weight = 0.5}]", "}]"), "toml: parts.1.weight: .*got nothing, expected a value"),
        (POOL, ('"b"', '"a"'), "toml: parts: .*got a, a, expected parts with names of their own"),
        (POOL, ('"b"', '"B="'), r"toml: parts.1.name: .*got 'B=', expected string should match pattern"),
        (POOL, (', {name = "b", target = "tiny@96", weight = 0.5}', ""), "toml: parts: .*at least 2 items"),
        (POOL, ('kind = "lin', 'n = 3\nkind = "lin'), "toml: n: .*got a field that this kind of composite has not"),
        (POOL, ('target = "tiny@96"', 'target = ""'), "toml: parts.1.target: .*got '', expected string should have"),
        (BEST, ("n = 2", "n = 0"), "toml: n: .*got 0, expected greater than or equal to 1"),
        (BEST, ("n = 2", "n = 2.0"), "toml: n: .*got 2.0, expected a valid integer"),
        (BEST, ("n = 2", "n = true"), "toml: n: .*got True, expected a valid integer"),
        (BEST, ("n = 2", ""), "toml: n: .*got nothing, expected a value"),
        (BEST, ('"judge"', '"jury"'), "toml: parts: .*got jury, drafter, expected the parts drafter and judge"),
        (BEST, ('"tiny"}', '"tiny", weight = 1.0}'), "toml: parts.0.weight: .*got a field that this kind"),
        (PATTERN, ('rule = "pattern"', ""), "toml: rule: .*got nothing, expected one of pattern, confidence"),
        (PATTERN, ('rule = "pattern"', 'rule = "mood"'), "toml: rule: .*got 'mood', expected one of pattern"),
        (PATTERN, ('"def"', '"(def"'), r"toml: pattern: .*got '\(def', expected a regular expression that Python"),
        (CONFIDENT, ("0.5", "1.5"), "toml: threshold: .*got 1.5, expected less than or equal to 1"),
        (CONFIDENT, ("threshold = 0.5", 'pattern = "x"'), "toml: (threshold|pattern): .*got (nothing|a field)"),
        (PIPELINE, ("tokens = 3", "tokens = 0"), "toml: tokens: .*got 0, expected greater than or equal to 1"),
        (VERIFIED, ('verify"', 'verify"\nlenience = 0'), "toml: lenience: .*got 0, expected greater than 0"),
        (POOL, ("parts = [", "parts = 1 # ["), "toml: parts: .*got 1, expected a valid list"),
        (POOL, ("parts = [", "parts = "), "toml: a composite that cannot be used: got .*, expected TOML"),
        (POOL, ('"tiny@96"', '"int8:composite:x.toml"'), "toml: parts: .*expected a model to quantise"),
    ],
)
def test_bad_definitions_are_refused_by_file_and_field(
    text: str, change: tuple[str, str], message: str, file: Path
) -> None:
    assert change[0] in text
    file.write_text(text.replace(*change))
    with pytest.raises(InputError, match=message):
        load_definition(file)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path, file: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.toml: .*got No such file"):
        load_definition(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="got Is a directory"):
        load_definition(tmp_path)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="expected TOML in UTF-8"):
        load_definition(file)
    file.write_bytes(b"#" * (1 << 21))
    with pytest.raises(InputError, match="got a larger file, expected at most 1048576 bytes"):
        load_definition(file)
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    with pytest.raises(InputError, match=r"loop.toml: .*got Too many levels of symbolic links"):
        load_definition(tmp_path / "loop.toml")


def test_paths_of_parts_are_taken_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "best.toml").write_text(BEST.replace('"tiny"', '"onnx:model"'))
    outer = tmp_path / "outer.toml"
    outer.write_text(POOL.replace('"tiny@96"', '"composite:inner/best.toml"').replace('"tiny"', '"hf:./twin"'))
    twin, best = load_definition(outer).parts
    assert twin.spec == f"hf:{tmp_path}/twin"
    assert best.spec == f"composite:{tmp_path}/inner/best.toml"
    assert best.definition is not None
    assert [part.spec for part in best.definition.parts] == ["tiny@96", f"onnx:{tmp_path}/inner/model"]


def test_a_cycle_is_refused_with_its_chain(tmp_path: Path) -> None:
    for name, inner in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.toml").write_text(POOL.replace('"tiny@96"', f'"composite:{inner}.toml"'))
    with pytest.raises(InputError, match=r"a part of itself: got a.toml → b.toml → c.toml → a.toml"):
        load_definition(tmp_path / "a.toml")
    own = tmp_path / "own.toml"
    own.write_text(POOL.replace('"tiny@96"', f'"composite:../{tmp_path.name}/own.toml"'))
    with pytest.raises(InputError, match=r"got own.toml → own.toml, expected parts that end in models"):
        load_definition(own)


def test_one_part_twice_is_no_cycle(tmp_path: Path) -> None:
    (tmp_path / "best.toml").write_text(BEST)
    twice = tmp_path / "twice.toml"
    both = '"composite:best.toml"'
    twice.write_text(POOL.replace('"tiny@96"', both).replace('"tiny"', both))
    first, second = load_definition(twice).parts
    assert first.definition == second.definition
