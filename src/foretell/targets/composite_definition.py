"""A composite's definition file: read, checked field by field, with the definitions of its parts, without a cycle."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from foretell.base.errors import InputError
from foretell.targets.composite_rules import RULES, SCHEMA, Rule
from foretell.targets.variation_specs import halves, is_variation, split

COMPOSITE = "composite"
#: No definition is longer; a larger file is not worth parsing.
_MOST_BYTES = 1 << 20
_SHOWN = 120
#: Targets whose path is taken from the definition's folder.
_FILES = ("onnx", "gguf")


@dataclass(frozen=True)
class PlacedPart:
    """A part as it can be opened.

    Attributes:
        spec: of its target, with paths from the definition's folder.
        definition: of a part that is a composite itself, None for other parts.
    """

    name: str
    spec: str
    definition: Definition | None


@dataclass(frozen=True)
class Definition:
    """A definition file with those of its parts, in the order in which the rule takes the parts."""

    file: Path
    rule: Rule
    parts: tuple[PlacedPart, ...]


def load_definition(file: Path) -> Definition:
    """Read a definition and, where parts are composites, theirs; no target is opened.

    `composite:`, `onnx:` and `gguf:` paths of parts, and `hf:` paths that begin with a dot, are relative to the
    definition's folder, so that a folder of definitions and models can travel.

    Raises:
        InputError: no such file, not TOML, a field that is missing, unknown or of a wrong value, or a composite that
            is a part of itself, however deep.
    """
    return _load(file, ())


def _load(file: Path, above: tuple[Path, ...]) -> Definition:
    content = _read(file)
    own = file.resolve()
    if own in above:
        chain = " → ".join(path.name for path in (*above[above.index(own) :], own))
        raise InputError(
            "a composite that is a part of itself",
            where=str(above[-1]),
            got=chain,
            expected="parts that end in models",
            fix="Name another target for one of these parts.",
        )
    rule = read_rule(content, str(file))
    parts = tuple(_placed(part.name, part.target, file, (*above, own)) for part in rule.ordered)
    return Definition(file, rule, parts)


def _placed(name: str, target: str, file: Path, above: tuple[Path, ...]) -> PlacedPart:
    kind, _, rest = target.partition(":")
    if kind == COMPOSITE and rest:
        inner = _load(file.parent / rest, above)
        return PlacedPart(name, f"{COMPOSITE}:{inner.file}", inner)
    return PlacedPart(name, _placed_spec(target, file), None)


def _placed_spec(target: str, file: Path) -> str:
    """A target's spec with its path from the definition's folder.

    >>> _placed_spec("int8:hf:./model", Path("parts/pool.toml")), _placed_spec("hf:owner/name", Path("pool.toml"))
    ('int8:hf:parts/model', 'hf:owner/name')
    >>> _placed_spec("mixed:0.5:hf:./a+tiny", Path("parts/pool.toml"))
    'mixed:0.5:hf:parts/a+tiny'
    """
    kind, _, rest = target.partition(":")
    if kind == "int8" and rest:
        return f"{kind}:{_placed_base(target, rest, file)}"
    if is_variation(target):
        kind, arguments, rest = split(target)
        if kind == "nudged" and not arguments[0].isdecimal():
            arguments = (str(file.parent / arguments[0]), *arguments[1:])
        bases = halves(target) if kind == "mixed" else (rest,)
        return ":".join([kind, *arguments, "+".join(_placed_base(target, base, file) for base in bases)])
    if rest and (kind in _FILES or (kind == "hf" and rest.startswith("."))):
        return f"{kind}:{file.parent / rest}"
    return target


def _placed_base(target: str, base: str, file: Path) -> str:
    if base.partition(":")[0] == COMPOSITE:
        _refuse(f"{file}: parts", repr(target), "a model to quantise or to vary")
    return _placed_spec(base, file)


def _read(file: Path) -> dict[str, Any]:
    try:
        data = file.read_bytes() if file.stat().st_size <= _MOST_BYTES else None
    except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
        _refuse(str(file), getattr(error, "strerror", None) or str(error), "a definition file that can be read")
    if data is None:
        _refuse(str(file), "a larger file", f"at most {_MOST_BYTES} bytes")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        _refuse(str(file), _short(str(error) or "nested too deep"), "TOML in UTF-8")


def read_rule(content: dict[str, Any], where: str) -> Rule:
    """The content of a definition file as a rule with its parts.

    Raises:
        InputError: the first field that is missing, unknown or of a wrong value.
    """
    if content.get("schema") != SCHEMA:
        _refuse(f"{where}: schema", _said(content, "schema"), repr(SCHEMA))
    kinds = list(dict.fromkeys(kind for kind, _ in RULES))
    kind = content.get("kind")
    if kind not in kinds:
        _refuse(f"{where}: kind", _said(content, "kind"), f"one of {', '.join(kinds)}")
    rules = [rule for other, rule in RULES if other == kind]
    rule = content.get("rule") if rules != [""] else ""
    if rule not in rules:
        _refuse(f"{where}: rule", _said(content, "rule"), f"one of {', '.join(rules)}")
    try:
        return RULES[kind, rule].model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "parts"
        got, expected = _got_expected(first["type"], first["msg"], first["input"])
        _refuse(f"{where}: {field}", got, expected)


def _said(content: dict[str, Any], field: str) -> str:
    return _short(repr(content[field])) if field in content else "nothing"


def _got_expected(kind: str, message: str, value: object) -> tuple[str, str]:
    if kind == "missing":
        return "nothing", "a value"
    if kind == "extra_forbidden":
        return "a field that this kind of composite has not", "the fields of its kind only"
    if kind == "value_error":  # of our own validators, which say what they got
        expected, _, got = message.removeprefix("Value error, ").partition(", not ")
        return got.removeprefix("to ") or _short(repr(value)), expected
    message = message.removeprefix("Input should be ")
    return _short(repr(value)), message[:1].lower() + message[1:]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _refuse(where: str, got: str, expected: str) -> NoReturn:
    raise InputError(
        "a composite that cannot be used",
        where=where,
        got=got,
        expected=expected,
        fix="docs/composites.md has every field of every kind; examples/composites/ has one file of each.",
    )
