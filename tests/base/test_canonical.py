"""One spelling a value, and digests that do not depend on how things were read."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.canonical import canonical_json, digest_bytes, digest_file, digest_files, digest_value, read_json

#: Larger whole numbers are read back as integers that JSON's numbers do not hold exactly.
LARGEST = 2**53 - 1
SCALARS = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | st.floats(-LARGEST, LARGEST)
TEXT = st.text(st.characters(blacklist_categories=["Cs"]))
VALUES = st.recursive(SCALARS | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=12)


@given(VALUES)
def test_it_is_json_with_sorted_names(value: object) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(TEXT, SCALARS, min_size=2))
def test_the_order_of_names_does_not_matter(value: dict[str, object]) -> None:
    assert digest_value(value) == digest_value(dict(reversed(value.items())))


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**60, b"bytes", {1: 2}, {"a": {"b": math.nan}}])
def test_what_json_has_not(value: object) -> None:
    with pytest.raises(ValueError, match="not canonical JSON"):
        canonical_json(value)


def test_digests_are_sha256(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000  # longer than one block
    path = tmp_path / "data"
    path.write_bytes(data)
    assert digest_file(path) == digest_bytes(data) == "sha256:" + hashlib.sha256(data).hexdigest()


def test_a_set_of_files_has_one_digest_by_name_and_content(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("1")
    b.write_text("2")
    first = digest_files([a, b], tmp_path)
    assert digest_files([b, a], tmp_path) == first
    assert digest_files([a], tmp_path) != first
    b.rename(tmp_path / "c")
    assert digest_files([a, tmp_path / "c"], tmp_path) != first


def test_what_stands_for_nan_is_the_readers_choice() -> None:
    assert read_json('{"a": NaN, "b": -Infinity}', str.lower) == {"a": "nan", "b": "-infinity"}
    with pytest.raises(ValueError, match="NaN is no number of JSON"):
        read_json('{"a": NaN}')
