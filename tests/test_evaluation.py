"""The whole flow on the shipped target: what it gives, what it refuses, and that a stopped run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretell.base.errors import DistributionError, ForetellError, InputError, ToleranceError, VocabularyError
from foretell.distributions import Block, DenseBlock, Distributions, TokenizedPrompt, TopKBlock, Vocabulary
from foretell.evaluation import collect, make_forecast, score
from foretell.scoring import ScoreSettings
from foretell.suites import Suite
from foretell.targets.target import Target
from foretell.verdicts.judging import JudgeSettings

Read = Callable[[Path], dict[str, bytes]]


class Scripted:
    """A forecaster whose blocks come from a function of the prompt."""

    name = "scripted"

    def __init__(self, answer: Callable[[TokenizedPrompt], Block]) -> None:
        self.answer, self.prepared = answer, 0

    def describe(self) -> dict[str, Any]:
        return {"forecaster": "scripted"}

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        self.prepared += len(prompts)

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        return self.answer(prompt)


def flat(size: int) -> Callable[[TokenizedPrompt], DenseBlock]:
    return lambda prompt: DenseBlock(np.full((len(prompt.positions), size), -np.log(size), np.float32))


def forecast(
    truth: Distributions, out: Path, answer: Callable[[TokenizedPrompt], Block], **options: Any
) -> Distributions:
    return make_forecast(
        Scripted(answer), truth.prompts, truth.vocabulary, out, suite=truth.manifest["suite"], **options
    )


def test_a_truth_is_bound_to_what_made_it(tiny: Target, tiny_truth: Distributions, small_suite: Suite) -> None:
    manifest = tiny_truth.manifest
    assert manifest["role"] == "truth"
    assert manifest["source"] == tiny.identity.record()
    assert manifest["suite"] == {"name": "small", "digest": small_suite.digest}
    assert 0 <= manifest["noise_floor"]["kl_nats"] < 1e-6
    assert tiny_truth.kind == "factored"
    assert manifest["measured"]["factored_error_nats"] <= 1e-4
    assert [prompt.text for prompt in tiny_truth.prompts] == [prompt.text for prompt in small_suite]


@pytest.mark.parametrize(("kind", "dtype"), [("dense", "float32"), ("dense", "float16"), ("factored", "float32")])
def test_every_kind_tells_the_same_truth(
    kind: str, dtype: str, tiny: Target, tiny_truth: Distributions, small_suite: Suite, tmp_path: Path
) -> None:
    other = collect(tiny, small_suite, tmp_path / "truth", kind=kind, dtype=dtype)
    assert other.kind == kind
    result = score(tiny_truth, [other])
    bound = other.manifest["measured"].get("rounding_kl_nats", 0.0) * 20 + 1e-5
    assert result["forecasts"][0]["kl_nats"]["mean"] < bound
    assert ("rounding_kl_nats" in other.manifest["measured"]) == (dtype == "float16")


def test_the_ranking_and_the_best_that_can_be(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions]
) -> None:
    result = score(tiny_truth, list(tiny_forecasts.values()), judging=JudgeSettings(tolerance=0.5))
    entries = {entry["name"]: entry for entry in result["forecasts"]}
    assert result["forecasts"][0]["name"] == "model:tiny"
    # The floor costs the copy about ε.
    assert 0 <= entries["model:tiny"]["kl_nats"]["mean"] < 1e-4
    assert entries["model:tiny"]["metrics"]["top1_agreement"] == 1
    assert entries["uniform"]["metrics"]["kl_nats"] == pytest.approx(
        np.log(tiny_truth.vocabulary.size) - result["truth"]["entropy_nats"], rel=1e-4
    )
    assert [entries[name]["reference"] for name in ("uniform", "unigram:tiny", "model:tiny")] == [True, True, False]
    assert result["truth"]["max_kl_nats"] == ScoreSettings().largest_kl_nats(tiny_truth.vocabulary.size)
    json.dumps(result, allow_nan=False)


def test_no_floor_and_a_forecast_of_zeros(tiny_truth: Distributions, tmp_path: Path) -> None:
    def certain(prompt: TokenizedPrompt) -> DenseBlock:
        rows = np.full((len(prompt.positions), tiny_truth.vocabulary.size), -np.inf, np.float32)
        rows[:, 7] = 0.0
        return DenseBlock(rows)

    result = score(
        tiny_truth, [forecast(tiny_truth, tmp_path / "f", certain)], tmp_path / "run", settings=ScoreSettings(0.0)
    )
    entry = result["forecasts"][0]
    assert entry["kl_nats"]["mean"] == pytest.approx(np.log(tiny_truth.vocabulary.size))  # the cap
    assert entry["capped_prompts"] == len(tiny_truth.prompts)
    assert entry["metrics"]["kl_nats"]["unscored"].startswith("infinite")
    assert result["truth"]["max_kl_nats"] is None


def test_a_top_k_truth_is_scored_within_its_interval(tiny_truth: Distributions, tmp_path: Path) -> None:
    """The same forecast against the truth's top 20 and against all of it, with lists of unequal length."""
    size = tiny_truth.vocabulary.size

    def listed(prompt: TokenizedPrompt) -> TopKBlock:
        k = 3 + len(prompt.token_ids) % 4
        ids = np.tile(np.arange(k), (len(prompt.positions), 1))
        return TopKBlock(ids, np.full(ids.shape, np.log(0.5 / k)), np.full(len(ids), np.log(0.5)))

    made = forecast(tiny_truth, tmp_path / "f", listed)
    assert made.kind == "topk"
    uniform = forecast(tiny_truth, tmp_path / "u", flat(size))
    plain = score(tiny_truth, [made])["forecasts"][0]
    along = score(tiny_truth, [made], tail=uniform)
    assert along["forecasts"][0]["kl_nats"]["mean"] == pytest.approx(plain["kl_nats"]["mean"], rel=1e-5)
    assert along["settings"]["tail"] == "along scripted"


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            lambda v: np.log(np.full((1, v), 0.5 / v)),
            DistributionError,
            "forecaster scripted, shard 0, row 0: .*sum to 0.5",
        ),
        (lambda v: np.full((1, v), np.nan), DistributionError, r"row 0, entry 0: .*NaN"),
        (lambda v: np.full((1, v), np.inf), DistributionError, r"\+inf"),
        (lambda v: np.full((1, v - 1), -np.log(v - 1)), VocabularyError, "another vocabulary"),
    ],
)
def test_what_is_no_forecast_leaves_nothing(
    answer: Callable[[int], np.ndarray],
    error: type[ForetellError],
    message: str,
    tiny_truth: Distributions,
    tmp_path: Path,
) -> None:
    row = answer(tiny_truth.vocabulary.size)
    with pytest.raises(error, match=message):
        forecast(tiny_truth, tmp_path / "f", lambda prompt: DenseBlock(np.repeat(row, len(prompt.positions), axis=0)))
    assert list(tmp_path.iterdir()) == []


