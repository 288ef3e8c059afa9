"""Rules measured on the shipped target: the same numbers as a score of what is published, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import InputError
from foretell.base.interval import Interval, Unscored
from foretell.distributions import DenseBlock, Distributions, DistributionWriter
from foretell.distributions.published import publish
from foretell.distributions.release import parse_rule
from foretell.evaluation import score
from foretell.information.release.release_table import ITSELF, Release, Told, told
from foretell.information.release.releasing import measure_releases
from foretell.information.undeclared.inspection import Known

RULES = ("exact", "float16", "round:2", "topk:5", "topk:2048", "noise:0.2", "temperature:1", "temperature:2")


@pytest.fixture(scope="module")
def measured(tiny_truth: Distributions, tiny_forecasts: Mapping[str, Distributions]) -> dict[str, Release]:
    panel = [Known.of_folder(tiny_truth, forecast) for forecast in tiny_forecasts.values()]
    found = measure_releases(tiny_truth, [parse_rule(spec) for spec in RULES], panel)
    assert found.record()["rules"][0]["rule"] == "exact"
    assert len(found.sentences()) == len(RULES) + 3
    return {one.rule: one for one in found.rules}


def test_exact_costs_nothing(measured: Mapping[str, Release]) -> None:
    one = measured["exact"]
    assert [error.forecast for error in one.errors] == [ITSELF, "uniform", "unigram:tiny", "model:tiny"]
    assert all(error.error == error.rms == 0 for error in one.errors)
    assert one.distortion == (0.0, 0.0)
    assert one.judgeable == 0.0
    assert (one.changes.changed, one.changes.swapped) == (0, 0)
    assert "every tolerance can be judged" in one.sentence()


def test_temperature_one_costs_nothing_and_two_costs_much(measured: Mapping[str, Release]) -> None:
    assert max(error.error for error in measured["temperature:1"].errors) < 1e-6
    assert measured["temperature:2"].worst.error > 1
    assert measured["temperature:2"].changes.reversed >= 0


def test_finer_rules_distort_less(measured: Mapping[str, Release]) -> None:
    sizes = {rule: one.distortion for rule, one in measured.items()}
    means = {rule: size[0] for rule, size in sizes.items() if not isinstance(size, Unscored)}
    assert 0 < means["float16"] < means["round:2"] < means["noise:0.2"] < means["temperature:2"]
    assert means["round:2"] == pytest.approx(0.01**2 / 24, rel=0.3)  # σ²/2 of uniform noise, less what Σp² takes off
    assert set(sizes) - set(means) == {"topk:5", "topk:2048"}


def test_lists_hold_the_exact_score(measured: Mapping[str, Release]) -> None:
    for error in measured["topk:5"].errors:
        assert error.released.lo - 1e-6 <= error.exact <= error.released.hi + 1e-6
        assert error.released.width > 0.1
    for error in measured["topk:2048"].errors:
        assert error.released.lo == pytest.approx(error.exact, abs=1e-5)
        assert error.released.hi == pytest.approx(error.exact, abs=1e-5)


def test_forty_positions_do_not_determine_bits(measured: Mapping[str, Release]) -> None:
    one = measured["round:2"]
    assert isinstance(one.state_bits.bits, Unscored)
    assert "bits not determined" in one.sentence()
    assert one.rank.status == "not determined"
    assert "the hidden width is not determined" in one.sentence()
    assert one.size_bits < measured["float16"].size_bits < measured["exact"].size_bits == 2048 * 32


@pytest.mark.parametrize("spec", ["float16", "round:2", "topk:5", "temperature:2"])
def test_what_is_published_scores_as_measured(
    spec: str,
    measured: Mapping[str, Release],
    tiny_truth: Distributions,
    tiny_forecasts: Mapping[str, Distributions],
    tmp_path: Path,
) -> None:
    one = measured[spec]
    published = publish(
        tiny_truth,
        parse_rule(spec),
        tmp_path / "out",
        noise_floor=one.noise_floor(tiny_truth.manifest["noise_floor"]),
        measured={},
        rng=np.random.default_rng(0),
    )
    result = score(published, list(tiny_forecasts.values()))
    by_name = {error.forecast: error.released for error in one.errors}
    for entry in result["forecasts"]:
        mean = entry["loss"]["mean"]
        ends = [mean["lo"], mean["hi"]] if isinstance(mean, dict) else [mean, mean]
        expected = by_name[entry["name"]]
        cap = result["settings"]["cap"]
        assert ends == pytest.approx([min(expected.lo, cap), min(expected.hi, cap)], abs=2e-5)


def test_told_by_hand() -> None:
    found = told(np.array([0.1, 0.1]), np.array([[0.05, 0.5], [0.5, 0.6], [0.4, 0.05]]), 0.0, 0.95)
    assert isinstance(found, Told)
    assert (found.family, found.bits, found.remaining) == (4, 1.0, 1)
    assert found.bits in found.bounds
    assert told(np.zeros(2), np.empty((0, 2)), 0.0, 0.95) == Unscored(
        "no model beside the target was given (--with model:TARGET)"
    )


def test_models_of_the_panel_are_the_family(measured: Mapping[str, Release]) -> None:
    exact = measured["exact"].told
    assert isinstance(exact, Told)
    assert exact.family == 2
    assert exact.remaining == 2  # the panel's model is the target itself
    assert isinstance(exact.bounds, Interval)


def test_rules_are_named_once(tiny_truth: Distributions) -> None:
    for specs, words in (([], "got no rule"), (["round:2", "round:2"], "got a rule twice")):
        with pytest.raises(InputError, match=f"nothing to compare: {words}"):
            measure_releases(tiny_truth, [parse_rule(spec) for spec in specs], [])


def test_a_forecast_is_no_truth(tiny_forecasts: Mapping[str, Distributions]) -> None:
    with pytest.raises(InputError, match="not a truth: got a forecast without a noise floor"):
        measure_releases(tiny_forecasts["uniform"], [parse_rule("round:2")], [])


def test_a_list_longer_than_the_vocabulary_is_refused(tiny_truth: Distributions) -> None:
    with pytest.raises(InputError, match="more tokens than there are: got 2049 of a vocabulary of 2048"):
        measure_releases(tiny_truth, [parse_rule("topk:2049")], [])


def test_impossible_tokens_are_no_trouble(tiny_truth: Distributions, tmp_path: Path) -> None:
    """A truth in which some token has probability zero: it is left out of the signal, and scores stay finite."""
    facts = {"role": "truth", "source": {"name": "made"}, "suite": tiny_truth.manifest["suite"], "dtype": "float32"}
    prompts = tiny_truth.prompts[:3]
    writer = DistributionWriter(tmp_path / "made", prompts, [[0, 1, 2]], tiny_truth.vocabulary, facts)
    count = sum(len(prompt.positions) for prompt in prompts)
    logs = np.full((count, 2048), -np.log(2047), np.float32)
    logs[:, 7] = -np.inf
    writer.write(0, DenseBlock(logs))
    writer.finish(noise_floor={"kl_nats": 0.0, "max_kl_nats": 0.0, "method": "made"}, measured={})
    found = measure_releases(Distributions(tmp_path / "made"), [parse_rule("round:1"), parse_rule("topk:3")], [])
    for one in found.rules:
        assert np.isfinite(one.worst.error)
