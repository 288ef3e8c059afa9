"""A run folder holds every number of the score, and is whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from foretell.base.errors import InputError
from foretell.base.files import check_file, read_manifest
from foretell.distributions import Distributions
from foretell.evaluation import score
from foretell.scoring import METRICS
from foretell.scoring.divergences import normalised
from foretell.scoring.positions import to_dense
from foretell.verdicts.run_folder import POSITIONS, PROMPTS, SCHEMA, SCORE, TOPS, RunWriter


@pytest.fixture(scope="module")
def run(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    score(tiny_truth, list(tiny_forecasts.values()), out)
    return out


def test_every_file_is_in_the_manifest(run: Path) -> None:
    manifest = read_manifest(run, SCHEMA)
    assert sorted(manifest["files"]) == sorted([POSITIONS, PROMPTS, SCORE, TOPS])
    assert {path.name for path in run.iterdir()} == {*manifest["files"], "manifest.json"}
    for name in manifest["files"]:
        check_file(run, name, manifest)
    assert list(run.parent.iterdir()) == [run]


def test_means_follow_from_the_positions(run: Path, tiny_truth: Distributions) -> None:
    written = json.loads((run / SCORE).read_text())
    rows = pq.read_table(run / POSITIONS).to_pylist()
    assert len(rows) == len(tiny_truth) * len(written["forecasts"])
    weights = {prompt.id: prompt.weight for prompt in tiny_truth.prompts}
    for entry in written["forecasts"]:
        by_prompt: dict[str, list[dict[str, float]]] = {}
        for row in rows:
            if row["forecast"] == entry["name"]:
                by_prompt.setdefault(row["prompt"], []).append(row)
        assert {name: [row["position"] for row in own] for name, own in by_prompt.items()} == {
            prompt.id: list(prompt.positions) for prompt in tiny_truth.prompts
        }
        for metric in METRICS:
            means = {name: np.mean([row[f"{metric}_hi"] for row in own]) for name, own in by_prompt.items()}
            expected = sum(weights[name] * mean for name, mean in means.items()) / sum(weights.values())
            assert entry["metrics"][metric] == pytest.approx(expected)


def test_prompts_are_their_bytes(run: Path, tiny_truth: Distributions) -> None:
    rows = pq.read_table(run / PROMPTS).to_pylist()
    assert [row["id"] for row in rows] == [prompt.id for prompt in tiny_truth.prompts]
    assert all(b"".join(row["pieces"]).decode() == row["text"] for row in rows)


def test_tops_are_the_likeliest_of_both_sides(
    run: Path, tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions]
) -> None:
    rows = pq.read_table(run / TOPS).to_pylist()
    index = {prompt.id: i for i, prompt in enumerate(tiny_truth.prompts)}
    size = tiny_truth.vocabulary.size
    for row in rows:
        i = index[row["prompt"]]
        place = tiny_truth.prompts[i].positions.index(row["position"])
        for source, column in ((tiny_truth, "truth"), (tiny_forecasts[row["forecast"]], "forecast")):
            logprobs = normalised(to_dense(source.block(i), size).logprobs)[place]
            np.testing.assert_allclose(row[f"{column}_logprobs"], logprobs[row["token_ids"]], rtol=1e-5, atol=1e-5)
            assert int(np.argmax(logprobs)) in row["token_ids"]
        assert len(set(row["token_ids"])) == len(row["token_ids"])


def test_an_earlier_run_is_replaced_and_other_files_are_not(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    score(tiny_truth, list(tiny_forecasts.values()), out)
    score(tiny_truth, [tiny_forecasts["uniform"]], out)
    assert [entry["name"] for entry in json.loads((out / SCORE).read_text())["forecasts"]] == ["uniform"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("x")
    with pytest.raises(InputError, match="the folder is in use: got files of something else"):
        score(tiny_truth, [tiny_forecasts["uniform"]], tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes"]


def test_an_abandoned_run_leaves_nothing(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    writer.abandon()
    assert list(tmp_path.iterdir()) == []