def test_a_forecast_of_several_kinds_leaves_nothing(tiny_truth: Distributions, tmp_path: Path) -> None:
    size = tiny_truth.vocabulary.size

    def mixed(prompt: TokenizedPrompt) -> Block:
        if prompt.id == tiny_truth.prompts[3].id:
            return TopKBlock(np.array([[0]]), np.log([[0.5]]), np.log([0.5]))
        return flat(size)(prompt)

    with pytest.raises(DistributionError, match="blocks of different kinds"):
        forecast(tiny_truth, tmp_path / "f", mixed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "message"),
    [(8, "target tiny, shard 0, row .*NaN"), (1, "target tiny, prompt '.*': a target that contradicts itself")],
    ids=["in the batch", "alone"],
)
def test_what_is_no_truth_leaves_nothing(
    size: int, message: str, tiny: Target, small_suite: Suite, tmp_path: Path
) -> None:
    class Broken:
        """The shipped target, with NaN for the last prompt of batches of a size."""

        def __getattr__(self, name: str) -> Any:
            return getattr(tiny, name)

        def distributions(self, batch: Any, positions: Any, kind: str) -> list[Block]:
            blocks = tiny.distributions(batch, positions, kind)
            bad = blocks[-1]
            assert isinstance(bad, DenseBlock)
            return [*blocks[:-1], replace(bad, logprobs=bad.logprobs * np.nan)] if len(batch) == size else blocks

    broken: Any = Broken()
    with pytest.raises(DistributionError, match=message):
        collect(broken, small_suite, tmp_path / "truth", kind="dense")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "topk"}, "a kind that this target does not give"),
        ({"kind": "nonsense"}, "a kind that this target does not give"),
        ({"dtype": "float99"}, "unknown precision"),
    ],
)
def test_bad_options_write_nothing(
    options: dict[str, Any], message: str, tiny: Target, small_suite: Suite, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        collect(tiny, small_suite, tmp_path / "truth", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_truth_of_another_suite_or_vocabulary(
    tiny: Target, tiny_truth: Distributions, small_suite: Suite, tmp_path: Path
) -> None:
    other = collect(tiny, Suite("few", small_suite.prompts[:3]), tmp_path / "few")
    run = tmp_path / "run"
    with pytest.raises(DistributionError, match="other prompts: got 5 missing"):
        score(tiny_truth, [other], run)
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(tiny_truth.vocabulary.path.read_text() + " ")
    vocabulary = Vocabulary(tokenizer, tiny_truth.vocabulary.size)
    foreign = make_forecast(
        Scripted(flat(vocabulary.size)),
        tiny_truth.prompts,
        vocabulary,
        tmp_path / "f",
        suite=tiny_truth.manifest["suite"],
    )
    with pytest.raises(VocabularyError, match="another vocabulary"):
        score(tiny_truth, [foreign], run)
    assert not run.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "few", "tokenizer.json"]


def test_a_tolerance_under_the_noise_floor(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tiny_truth.manifest, "noise_floor", {"kl_nats": 1e-3, "max_kl_nats": 1e-3, "method": "test"})
    judging = JudgeSettings(tolerance=5e-4)
    with pytest.raises(ToleranceError, match=r"got 0.0005 nats, expected .*noise floor of 0.001 nats"):
        score(tiny_truth, [tiny_forecasts["uniform"]], tmp_path / "run", judging=judging)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_forecast_goes_on(tiny_truth: Distributions, tmp_path: Path, folder_bytes: Read) -> None:
    size = tiny_truth.vocabulary.size
    many = [replace(tiny_truth.prompts[1], id=f"p{i}") for i in range(900)]
    asked = 0

    def stopping(prompt: TokenizedPrompt) -> DenseBlock:
        nonlocal asked
        asked += 1
        if asked == len(many) // 2:
            raise KeyboardInterrupt
        return flat(size)(prompt)

    def make(out: Path) -> Distributions:
        return make_forecast(
            Scripted(stopping), many, tiny_truth.vocabulary, out, suite=tiny_truth.manifest["suite"], dtype="float16"
        )

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "stopped")
    before = asked
    done = make(tmp_path / "stopped")
    assert asked - before < len(many)  # what was there was not asked again
    whole = make(tmp_path / "whole")
    assert len(done) == len(whole)
    assert folder_bytes(tmp_path / "stopped") == folder_bytes(tmp_path / "whole")
    count = asked
    assert len(make(tmp_path / "whole")) == len(whole)
    assert asked == count


def test_progress_ends_where_it_should(tiny: Target, small_suite: Suite, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    truth = collect(tiny, small_suite, tmp_path / "t", progress=lambda *step: seen.append(step))
    assert seen[-1][1] == seen[-1][2] > 0
    seen.clear()
    made = forecast(truth, tmp_path / "f", flat(truth.vocabulary.size), progress=lambda *step: seen.append(step))
    assert seen[-1][:1] == ("forecasting with scripted",)
    seen.clear()
    score(truth, [made], progress=lambda *step: seen.append(step))
    assert seen[-1] == ("scoring scripted", len(small_suite), len(small_suite))
