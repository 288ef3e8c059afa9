"""JSON pointers: the standard's own examples, and how far a wrong one leads."""

from __future__ import annotations

import pytest

from foretell.base.errors import InputError
from foretell.verdicts.json_pointer import at_pointer

#: RFC 6901, section 5.
DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}
EXAMPLES = {
    "": DOCUMENT,
    "/foo": ["bar", "baz"],
    "/foo/0": "bar",
    "/": 0,
    "/a~1b": 1,
    "/c%d": 2,
    "/e^f": 3,
    "/g|h": 4,
    "/i\\j": 5,
    '/k"l': 6,
    "/ ": 7,
    "/m~0n": 8,
}


@pytest.mark.parametrize("pointer", EXAMPLES)
def test_the_examples_of_the_standard(pointer: str) -> None:
    assert at_pointer(DOCUMENT, pointer, "here") == EXAMPLES[pointer]


@pytest.mark.parametrize(
    ("pointer", "message"),
    [
        ("foo", "here: not a JSON pointer: got 'foo'"),
        ("/m~n", "here: not a JSON pointer: got '/m~n'"),
        ("/bar", "here: the whole: no such place: got 'bar', expected one of 'foo', '', 'a/b'"),
        ("/foo/2", "here: /foo: no such place: got '2', expected one of '0', '1'"),
        ("/foo/-", "here: /foo: no such place: got '-'"),
        ("/foo/00", "here: /foo: no such place: got '00'"),
        ("/foo/" + "9" * 5000, "here: /foo: no such place: got '999"),
        ("/foo/0/b", "here: /foo/0: no such place: got 'b', expected a place, and there is none"),
    ],
)
def test_pointers_to_nothing(pointer: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        at_pointer(DOCUMENT, pointer, "here")
