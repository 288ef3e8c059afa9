"""What a system is: every kind, and every record that is none."""

from __future__ import annotations

from typing import Any

import pytest

from foretell.base.errors import InputError
from foretell.lineage import System

WEIGHTS = {"weights": "sha256:ab"}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"kind": "person"}, "name: a system that is wrong: got nothing, expected a value"),
        ({"name": "a", "kind": "robot"}, "kind: a system that is wrong: got 'robot'"),
        ({"name": "a=b", "kind": "person"}, "name: a system that is wrong: got 'a=b'"),
        ({"name": "", "kind": "person"}, "name: a system that is wrong: got ''"),
        ({"name": "a", "kind": "person", "age": 3}, "got a field that no system has"),
        ({"name": "a", "kind": "model"}, "expected a model with 'weights' in its identity"),
        ({"name": "a", "kind": "program"}, "expected a program with 'program' in its identity"),
        ({"name": "a", "kind": "composite", "identity": WEIGHTS}, "expected parts in a composite"),
        ({"name": "a", "kind": "model", "identity": WEIGHTS, "parts": ["b"]}, "expected parts in a composite"),
        ({"name": "a", "kind": "person", "derived_from": ["b"]}, "expected weights to be derived"),
        ({"name": "a", "kind": "person", "identity": WEIGHTS}, "expected a person with no identity but a key"),
        ({"name": "a", "kind": "person", "helped_by": ["b", "b"]}, "expected other systems, each named once"),
        ({"name": "a", "kind": "person", "helped_by": ["a"]}, "expected other systems, each named once"),
        ({"name": "a", "kind": "person", "compute": {"flop": 0.0, "rule": "given"}}, "compute.flop: a system that is"),
        ("a", "got 'a', expected a table"),
    ],
)
def test_no_system(record: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        System.parse(record, "here")


def test_a_record_reads_back_as_itself() -> None:
    system = System.parse({"name": "a", "kind": "model", "identity": WEIGHTS, "derived_from": ["b"]}, "here")
    assert System.parse(system.record(), "there") == system
    assert system.record().keys() == {"name", "kind", "identity", "derived_from"}
    assert system.digest == System.parse(system.record(), "there").digest


def test_weights_that_nobody_can_see_identify_nothing() -> None:
    record = {"name": "a", "kind": "model", "identity": {"weights": "unknown: some server"}}
    assert System.parse(record, "here").fingerprint is None
