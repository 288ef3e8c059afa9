"""Benchmark results of a ladder's models: read from genuine files, or unknown with the reason."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from foretell.base.canonical import digest_file
from foretell.base.interval import Unscored
from foretell.verdicts.ladder_batch import Model
from foretell.verdicts.ladder_results import by_model, file_name, read_capabilities

from .made_ladders import MMLU, ladder, model

LOGS = Path(__file__).parent / "other_evals"
LM_EVAL = {"kind": "lm-eval", "file": "{model}/results_*.json", "task": "continuations", "metric": "acc,none"}
INSPECT = {"kind": "inspect", "file": "{model}.eval", "task": "sums", "metric": "accuracy", "scorer": "match"}
M = model("org/m:1", 1e18, names=("org/m:1", "again"))


def read(folder: Path | None, source: dict[str, Any], one: Model = M) -> float | str:
    """The result, or why it is unknown."""
    made = ladder(capability=[{**MMLU, "source": source}])
    (found,) = read_capabilities(made, [one], folder)
    assert by_model([found]) == {one.name: {"mmlu": found.value}}
    record = found.record()
    if isinstance(found.value, Unscored):
        assert record == {"model": one.name, "benchmark": "mmlu", "unknown": found.value.reason}
        return found.value.reason
    assert (record["result"], record["digest"][:7]) == (found.value, "sha256:")
    return found.value


def put(log: str, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(LOGS / log, to)
    return to


def test_genuine_results_of_lm_eval(tmp_path: Path) -> None:
    there = put("lm_eval.json", tmp_path / "org__m__1" / "results_2025-01-01T00-00-00.json")
    assert read(tmp_path, LM_EVAL) == 0.625
    (found,) = read_capabilities(ladder(capability=[{**MMLU, "source": LM_EVAL}]), [M], tmp_path)
    assert found.record() == {
        "model": "org/m:1",
        "benchmark": "mmlu",
        "result": 0.625,
        "what": "continuations acc,none",
        "model_in_file": "tiny",
        "file": there.name,
        "digest": digest_file(there),
    }


@pytest.mark.parametrize("log", ["inspect.eval", "inspect.json"])
def test_genuine_logs_of_inspect(log: str, tmp_path: Path) -> None:
    put(log, tmp_path / "again.eval")  # under its other name
    assert read(tmp_path, INSPECT) == 0.6


def test_any_json(tmp_path: Path) -> None:
    (tmp_path / "again.json").write_text(json.dumps({"mmlu": 1}))
    assert read(tmp_path, MMLU["source"]) == 1.0


@pytest.mark.parametrize(
    ("log", "source", "reason"),
    [
        ("lm_eval-limited.json", LM_EVAL, r"r.json: only run on 3 of 8 samples"),
        ("lm_eval.json", {**LM_EVAL, "task": "mmlu"}, r"no such task: got 'mmlu', expected .*continuations"),
        ("lm_eval.json", {**LM_EVAL, "metric": "f1"}, r"no such metric: got 'f1'"),
        ("inspect-error.json", INSPECT, r"a run that did not end well: got "),
        ("inspect-limited.json", INSPECT, r"r.json: only run .+"),
        ("make_lm_eval_results.py", LM_EVAL, r"JSON"),
    ],
)
def test_what_is_no_whole_result_is_unknown(log: str, source: dict[str, str], reason: str, tmp_path: Path) -> None:
    put(log, tmp_path / "again" / "r.json")
    found = read(tmp_path, {**source, "file": "{model}/r.json"})
    assert isinstance(found, str)
    assert re.fullmatch(f"again/r.json.*{reason}.*|{reason}", found), found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"mmlu": NaN}', "not a number"),
        ('{"mmlu": true}', "not a number"),
        ('{"mmlu": "0.5"}', "not a number"),
        ('{"mmlu": 1e999}', "not a number"),
        ('{"mmlu": {}}', "not a number"),
        ("{}", "mmlu"),
        ("[", "JSON"),
    ],
)
def test_what_is_no_number_is_unknown(content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "again.json").write_text(content)
    found = read(tmp_path, MMLU["source"])
    assert isinstance(found, str)
    assert reason in found


def test_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    assert read(None, LM_EVAL) == "no folder of results was given (--results)"
    assert read(tmp_path / "nowhere", LM_EVAL) == ("no files match org__m__1/results_*.json or again/results_*.json")
    put("lm_eval.json", tmp_path / "again" / "results_1.json")
    put("lm_eval.json", tmp_path / "again" / "results_2.json")
    assert read(tmp_path, LM_EVAL) == "2 files match org__m__1/results_*.json or again/results_*.json"
    (tmp_path / "again.json").mkdir()
    assert read(tmp_path, MMLU["source"]) == "no files match org__m__1.json or again.json"


def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('{"mmlu": 0.1}')
    inside = tmp_path / "results"
    inside.mkdir()
    for name in ("../secret", "..", str(tmp_path / "secret"), "*", "sec[r]et"):
        source = {**MMLU["source"], "file": "{model}/secret.json" if name == ".." else "{model}.json"}
        found = read(inside, source, model(name, 1e18))
        assert isinstance(found, str), name
        assert file_name(name) not in ("*", "sec[r]et")
