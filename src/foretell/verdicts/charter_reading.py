"""From bytes to a checked model, with every failure as an error that names the file and the field."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from foretell.base.errors import InputError

#: No charter is longer; a larger file is not worth parsing.
_MOST_BYTES = 1 << 20
_SHOWN = 120
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Kind:
    """What a file is meant to be, for its errors.

    Attributes:
        name: what it is called.
        schema: the format that it names.
        write: how to come by a right one.
        mend: what to do about a wrong field.
    """

    name: str
    schema: str
    write: str
    mend: str


CHARTER = Kind(
    "charter",
    "foretell.charter/1",
    "Write one with `foretell charter init`, and change its values only.",
    "`foretell charter init` writes every field with a comment that explains it.",
)


def read_toml(data: bytes, where: str, kind: Kind = CHARTER) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        InputError: too large, not UTF-8, or not TOML.
    """
    if len(data) > _MOST_BYTES:
        _refuse(kind, where, f"{len(data)} bytes", f"at most {_MOST_BYTES}")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        _refuse(kind, where, _short(str(error) or "nested too deep"), "TOML in UTF-8")


def _refuse(kind: Kind, where: str, got: str, expected: str) -> NoReturn:
    raise InputError(f"not a {kind.name}", where=where, got=got, expected=expected, fix=kind.write)


def validated(model: type[Model], content: dict[str, Any], where: str, kind: Kind = CHARTER) -> Model:
    """The content as a model.

    Raises:
        InputError: the first field that is missing, unknown or of a wrong value.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        more = error.error_count() - 1
        field = ".".join(str(part) for part in first["loc"])
        got, expected = _got_expected(first["type"], first["msg"], first["input"], kind)
        raise InputError(
            f"a {kind.name} that is wrong",
            where=f"{where}: {field}",
            got=got,
            expected=expected,
            fix=kind.mend + (f" {more} more field{'s are' if more > 1 else ' is'} wrong." if more else ""),
        ) from error


def _got_expected(problem: str, message: str, value: object, kind: Kind) -> tuple[str, str]:
    if problem == "missing":
        return "nothing", "a value"
    if problem == "extra_forbidden":
        return f"a field that no {kind.name} has", f"the fields of {kind.schema} only"
    if problem in ("model_type", "dict_type"):
        return _short(repr(value)), "a table"
    message = message.removeprefix("Input should be ")
    return _short(repr(value)), message[:1].lower() + message[1:]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
