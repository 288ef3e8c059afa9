"""The picture of a transfer table shows every number of it, and dashes where there is none."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from foretell.reports.transfer_plot import transfer_file
from foretell.verdicts.transfer_record import transfer_record
from foretell.verdicts.transfer_units import read_units
from tests.verdicts.made_runs import FORECASTS, made_losses, made_run


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    losses = made_losses((0.1, 0.2, 0.4, 0.8, 1.6, 3.0))
    return transfer_record(
        read_units([made_run(tmp_path_factory.mktemp("runs") / "run", losses, slices=("code", 'pr<o>"se'))]),
        tolerance=0.75,
    )


def texts(record: dict[str, Any]) -> list[str]:
    svg = ElementTree.fromstring(transfer_file(record))
    return [node.text or "" for node in svg.iter() if node.tag.endswith("text")]


def test_all_numbers_are_there(record: dict[str, Any]) -> None:
    shown = texts(record)
    for name in (*FORECASTS, "code", 'pr<o>"se'):
        assert name in shown
    rho = record["correlations"][0]["spearman"]
    assert shown.count(f"{rho['value']:.3g}") >= 2
    assert any(text.startswith("Largest mean on the column’s unit among forecasts that meet 0.75") for text in shown)


def test_without_passes_and_without_correlation(record: dict[str, Any], tmp_path: Path) -> None:
    bare = copy.deepcopy(record) | {"passes": None}
    bare["correlations"] = [{"a": "code", "b": 'pr<o>"se', "unscored": "too few"}]
    shown = texts(bare)
    assert shown.count("–") == 2
    assert not any("Largest mean" in text for text in shown)
    nobody = copy.deepcopy(record)
    nobody["passes"] = [{"on": "code", "then": 'pr<o>"se', "unscored": "no forecast meets the tolerance there"}]
    assert texts(nobody).count("–") == 1
