"""Tests of rebuilding answers from logs of other prompts, with the shipped model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import InputError, VocabularyError
from foretell.distributions import Distributions, TopKBlock, Vocabulary
from foretell.evaluation import collect, make_forecast
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.lowrank import LowRankForecaster
from foretell.forecasters.specs import open_forecaster
from foretell.suites import Prompt, Suite, draw, load_suite
from foretell.targets.specs import open_target
from foretell.targets.target import Target, TargetIdentity


@pytest.fixture(scope="module")
def logs(tiny: Target, tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """60 prompts of foretell-300, 8 positions each."""
    suite = draw(load_suite("foretell-300"), 60, seed=2)
    return collect(tiny, suite, tmp_path_factory.mktemp("logs") / "logs")


@pytest.fixture(scope="module")
def truth(tiny: Target, logs: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """12 other prompts."""
    pool = load_suite("foretell-300")
    known = {prompt.id for prompt in logs.prompts}
    rest = Suite("rest", tuple(prompt for prompt in pool if prompt.id not in known))
    return collect(tiny, draw(rest, 12, seed=1), tmp_path_factory.mktemp("truth") / "truth")


def kl_nats(spec: str, truth: Distributions) -> float:
    forecaster = open_forecaster(spec, truth.vocabulary, open_target=open_target)
    forecaster.prepare(truth.prompts)
    losses = []
    for index, prompt in enumerate(truth.prompts):
        p = dense_logprobs(truth.block(index), truth.vocabulary.size)
        q = dense_logprobs(forecaster.forecast(prompt), truth.vocabulary.size)
        np.testing.assert_allclose(np.exp(q).sum(axis=1), 1, atol=1e-5)
        losses.append(float((np.exp(p) * (p - q)).sum(axis=1).mean()))
    return float(np.mean(losses))


def test_more_runs_forecast_better_and_better_than_nothing(logs: Distributions, truth: Distributions) -> None:
    few, more, most = (kl_nats(f"lowrank:{logs.folder}{dial}", truth) for dial in (":runs=10", ":runs=100", ""))
    assert kl_nats("uniform", truth) > few > more > most
    assert most < kl_nats("unigram:tiny", truth)


def test_enough_probes_are_the_model_itself(logs: Distributions, truth: Distributions) -> None:
    """tiny has a hidden state of 128 numbers: 129 probes say everything, half of them not."""
    assert kl_nats(f"lowrank:{logs.folder}:probes=132", truth) < 1e-8
    assert 0.01 < kl_nats(f"lowrank:{logs.folder}:probes=64", truth) < kl_nats(f"lowrank:{logs.folder}", truth)


def test_fewer_runs_are_a_part_of_more(logs: Distributions) -> None:
    made = [LowRankForecaster("lowrank:x", logs, logs.vocabulary, runs=runs).places for runs in (10, 30)]
    assert made[0] == made[1][:10]
    assert len({index for index, _ in made[0]}) > 5  # spread over prompts


def test_without_probes_the_target_is_never_opened(logs: Distributions) -> None:
    def refuse(spec: str) -> Target:
        raise AssertionError(spec)

    made = open_forecaster(f"lowrank:{logs.folder}:runs=20", logs.vocabulary, open_target=refuse)
    facts = made.describe()
    assert (facts["asks_target"], facts["runs"], "leak" in facts) == (False, 20, False)
    assert facts["target"]["name"] == "tiny"


def test_with_probes_the_record_says_that_it_leaks(logs: Distributions, tiny: Target) -> None:
    made = LowRankForecaster("lowrank:x", logs, logs.vocabulary, runs=20, probes=3, open_target=lambda spec: tiny)
    facts = made.describe()
    assert facts["asks_target"] is True
    assert "3 tokens at every scored position of the prompts that are forecast" in facts["leak"]
    assert len(facts["probes"]) == 3


def test_it_makes_a_forecast_folder(logs: Distributions, truth: Distributions, tmp_path: Path) -> None:
    made = open_forecaster(f"lowrank:{logs.folder}:runs=20", truth.vocabulary, open_target=open_target)
    folder = make_forecast(made, truth.prompts, truth.vocabulary, tmp_path / "f", suite=truth.manifest["suite"])
    assert len(folder) == len(truth)
    assert folder.manifest["source"]["runs"] == 20
    assert folder.manifest["source"]["reference"] is False


class TestRefusals:
    """Logs that would leak or cannot be used."""

    def test_logs_of_the_same_prompts(self, logs: Distributions, truth: Distributions) -> None:
        made = LowRankForecaster("lowrank:x", logs, logs.vocabulary, runs=20)
        asked, other = logs.prompts[3], truth.prompts[0]
        for same in (
            replace(asked, id="again"),
            replace(asked, id="again", token_ids=(*asked.token_ids, 7)),
            replace(asked, id="again", token_ids=asked.token_ids[:-1]),
        ):
            with pytest.raises(InputError, match=rf"recorded already: got 1 of 2: 'again' is '{asked.id}' of the logs"):
                made.prepare([other, same])
        made.prepare([other])

    def test_another_vocabulary(self, logs: Distributions, vocabulary: Vocabulary) -> None:
        with pytest.raises(VocabularyError, match="logs in another vocabulary"):
            LowRankForecaster("lowrank:x", logs, vocabulary)

    @pytest.mark.parametrize(
        ("runs", "probes", "words"), [(1, 0, "1 runs"), (481, 0, "481 runs"), (9, 2049, "2049 probes")]
    )
    def test_numbers_that_cannot_be(
        self, logs: Distributions, tiny: Target, runs: int, probes: int, words: str
    ) -> None:
        with pytest.raises(InputError, match=f"cannot rebuild from these logs: got {words}"):
            LowRankForecaster(
                "lowrank:x", logs, logs.vocabulary, runs=runs, probes=probes, open_target=lambda spec: tiny
            )

    def test_probes_of_another_model(self, logs: Distributions) -> None:
        with pytest.raises(InputError, match=r"got a target 'tiny' with weights .* expected the recorded one"):
            LowRankForecaster(
                "lowrank:x", logs, logs.vocabulary, probes=2, open_target=lambda spec: open_target("tiny@768")
            )

    def test_a_truth_of_lists(self, tiny: Target, tmp_path: Path) -> None:
        class Listing:
            """The shipped model as a server that lists two tokens."""

            kinds, context, batch_tokens, head = ("topk",), 512, 64, None
            vocabulary, encode = tiny.vocabulary, tiny.encode
            identity = TargetIdentity("listing", "unknown", tiny.vocabulary.digest, "test", "float32")

            def distributions(self, batch, positions, kind):  # type: ignore[no-untyped-def]
                rows = [len(at) for at in positions]
                return [
                    TopKBlock(np.tile([1, 2], (n, 1)), np.log(np.full((n, 2), 0.25)), np.log(np.full(n, 0.5)))
                    for n in rows
                ]

        truth = collect(Listing(), Suite("s", (Prompt("a", "x = 1"),)), tmp_path / "t")
        with pytest.raises(InputError, match="got a truth that lists its top tokens only"):
            LowRankForecaster("lowrank:x", truth, truth.vocabulary)
