"""The timeline: what the ledger says of each scheduled checkpoint, with references scored beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foretell.base.errors import ForgeryError
from foretell.distributions import Distributions
from foretell.evaluation import score
from foretell.watching import watch_record
from tests.watching.running import FAILED, FIRST, PASSED, SECOND, THIRD, Running

REFERENCES = 'references = ["ngram:3:tiny", "model:onnx:{run}/step-192"]'


def test_before_anything_happened_all_is_planned(running: Running) -> None:
    record = watch_record(running.watch())
    assert (record["schema"], record["run"], record["decision"]) == ("foretell.watch-record/1", "shipped", "waiting")
    assert (record["metric"], record["unit"], record["level"], record["prompts"]) == ("kl_nats", "nats", 0.95, 4)
    for one in record["checkpoints"]:
        assert (one["state"], one["tolerance"]) == ("planned", PASSED)
        assert {value for name, value in one.items() if name not in ("step", "state", "tolerance")} == {None}
    assert not running.ledger.exists()


def test_a_timeline_that_stops(running: Running) -> None:
    running = running.changed(tolerances=((0, PASSED), (SECOND, FAILED)), more=REFERENCES)
    assert [running.train(FIRST), running.train(SECOND)] == ["pass", "fail"]
    record = watch_record(running.watch())
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    first, second, third = record["checkpoints"]
    assert record["decision"] == "fail"
    assert [one["state"] for one in (first, second, third)] == ["judge", "judge", "charter"]
    assert (second["attempt"], second["tolerance"], second["decision"]) == (2, FAILED, "fail")
    assert second["forecaster"] == "model:tiny@96"
    assert second["target"]["name"] == f"onnx:{running.run}/step-384"
    assert second["committed"] < second["revealed"] < second["judged"]
    assert third["attempt"] is third["loss"] is third["references"] is None
    by_name = {one["name"]: one for one in second["references"]}
    earlier = f"model:onnx:{running.run}/step-192"
    assert {name: one["reference"] for name, one in by_name.items()} == {
        "uniform": True,
        "ngram:3:tiny": True,
        earlier: False,
    }
    assert by_name[earlier]["loss"]["mean"] < by_name["uniform"]["loss"]["mean"]


def test_references_are_scored_as_the_forecast_was(running: Running) -> None:
    running = running.changed(forecasters=((0, "ngram:2:tiny"),), more='references = ["ngram:2:tiny"]')
    running.train(FIRST)
    (told, *_) = watch_record(running.watch())["checkpoints"]
    (again,) = (one["loss"] for one in told["references"] if one["name"] == "ngram:2:tiny")
    assert again == told["loss"]
    charter = running.watch().standing(FIRST).charter
    assert charter is not None
    folder = running.ledger / "attempts/001"
    both = Distributions(folder / "truth"), [Distributions(folder / "forecast")]
    assert score(*both, judging=charter.judge_settings())["forecasts"][0]["loss"] == again


def test_a_reference_that_is_gone_says_so(running: Running) -> None:
    running = running.changed(more=REFERENCES)
    running.train(FIRST)
    for path in (running.run / "step-192").iterdir():
        path.unlink()
    (running.run / "step-192").rmdir()
    (told, *_) = watch_record(running.watch())["checkpoints"]
    (gone,) = (one for one in told["references"] if "unscored" in one["loss"])
    assert gone["name"] == f"model:onnx:{running.run}/step-192"


def test_a_checkpoint_that_nobody_forecast_is_seen(running: Running) -> None:
    running.save(FIRST)
    record = watch_record(running.watch())
    assert record["decision"] == record["checkpoints"][0]["decision"] == "unforecast"
    assert record["checkpoints"][0]["references"] is None


@pytest.mark.parametrize("name", ["score.json", "truth/manifest.json"])
def test_what_was_changed_is_refused(running: Running, name: str) -> None:
    running.train(FIRST)
    path = running.ledger / "attempts/001" / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ForgeryError, match=r"another (score\.json|truth) than was signed"):
        watch_record(running.watch())


def test_the_third_is_reached(running: Running, tmp_path: Path) -> None:
    assert [running.train(step) for step in (FIRST, SECOND, THIRD)] == ["pass"] * 3
    assert watch_record(running.watch(), references=False)["decision"] == "pass"
