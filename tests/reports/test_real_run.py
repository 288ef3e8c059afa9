"""The report of runs that the real scorer wrote: dense and top-k truth, from a small target made here."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from foretell.distributions import Block, DenseBlock, TokenizedPrompt, TopKBlock, Vocabulary
from foretell.evaluation import collect, make_forecast, score
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.uniform import UniformForecaster
from foretell.reports import write_report
from foretell.reports.figures import figure
from foretell.scoring.losses import LOSSES
from foretell.suites import Prompt, Suite
from foretell.targets.target import TargetIdentity
from foretell.verdicts.judging import JudgeSettings

from .markup import Page
from .run_folder import sentences

VOCABULARY, LISTED = 300, 6


def log_probabilities(ids: Sequence[int]) -> np.ndarray:
    """A distribution that depends on the last token: (vocabulary,), float64."""
    logits = np.random.default_rng(ids[-1]).standard_normal(VOCABULARY) * 3
    return np.asarray(logits - np.log(np.exp(logits).sum()))


class SmallTarget:
    """A target of 300 tokens that depends on the last token only."""

    head, context, batch_tokens, kinds = None, 512, 4096, ("dense", "topk")

    def __init__(self, tokenizer: Path) -> None:
        self.vocabulary = Vocabulary(tokenizer, VOCABULARY)
        self.identity = TargetIdentity("small", "sha256:0", self.vocabulary.digest, "numpy", "float32")

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.vocabulary.tokenizer.encode(text).ids)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        asked = zip(batch, positions, strict=True)
        rows = [np.stack([log_probabilities(ids[: t + 1]) for t in own]) for ids, own in asked]
        return [_topk(row) if kind == "topk" else DenseBlock(row.astype(np.float32)) for row in rows]


def _topk(rows: np.ndarray) -> TopKBlock:
    ids = np.argsort(-rows, axis=1)[:, :LISTED]
    listed = np.take_along_axis(rows, ids, axis=1)
    return TopKBlock(ids, listed, np.log1p(-np.exp(listed).sum(axis=1)))


class Flattened:
    """Knows the target, but is less sure than it."""

    name = "flattened"

    def describe(self) -> dict[str, Any]:
        return {"forecaster": "flattened", "settings": {"power": 0.7}}

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        pass

    def forecast(self, prompt: TokenizedPrompt) -> DenseBlock:
        rows = 0.7 * np.stack([log_probabilities(prompt.token_ids[: t + 1]) for t in prompt.positions])
        return DenseBlock((rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))).astype(np.float32))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> SmallTarget:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([prompt["text"] for prompt in sentences(10)], trainer)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return SmallTarget(path)


@pytest.mark.parametrize("kind", ["dense", "topk"])
@pytest.mark.parametrize("tolerance", [None, 1.0])
def test_the_report_of_a_real_run(target: SmallTarget, tmp_path: Path, kind: str, tolerance: float | None) -> None:
    prompts = tuple(Prompt(p["id"], p["text"], p["slice"], scored=(-3, -2, -1)) for p in sentences(12))
    truth = collect(target, Suite("twelve", prompts), tmp_path / "truth", kind=kind)
    suite = truth.manifest["suite"]
    forecasters: list[Forecaster] = [UniformForecaster(VOCABULARY), Flattened()]
    forecasts = [
        make_forecast(forecaster, truth.prompts, truth.vocabulary, tmp_path / str(i), suite=suite)
        for i, forecaster in enumerate(forecasters)
    ]
    result = score(truth, forecasts, tmp_path / "run", judging=JudgeSettings(tolerance=tolerance))
    write_report(tmp_path / "run", tmp_path / "report.html")
    page = Page.read(tmp_path / "report.html")
    assert json.loads((tmp_path / "run" / "score.json").read_text(encoding="utf-8")) == result
    for forecast in result["forecasts"]:
        assert figure(forecast["kl_nats"]["mean"]) in page.text
        assert forecast["verdict"]["decision"] in page.text
    assert len(page.attributes("article")) == 12
    assert all(all(own) for own in page.data["tops"])
    unknown = [share for common in page.data["common"] for share in common[1] if share is None]
    assert bool(unknown) is (kind == "topk")


@pytest.mark.parametrize("kind", ["dense", "topk"])
@pytest.mark.parametrize("metric", ["tv", "js_nats", "abs_logprob_nats"])
def test_the_report_shows_the_metric_that_was_judged(
    target: SmallTarget, tmp_path: Path, kind: str, metric: str
) -> None:
    prompts = tuple(Prompt(p["id"], p["text"], p["slice"], scored=(-3, -2, -1)) for p in sentences(12))
    truth = collect(target, Suite("twelve", prompts), tmp_path / "truth", kind=kind)
    suite = truth.manifest["suite"]
    made = make_forecast(Flattened(), truth.prompts, truth.vocabulary, tmp_path / "f", suite=suite)
    judging = JudgeSettings(tolerance=0.3, metric=metric, slices={prompts[0].slice: 0.2})
    result = score(truth, [made], tmp_path / "run", judging=judging)
    write_report(tmp_path / "run", tmp_path / "report.html")
    page, entry = Page.read(tmp_path / "report.html"), result["forecasts"][0]
    unit = LOSSES[metric].amount("")
    assert f"the tolerance of 0.3{unit}." in page.text
    assert f"off by {figure(entry['loss']['mean'])}{unit} a token" in page.text
    assert "judged at 0.2" in page.text
    assert LOSSES[metric].meaning in page.text
    assert "One nat off: the model’s own next tokens were given, as a geometric mean, 2.7 times less" not in page.text
    assert "knowing nothing (uniform)" not in page.text
    assert f"--metric {metric}" in page.text
    rows = pq.read_table(tmp_path / "run" / "positions.parquet").to_pylist()
    for number, position in enumerate(page.data["positions"]):
        prompt = page.data["prompts"][number // 3][0]
        row = next(row for row in rows if (row["prompt"], row["position"]) == (prompt, position))
        shown = page.data["losses"][0][number]
        low, high = shown if isinstance(shown, list) else (shown, shown)
        assert (low, high) == pytest.approx((row[f"{metric}_lo"], row[f"{metric}_hi"]), rel=6e-3)
    assert page.data["unit"] == unit
    # Nats stand beside KL divergence, entropy and other metrics of the table only.
    if metric == "tv":
        around = [page.text[max(0, m.start() - 60) : m.end()] for m in re.finditer(r"\bnats\b", page.text)]
        allowed = ("KL divergence", "log-probabilit", "divergence, nats", "entropy", "likeliest tokens, nats")
        assert [words for words in around if not any(name in words for name in allowed)] == []
