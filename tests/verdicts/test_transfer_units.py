"""Units of a transfer table: what is read from run folders, how units are called, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretell.base.errors import DamageError, InputError
from foretell.verdicts.transfer_units import read_units

from .made_runs import FORECASTS, made_losses, made_run

MEANS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return made_run(tmp_path / "run", made_losses(MEANS[::-1], names=FORECASTS[::-1]))


def test_slices_of_one_run(run: Path) -> None:
    units = read_units([run])
    assert [unit.name for unit in units.units] == ["code", "prose"]
    assert units.forecasts == FORECASTS  # nearest first, whatever their order in the run
    assert [unit.facts["prompts"] for unit in units.units] == [40, 40]
    assert units.settings == {"metric": "kl_nats", "floor": 1e-6, "tail": "uniform", "unit": "nats"}
    expected = made_losses(MEANS[::-1], names=FORECASTS[::-1])["middle"][1::2]
    assert np.allclose(units.units[1].losses[2].lo, expected)
    assert not units.units[0].documents & units.units[1].documents


def test_whole_runs_and_their_slices(run: Path, tmp_path: Path) -> None:
    other = made_run(tmp_path / "other", made_losses(MEANS), target="u")
    units = read_units([run, other])
    assert [unit.name for unit in units.units] == ["t", "u"]
    assert units.units[0].documents == units.units[1].documents
    both = read_units([run, other], "slice")
    assert [unit.name for unit in both.units] == ["t: code", "t: prose", "u: code", "u: prose"]


def test_names_that_tell_units_apart(run: Path, tmp_path: Path) -> None:
    suite = made_run(tmp_path / "fresh", made_losses(MEANS), suite="fresh")
    assert [unit.name for unit in read_units([run, suite]).units] == ["t on s", "t on fresh"]
    again = made_run(tmp_path / "again", made_losses(MEANS))
    assert [unit.name for unit in read_units([run, again]).units] == [str(run), str(again)]


def test_the_folder_of_a_scale(tmp_path: Path) -> None:
    made_run(tmp_path / "scale" / "run", made_losses(MEANS))
    assert len(read_units([tmp_path / "scale"]).units) == 2


def test_a_golden_run_of_the_first_version() -> None:
    golden = Path(__file__).parents[1] / "golden" / "v1" / "run"
    assert json.loads((golden / "score.json").read_text())["settings"].keys().isdisjoint({"cap", "unit"})
    units = read_units([golden])
    assert units.settings["unit"] == "nats"
    assert units.units[0].losses[0].cap > 0


def test_other_forecasts_are_named_or_left_out(run: Path, tmp_path: Path) -> None:
    fewer = made_losses(MEANS)
    fewer["stranger"] = fewer.pop("far")
    other = made_run(tmp_path / "other", fewer, target="u")
    with pytest.raises(InputError, match=r"run alone has far; .*other alone has stranger.*--common"):
        read_units([run, other])
    units = read_units([run, other], common=True)
    assert units.left_out == {str(run): ["far"], str(other): ["stranger"]}
    assert units.forecasts == tuple(name for name in FORECASTS if name != "far")
    nothing = made_run(tmp_path / "nothing", made_losses(MEANS, names=[f"x{i}" for i in range(6)]), target="v")
    with pytest.raises(InputError, match=r"runs with other forecasts.*x0, x1, x2, x3, x4, x5"):
        read_units([run, nothing], common=True)


def test_a_model_folder_is_named_by_its_end(run: Path, tmp_path: Path) -> None:
    organism = made_run(tmp_path / "other", made_losses(MEANS), target="hf:/home/somebody/organisms/easy-e4073cca7b3d")
    assert [unit.name for unit in read_units([run, organism]).units][1] == "easy-e4073cca7b3d"
    twice = made_run(tmp_path / "twice", made_losses(MEANS), target="hf:/elsewhere/easy-e4073cca7b3d")
    names = [unit.name for unit in read_units([organism, twice]).units]
    assert names == ["hf:/home/somebody/organisms/easy-e4073cca7b3d", "hf:/elsewhere/easy-e4073cca7b3d"]


def test_one_unit_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing to transfer to: .*got one unit"):
        read_units([run], "run")
    with pytest.raises(InputError, match="a run twice"):
        read_units([run, tmp_path / "run" / ".." / "run"])
    with pytest.raises(InputError, match="no manifest"):
        read_units([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "tv"}, "got metric tv, expected metric kl_nats, as in"),
        ({"floor": 0.1}, "got floor 0.1, expected floor 1e-06"),
        ({"tail": "along x"}, "got tail along x"),
        ({"cap": 2.0}, "got cap 2.0, expected cap 10.0"),
    ],
)
def test_runs_scored_in_other_ways_are_refused(
    run: Path, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    other = made_run(tmp_path / "other", made_losses(MEANS), target="u", **settings)
    with pytest.raises(InputError, match=message):
        read_units([run, other])


@pytest.mark.parametrize("name", ["score.json", "positions.parquet", "prompts.parquet"])
def test_damage(run: Path, name: str) -> None:
    path = run / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamageError, match=name):
        read_units([run])
