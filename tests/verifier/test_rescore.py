"""Scores compared: rounding is forgiven, nothing else is; folders compared with their manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foretell.base.errors import ForgeryError
from foretell.base.files import write_manifest
from foretell.verifier.folders import check_folder
from foretell.verifier.rescore import differences


@pytest.mark.parametrize(
    ("told", "again", "same"),
    [
        ({"a": 1.0}, {"a": 1.0 + 1e-7}, True),
        ({"a": 1.0}, {"a": 1.0 + 1e-3}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1.0}, {"a": 1.0, "new": 2}, True),
        ({"a": 1.0, "old": 2}, {"a": 1.0}, False),
        ({"a": None}, {"a": 0.0}, False),
        ({"a": [1.0]}, {"a": [1.0, 2.0]}, False),
        ({"a": "x"}, {"a": "y"}, False),
        ({"made_by": "x"}, {"made_by": "y"}, True),
        ({"a": {"b": [{"c": 1e-9}]}}, {"a": {"b": [{"c": 2e-9}]}}, True),
    ],
)
def test_what_counts_as_the_same(told: Any, again: Any, same: bool) -> None:
    assert (not list(differences(told, again))) is same


def test_folders(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "manifest.json").write_text("{}")
    write_manifest(folder, "test/1", {})
    check_folder(folder)
    (folder / "more").write_text("")
    with pytest.raises(ForgeryError, match="folder/more: a file that the manifest does not name"):
        check_folder(folder)
    check_folder(folder, {"more"})
