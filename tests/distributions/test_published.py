"""A released truth on disk: it says that it was altered, and tolerances below its noise are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretell.base.errors import InputError, ToleranceError
from foretell.distributions import DenseBlock, Distributions, TopKBlock
from foretell.distributions.published import publish
from foretell.distributions.release import full_logprobs, parse_rule
from foretell.evaluation import score
from foretell.verdicts.judging import JudgeSettings

NOISE = {"kl_nats": 0.25, "max_kl_nats": 0.5, "method": "said so"}


def published(truth: Distributions, spec: str, out: Path, seed: int = 0, **more: Any) -> Distributions:
    rng = np.random.default_rng(seed)
    return publish(truth, parse_rule(spec), out, noise_floor=NOISE, measured={"a": 1}, rng=rng, **more)


def test_the_manifest_says_that_it_was_altered(tiny_truth: Distributions, tmp_path: Path) -> None:
    made = published(tiny_truth, "round:1", tmp_path / "out")
    manifest = made.manifest
    assert made.name == "tiny released by round:1"
    assert manifest["source"]["weights"] == tiny_truth.manifest["source"]["weights"]
    assert manifest["role"] == "truth"
    assert manifest["release"]["rule"] == "round:1"
    assert manifest["release"]["normalised"] is False
    assert manifest["release"]["of"].startswith("sha256:")
    assert manifest["noise_floor"] == NOISE
    assert manifest["measured"] == {"a": 1}
    assert made.prompts == tiny_truth.prompts


def test_rows_are_what_the_rule_gives_and_nothing_is_renormalised(tiny_truth: Distributions, tmp_path: Path) -> None:
    made = published(tiny_truth, "round:1", tmp_path / "out")
    for index in range(len(made.prompts)):
        block = made.block(index)
        assert isinstance(block, DenseBlock)
        exact = full_logprobs(tiny_truth.block(index), "test")
        assert block.logprobs == pytest.approx(np.round(exact, 1), abs=1e-5)
    half, listed = (published(tiny_truth, spec, tmp_path / spec) for spec in ("float16", "topk:5"))
    assert half.manifest["dtype"] == "float16"
    block = half.block(0)
    assert isinstance(block, DenseBlock)
    assert block.logprobs.dtype == np.float16
    assert listed.kind == "topk"
    assert isinstance(listed.block(0), TopKBlock)


def test_a_tolerance_below_the_raised_noise_is_refused(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions], tmp_path: Path
) -> None:
    made = published(tiny_truth, "round:1", tmp_path / "out")
    forecast = [tiny_forecasts["uniform"]]
    with pytest.raises(ToleranceError, match=r"got 0.2 nats.*at least the truth's noise floor of 0.25 nats"):
        score(made, forecast, judging=JudgeSettings(tolerance=0.2))
    assert score(made, forecast, judging=JudgeSettings(tolerance=0.3))["forecasts"][0]["verdict"]["decision"] == "fail"


def test_noise_is_drawn_once_a_publication(tiny_truth: Distributions, tmp_path: Path) -> None:
    first, again = (published(tiny_truth, "noise:0.1", tmp_path / "a", seed) for seed in (1, 2))
    other = published(tiny_truth, "noise:0.1", tmp_path / "b", 2)
    one, two, three = (made.block(0) for made in (first, again, other))
    assert isinstance(one, DenseBlock)
    assert isinstance(two, DenseBlock)
    assert isinstance(three, DenseBlock)
    assert (one.logprobs == two.logprobs).all()  # the finished folder is not made again
    assert not (one.logprobs == three.logprobs).any()


def test_a_stopped_publication_goes_on(tiny_truth: Distributions, tmp_path: Path) -> None:
    def stop(task: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        published(tiny_truth, "round:1", tmp_path / "out", progress=stop)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert len(published(tiny_truth, "round:1", tmp_path / "out")) == len(tiny_truth)


def test_what_is_refused(tiny_truth: Distributions, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing to alter.*a rule that alters the truth"):
        published(tiny_truth, "exact", tmp_path / "out")
    with pytest.raises(InputError, match="more tokens than there are"):
        published(tiny_truth, "topk:2049", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    listed = published(tiny_truth, "topk:5", tmp_path / "listed")
    with pytest.raises(InputError, match="a truth that was cut already"):
        published(listed, "topk:2", tmp_path / "out")
    published(tiny_truth, "round:1", tmp_path / "out")
    with pytest.raises(InputError, match="the folder is in use"):
        published(tiny_truth, "round:2", tmp_path / "out")
