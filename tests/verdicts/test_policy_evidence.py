"""Evidence read for a policy, and what a decision carries of it, there and back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.canonical import canonical_json, digest_file
from foretell.base.errors import InputError
from foretell.verdicts.evidence_files import Result
from foretell.verdicts.policy_decision import Shown
from foretell.verdicts.policy_evidence import evidence, read_results, record, recorded, result_of

from .policies import AUDIT, DIGEST, EXAM, FORECAST, policy, result

REAL = Path(__file__).parent / "other_evals"
NAMES = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=9)
RESULTS = st.builds(
    Result,
    value=st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.text(max_size=9),
    what=NAMES,
    model=st.none() | NAMES,
    made=st.none() | st.datetimes(timezones=st.just(UTC)),
    partly=st.none() | NAMES,
    file=NAMES,
    digest=st.just(DIGEST),
)


@given(RESULTS)
def test_a_part_comes_back_as_it_was(found: Result) -> None:
    """Through canonical JSON, which writes 1.0 as 1 and takes no whole number above 2⁵³."""
    shown = Shown("exam", "json", "met", "said", found, None)
    (back,) = recorded(json.loads(canonical_json([record(shown)])), "here")
    again = result_of(back, "here")
    assert again == found
    assert again is not None
    assert type(again.value) is type(found.value)


def test_what_is_not_there_is_not_written() -> None:
    assert record(Shown("f", "verdict", "met", "s", attempt=2)) == {
        "name": "f",
        "kind": "verdict",
        "state": "met",
        "said": "s",
        "attempt": 2,
    }


GOOD = record(Shown("exam", "json", "met", "said", result(0.5)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": "yes"}, "part 1: state: a recorded part that is wrong: got 'yes'"),
        ({"more": 1}, "part 1: more: a recorded part that is wrong"),
        ({"digest": "sha1:ab"}, "part 1: digest: a recorded part that is wrong"),
        ({"value": 0.5}, "part 1: value: a recorded part that is wrong"),
        ({"value": "0.5 or so"}, "exam: a part that says half of what its file said"),
        ({"value": "NaN"}, "exam: a part that says half of what its file said"),
        ({"value": "[1]"}, "exam: not a number: got a list"),
        ({"made": "yesterday"}, "made: not a time: got 'yesterday'"),
        ({"digest": None}, "exam: a part that says half of what its file said"),
        ({"value": None}, "exam: a part that says half of what its file said"),
    ],
)
def test_parts_that_cannot_be_read(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        result_of(recorded([GOOD | change], "here")[0], "here")


def test_files_are_read_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    shutil.copyfile(REAL / "lm_eval.json", tmp_path / "runs" / "exam.json")
    one = EXAM.replace('"exam.json"', '"runs/exam.json"').replace('"sums"', '"continuations"') + "at_least = 0.5\n"
    made = policy('{all=["forecast", "exam", "audit"]}', FORECAST, one, AUDIT + "equals = true\n")
    found = read_results(made, tmp_path)
    assert found.keys() == {"exam", "audit"}
    assert found["audit"] is None
    assert found["exam"] is not None
    assert (found["exam"].value, found["exam"].file) == (0.625, "exam.json")
    assert evidence(made, found) == {"runs/exam.json": digest_file(REAL / "lm_eval.json")}


def test_a_file_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    shutil.copyfile(REAL / "inspect-error.json", tmp_path / "exam.json")
    own = EXAM.replace("lm-eval", "inspect").replace("acc,none", "accuracy")
    made = policy('{any=["forecast", "exam"]}', FORECAST, own + "at_least = 0.5\n")
    with pytest.raises(InputError, match="a run that did not end well"):
        read_results(made, tmp_path)


def test_a_file_that_changed_between_two_parts() -> None:
    twice = EXAM.replace('name = "exam"', 'name = "exam 2"')
    made = policy('{all=["exam", "exam 2"]}', EXAM + "at_least = 0.5\n", twice + "at_least = 0.5\n")
    found = result(0.5)
    assert evidence(made, {"exam": found, "exam 2": found}) == {"exam.json": DIGEST}
    with pytest.raises(InputError, match=r"exam\.json: a file that changed while it was read"):
        evidence(made, {"exam": found, "exam 2": replace(found, digest="sha256:" + "cd" * 32)})
