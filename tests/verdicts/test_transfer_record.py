"""transfer.json: its numbers follow from the losses, its bounds hold together, and its sentences turn with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from foretell.scoring.confidence import mean_bounds
from foretell.verdicts.transfer_record import transfer_record
from foretell.verdicts.transfer_units import read_units

from .made_runs import FORECASTS, made_losses, made_run

MEANS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.0)


def table(folder: Path, means: tuple[float, ...], tolerance: float | None = 0.75, **other: Any) -> dict[str, Any]:
    """Forecasts with MEANS on one target, and with other means on another."""
    made_run(folder / "a", made_losses(MEANS, 160), target="base")
    made_run(folder / "b", made_losses(means, 160, seed=1), target="organism", **other)
    return transfer_record(read_units([folder / "a", folder / "b"]), tolerance=tolerance)


def test_numbers_follow_from_the_losses(tmp_path: Path) -> None:
    record = table(tmp_path, MEANS)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["schema"] == "foretell.transfer/1"
    losses = made_losses(MEANS, 160)
    first = record["losses"][0]
    own, wide = (mean_bounds(losses["near"], 10.0, level) for level in (0.95, 1 - 0.05 / 12))
    assert first["mean"] == pytest.approx(losses["near"].mean())
    assert (first["lo"], first["hi"]) == pytest.approx((own.lo, own.hi))
    assert (first["together"]["lo"], first["together"]["hi"]) == pytest.approx((wide.lo, wide.hi))
    assert record["settings"]["together"] == {"cells": 12, "level_each": pytest.approx(1 - 0.05 / 12)}
    assert record["shared_documents"] == [{"a": "base", "b": "organism", "documents": 160}]
    assert any("1 pair of units shares documents, 160 at most" in line for line in record["sentences"])


def test_an_order_that_carries_over_and_one_that_is_turned(tmp_path: Path) -> None:
    kept = table(tmp_path / "kept", MEANS)["correlations"][0]
    assert kept["spearman"] == {"value": pytest.approx(1.0), "lo": pytest.approx(1.0), "hi": pytest.approx(1.0)}
    assert kept["pairs"] == {"agree": 15, "disagree": 0, "open": 0}
    turned = table(tmp_path / "turned", MEANS[::-1])
    rho = turned["correlations"][0]["spearman"]
    assert (rho["value"], rho["hi"]) == (pytest.approx(-1.0), pytest.approx(-1.0))
    assert "rank correlation -1 (-1 to -1; Spearman)" in turned["sentences"][0]
    means = [made_losses(m, 160, seed=s) for m, s in ((MEANS, 0), ((3.0, 0.2, 0.4, 0.8, 0.1, 1.6), 1))]
    expected = stats.spearmanr(*([one[name].mean() for name in FORECASTS] for one in means)).statistic
    mixed = table(tmp_path / "mixed", (3.0, 0.2, 0.4, 0.8, 0.1, 1.6))["correlations"][0]
    assert mixed["spearman"]["value"] == pytest.approx(expected)
    assert mixed["spearman"]["lo"] <= expected <= mixed["spearman"]["hi"]
    assert mixed["kendall"]["lo"] <= mixed["kendall"]["value"] <= mixed["kendall"]["hi"]


def test_what_a_pass_was_worth(tmp_path: Path) -> None:
    record = table(tmp_path, (2.5, 0.2, 0.4, 0.8, 1.6, 3.0))
    there = next(one for one in record["passes"] if one["on"] == "base")
    cells = {(one["unit"], one["forecast"]): one for one in record["losses"]}
    met = [name for name in FORECASTS if cells["base", name]["hi"] <= 0.75]
    assert sorted(there["met_by"]) == sorted(met)
    assert "near" in met
    assert there["worst"] == "near"
    assert there["lo"] == cells["organism", "near"]["together"]["lo"]
    assert there["hi"] == max(cells["organism", name]["together"]["hi"] for name in met)
    assert there["miss"] == 1
    line = next(one for one in record["sentences"] if one.startswith("Where a pass was worth least"))
    assert "0.75 nats on base is met by" in line
    assert "(near; " in line
    same = table(tmp_path / "same", MEANS)
    line = next(one for one in same["sentences"] if one.startswith("Where a pass was worth least"))
    assert ", 0 miss it" in line


def test_a_tolerance_that_nobody_meets_and_none_at_all(tmp_path: Path) -> None:
    nobody = table(tmp_path / "nobody", MEANS, tolerance=0.01)
    assert [one["unscored"] for one in nobody["passes"]] == ["no forecast meets the tolerance there"] * 2
    assert (
        "No forecast meets 0.01 nats on any unit, so nothing is known of what a pass is worth." in nobody["sentences"]
    )
    none = table(tmp_path / "none", MEANS, tolerance=None)
    assert none["passes"] is None
    assert "decision" not in none["losses"][0]


def test_what_has_no_correlation_says_why(tmp_path: Path) -> None:
    wide = table(tmp_path / "wide", MEANS, wide=0.1)
    assert wide["correlations"][0] == {
        "a": "base",
        "b": "organism",
        "unscored": "organism: losses are known within intervals only",
    }
    assert "Without a rank correlation: organism: losses are known within intervals only." in wide["sentences"]
    mean = wide["losses"][6]["mean"]
    assert mean["hi"] == pytest.approx(mean["lo"] + 0.1)
    few = made_run(tmp_path / "few", made_losses(MEANS[:4], names=FORECASTS[:4]))
    assert "4 forecasts" in transfer_record(read_units([few]))["correlations"][0]["unscored"]
    twins = made_losses(MEANS)
    twins["far"] = twins["near"]
    copied = transfer_record(read_units([made_run(tmp_path / "copied", twins)]))["correlations"][0]["unscored"]
    assert "lose the same on every document (in this order: near, far, nearer" in copied


def test_the_same_runs_give_the_same_table(tmp_path: Path) -> None:
    """Resampling is fixed by the losses: another unit beside them, or another call, changes no order."""
    close = (0.5, 0.52, 0.54, 0.56, 0.58, 0.6)
    first = table(tmp_path, close)
    again = transfer_record(read_units([tmp_path / "a", tmp_path / "b"]), tolerance=0.75)
    assert first == again
    assert first["correlations"][0]["pairs"]["open"] > 0
    assert np.sign(first["correlations"][0]["spearman"]["value"]) == 1
