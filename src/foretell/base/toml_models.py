"""From the bytes of a TOML or JSON record to a checked model; every failure is an error that names file and field."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from foretell.base.errors import InputError

#: No file of rules is longer; a larger one is not worth parsing.
_MOST_BYTES = 1 << 20
_SHOWN = 120
_UNREADABLE: dict[type[OSError], str] = {FileNotFoundError: "no such file", IsADirectoryError: "a folder"}
Model = TypeVar("Model", bound=BaseModel)


class Part(BaseModel):
    """A table of a file: nothing unknown, nothing converted, nothing changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Form:
    """What kind of file is read, for its errors.

    Attributes:
        article, name: as in 'a charter', 'an organism recipe'.
        fix: how to get one that is right.
        schema: what its fields are those of.
    """

    name: str
    fix: str
    schema: str
    article: str = "a"

    @property
    def told(self) -> str:
        """With its article.

        >>> Form("ladder", "Write one.", "foretell.ladder/1").told
        'a ladder'
        """
        return f"{self.article} {self.name}"


def read_toml(data: bytes, where: str, form: Form) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        InputError: too large, not UTF-8, or not TOML.
    """
    if len(data) > _MOST_BYTES:
        _refuse(form, where, f"{len(data)} bytes", f"at most {_MOST_BYTES}")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        _refuse(form, where, _short(str(error) or "nested too deep"), "TOML in UTF-8")


def read_bytes(path: Path, form: Form) -> bytes:
    """The bytes of a file of rules, as they name it.

    Raises:
        InputError: no such file, or one that cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"no {form.name}",
            where=str(path),
            got=_UNREADABLE.get(type(error), str(error.strerror)),
            expected=f"{form.told} in TOML",
            fix=form.fix,
        ) from error


def _refuse(form: Form, where: str, got: str, expected: str) -> NoReturn:
    raise InputError(f"not {form.told}", where=where, got=got, expected=expected, fix=form.fix)


def validated(model: type[Model], content: Any, where: str, form: Form) -> Model:
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
        got, expected = _got_expected(first["type"], first["msg"], first["input"], form)
        raise InputError(
            f"{form.told} that is wrong",
            where=f"{where}: {field}",
            got=got,
            expected=expected,
            fix=form.fix + (f" {more} more field{'s are' if more > 1 else ' is'} wrong." if more else ""),
        ) from error


def _got_expected(kind: str, message: str, value: object, form: Form) -> tuple[str, str]:
    if kind == "missing":
        return "nothing", "a value"
    if kind == "extra_forbidden":
        return f"a field that no {form.name} has", f"the fields of {form.schema} only"
    if kind in ("model_type", "dict_type"):
        return _short(repr(value)), "a table"
    message = message.removeprefix("Input should be ").removeprefix("Value error, ")
    return _short(repr(value)), message[:1].lower() + message[1:]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
