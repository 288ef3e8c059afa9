"""A place in JSON, written as RFC 6901 has it: `/results/overall/0/score`."""

from __future__ import annotations

import re
from typing import Any

from foretell.base.errors import InputError
from foretell.verdicts.evidence_files import not_there

#: A pointer: nothing, or parts that begin with a slash; '~' only as '~0' and '~1'.
PATTERN = r"^(?:/(?:[^~/]|~[01])*)*$"
_INDEX = re.compile("0|[1-9][0-9]*")


def at_pointer(content: Any, pointer: str, where: str) -> Any:
    """What stands at a place.

    Raises:
        InputError: not a pointer, or there is no such place; the message says how far it leads and what is there.

    Source: RFC 6901, sections 3 and 4.

    >>> at_pointer({"a/b": [{"m~n": 8}]}, "/a~1b/0/m~0n", "here")
    8
    """
    if re.match(PATTERN, pointer) is None:
        raise InputError(
            "not a JSON pointer",
            where=where,
            got=repr(pointer),
            expected="parts that begin with '/', with '~1' for a slash and '~0' for a tilde in one",
            fix="Write for example /results/overall/0/score.",
        )
    gone = ""
    for part in pointer.split("/")[1:]:
        content = _below(content, part.replace("~1", "/").replace("~0", "~"), f"{where}: {gone or 'the whole'}")
        gone += f"/{part}"
    return content


def _below(content: Any, part: str, where: str) -> Any:
    if isinstance(content, dict) and part in content:
        return content[part]
    if isinstance(content, list) and _INDEX.fullmatch(part) and len(part) < len(str(len(content))) + 1:
        index = int(part)
        if index < len(content):
            return content[index]
    there = [str(key) for key in content] if isinstance(content, dict) else []
    if isinstance(content, list):
        there = [str(index) for index in range(len(content))]
    raise not_there("place", where, part, there, "Correct the pointer.")
