"""`foretell plan`: from a practice run to a number of prompts, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import InputError
from foretell.cli.app import app
from foretell.distributions import Distributions
from foretell.evaluation import score
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.run_folder import read_losses, read_score


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


@pytest.fixture(scope="module")
def practice(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("practice") / "run"
    score(tiny_truth, list(tiny_forecasts.values()), out)
    return out


@pytest.mark.parametrize("metric", ["kl_nats", "tv"])
def test_losses_read_back_are_those_that_were_scored(
    practice: Path, tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions], metric: str
) -> None:
    judging = JudgeSettings(metric=metric)
    result = score(tiny_truth, [tiny_forecasts["unigram:tiny"]], judging=judging)["forecasts"][0]
    losses = read_losses(practice, "unigram:tiny", metric, judging.cap_for(tiny_truth.vocabulary.size))
    assert float(losses.weights @ losses.hi / losses.weights.sum()) == pytest.approx(result["loss"]["mean"])
    by_id = {prompt.id: prompt for prompt in tiny_truth.prompts}
    assert set(losses.prompts) == set(by_id)
    for name, slice_name, document, weight in zip(
        losses.prompts, losses.slices, losses.clusters, losses.weights, strict=True
    ):
        prompt = by_id[name]
        assert (slice_name, document, weight) == (prompt.slice, prompt.document, prompt.weight)


def test_a_plan_in_words(practice: Path) -> None:
    said = run("--run", practice, "--tolerance", "6", "--forecast", "unigram:tiny", "--judge-slice", "code")
    assert said.exit_code == 0, said.output
    words = " ".join(said.output.split())
    assert "prompts give a forecaster like unigram:tiny in 8 prompts of practice a pass with a power of" in words
    assert "times the truth's own noise of" in words or "The truth's own noise is 0." in words
    assert "Of what is judged, " in words
    assert "unigram:tiny" in words
    assert "uniform" in words


def test_a_plan_as_json(practice: Path) -> None:
    said = run("--run", practice / "score.json", "--tolerance", "0.5", "--metric", "tv", "--json", "-")
    made = json.loads(said.stdout)
    assert made["schema"] == "foretell.plan/1"
    assert made["aim"] | {"tolerance": 0.5, "metric": "tv", "unit": "total variation", "cap": 1.0} == made["aim"]
    # By default the best forecast that is no reference: the target's own copy.
    assert made["practice"] == {"forecast": "model:tiny", "prompts": 8, "documents": 4}
    plan = made["plan"]
    assert plan["deserved"] == "pass"
    assert plan["power"] >= 0.8
    assert plan["simulated"]["lo"] <= plan["power"] <= plan["simulated"]["hi"]
    assert {"level", "method", "replicates"} <= set(plan["simulated"])
    assert plan["alone"].keys() == {"whole suite"}
    entries = read_score(practice)["forecasts"]
    means = {entry["name"]: entry["metrics"]["tv"] for entry in entries}
    for entry in made["scale"]["forecasts"]:
        assert entry["mean"] == pytest.approx(means[entry["name"]])
    ordered = sorted(means, key=means.__getitem__)
    under = int(np.sum([means[name] <= 0.5 for name in ordered]))
    assert made["scale"]["between"] == [ordered[under - 1], ordered[under]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tolerance", "0.5", "--forecast", "nobody"), "no such forecast: got 'nobody'"),
        (("--tolerance", "0.5", "--judge-slice", "maths"), "--judge-slice: a plan for nothing: got 'maths'"),
        (("--tolerance", "0.5", "--judge-slice", "code=x"), "not a tolerance: got 'code=x'"),
        (("--tolerance", "0"), "tolerance, whole suite: a plan for nothing"),
        (("--tolerance", "0.5", "--metric", "top1_agreement"), "no such loss"),
        (("--tolerance", "0.5", "--power", "1"), "--power: a plan for nothing"),
    ],
)
def test_what_is_refused(practice: Path, options: tuple[str, ...], message: str) -> None:
    refused = run("--run", practice, *options)
    assert isinstance(refused.exception, InputError), refused.output
    assert message in str(refused.exception)


def test_another_folder(tmp_path: Path) -> None:
    refused = run("--run", tmp_path, "--tolerance", "0.5")
    assert isinstance(refused.exception, InputError)
    assert "no manifest" in str(refused.exception)


def test_score_by_another_metric(tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions]) -> None:
    folders = [part for made in tiny_forecasts.values() for part in ("--forecast", str(made.folder))]
    command = ["score", "--truth", str(tiny_truth.folder), *folders, "--metric", "tv", "--tolerance", "0.5"]
    said = CliRunner().invoke(app, [*command, "--judge-slice", "all"])
    assert "total variation, 95% bounds, tolerance 0.5" in said.output
    assert "nats" not in said.output
    made = json.loads(CliRunner().invoke(app, [*command, "--json", "-"]).stdout)
    assert (made["settings"]["metric"], made["settings"]["cap"]) == ("tv", 1.0)
    refused = CliRunner().invoke(app, [*command, "--metric", "top1_agreement"])
    assert isinstance(refused.exception, InputError)
