"""How a recipe's fields are read: each of its type and within its range, an unknown one refused; no torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields
from typing import Any, TypeVar, get_type_hints

from foretell.base.errors import InputError

Made = TypeVar("Made")
#: A value of a recipe: from TOML, or as text from the command line.
Value = str | int | float | list[Any] | tuple[Any, ...]
_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple[int, ...]: "whole numbers",
    tuple[str, ...]: "texts",
}
_SEPARATOR = {tuple[int, ...]: ",", tuple[str, ...]: "|"}


def whole(default: int, least: int = 1) -> Any:
    """A field for a whole number of at least `least`."""
    return field(default=default, metadata={"least": least})


def real(default: float, least: float = 0.0, most: float = math.inf) -> Any:
    """A field for a finite number between two others."""
    return field(default=default, metadata={"least": least, "most": most})


def text(default: Any = MISSING) -> Any:
    """A field for a text that is not empty."""
    return field(default=default, metadata={"filled": True})


def make(recipe: type[Made], values: Mapping[str, Value], where: str) -> Made:
    """A recipe from its values; those that are left out have their defaults.

    Raises:
        InputError: an unknown field, a missing one, one of another type, or out of its range.
    """
    known = {one.name: one for one in fields(recipe)}  # type: ignore[arg-type]
    hints = get_type_hints(recipe)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise _refused(where, f"no field {unknown[0]!r}", f"one of {', '.join(sorted(known))}")
    absent = [name for name, one in known.items() if one.default is MISSING and name not in values]
    if absent:
        raise _refused(where, f"no {absent[0]}", f"{', '.join(absent)} given")
    taken = {name: _typed(value, hints[name], f"{where}: {name}") for name, value in values.items()}
    for name, value in taken.items():
        _check_range(value, known[name], f"{where}: {name}")
    return recipe(**taken)


def _typed(value: Value, wanted: Any, where: str) -> Any:
    """The value as its type; text is read as the type's own spelling, lists between commas or bars."""
    if wanted in _SEPARATOR:
        element: Any = int if wanted == tuple[int, ...] else str
        parts = value.split(_SEPARATOR[wanted]) if isinstance(value, str) else value
        if isinstance(parts, list | tuple):
            return tuple(_typed(part, element, where) for part in parts if part != "")
    elif wanted in (int, float) and isinstance(value, str):
        try:
            return wanted(value)
        except ValueError as error:
            raise _refused(where, repr(value), _NAMES[wanted]) from error
    elif wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif isinstance(value, wanted) and not isinstance(value, bool):
        return value
    raise _refused(where, repr(value), _NAMES[wanted])


def _check_range(value: Any, one: Field[Any], where: str) -> None:
    least, most = one.metadata.get("least"), one.metadata.get("most", math.inf)
    if least is not None and not (math.isfinite(value) and least <= value <= most):
        upper = f" and at most {most:g}" if math.isfinite(most) else ""
        raise _refused(where, str(value), f"at least {least:g}{upper}")
    if one.metadata.get("filled") and not value:
        raise _refused(where, "an empty text", "some text")


def _refused(where: str, got: str, expected: str) -> InputError:
    return InputError(
        "a recipe that cannot be used",
        where=where,
        got=got,
        expected=expected,
        fix="`foretell organism show KIND` prints a whole recipe; correct the file or the --set option.",
    )


def refuse(where: str, got: str, expected: str) -> InputError:
    """The error for a recipe whose fields do not go together."""
    return _refused(where, got, expected)
