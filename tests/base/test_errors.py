"""The error tree: drawn as it is, one exit code a family, five parts in every message."""

from __future__ import annotations

import inspect
import re

import pytest

from foretell.base import errors
from foretell.base.errors import ForetellError, missing_extra

TREE = [member for member in vars(errors).values() if inspect.isclass(member) and issubclass(member, ForetellError)]


def test_the_drawn_tree_is_the_tree() -> None:
    drawn: dict[str, tuple[str, int]] = {}
    path: list[tuple[int, str, int]] = [(0, "ForetellError", 2)]
    for line in (errors.__doc__ or "").splitlines():
        if not (match := re.match(r"^([ │├└─]*)(\w+Error)\s+(\d+)?", line)) or match[2] == "ForetellError":
            continue
        while path[-1][0] >= len(match[1]):
            path.pop()
        code = int(match[3] or path[-1][2])
        drawn[match[2]] = (path[-1][1], code)
        path.append((len(match[1]), match[2], code))
    actual = {
        error.__name__: (error.mro()[1].__name__, error.exit_code) for error in TREE if error is not ForetellError
    }
    assert drawn == actual


@pytest.mark.parametrize("error", TREE)
def test_a_message_has_its_five_parts(error: type[ForetellError]) -> None:
    raised = error("what", where="where", got="got", expected="expected", fix="Fix it.")
    assert str(raised) == "where: what: got got, expected expected. Fix it."
    fields = {"what": "what", "where": "where", "got": "got", "expected": "expected", "fix": "Fix it."}
    assert raised.parts() == {"error": error.__name__} | fields


def test_exit_codes_leave_room_for_verdicts_and_bugs() -> None:
    assert {error.exit_code for error in TREE} == {2, 3, 4, 5, 13}


def test_a_missing_extra_names_the_line_that_installs_it() -> None:
    error = missing_extra("models", "torch", where="hf:x")
    assert str(error).endswith("Run: pip install 'foretell[models]'")
    assert error.exit_code == 4
