"""Tests of forecasting a checkpoint from earlier ones: on made-up runs whose end is known, and on the shipped one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from foretell.base.errors import ContextError, DistributionError, InputError, VocabularyError
from foretell.distributions import Block, DenseBlock, Distributions, Head, TokenizedPrompt, Vocabulary, check_block
from foretell.distributions.combining import log_normalised
from foretell.evaluation import make_forecast
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.extrapolation import LEAST, MOST, PowerLaw
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.next_checkpoint import Request, read_request
from foretell.forecasters.next_rules import practice_sample
from foretell.forecasters.specs import open_forecaster
from foretell.scoring.divergences import kl_nats
from foretell.targets.specs import open_target
from foretell.targets.target import Target, TargetIdentity
from foretell.targets.tiny import checkpoint_folder, steps
from foretell.verdicts.named_models import named_models

_Floats = NDArray[np.float64]
Ask = Callable[..., TokenizedPrompt]
#: From a step to log-probabilities after each last token, (vocabulary, vocabulary).
Training = Callable[[int], _Floats]
STEPS = (9, 99, 999)
AHEAD = 9999


class MadeUp:
    """A checkpoint of a made-up training, which looks at the last token only."""

    context = 4
    batch_tokens = 64
    kinds = ("dense",)
    head: Head | None = None

    def __init__(self, name: str, vocabulary: Vocabulary, table: _Floats) -> None:
        self.vocabulary, self._table = vocabulary, table
        self.identity = TargetIdentity(name, f"sha256:{name}", vocabulary.digest, "test 1", "float64")

    def encode(self, text: str) -> tuple[int, ...]:
        return self.vocabulary.encode(text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        return [
            DenseBlock(self._table[[ids[at] for at in chosen]]) for ids, chosen in zip(batch, positions, strict=True)
        ]


@pytest.fixture
def prompts(ask: Ask) -> list[TokenizedPrompt]:
    return [ask([0, 5, 6 + n], (1, 2), f"p{n}") for n in range(12)]


@pytest.fixture
def opened(tmp_path: Path, vocabulary: Vocabulary) -> Callable[..., Forecaster]:
    """A forecaster of a made-up run with checkpoints at STEPS, and one at AHEAD that must not be opened."""

    def build(spec: str, training: Training, ahead: int = AHEAD) -> Forecaster:
        for step in (*STEPS, ahead):
            (tmp_path / f"checkpoint-{step}").mkdir(exist_ok=True)
            (tmp_path / f"checkpoint-{step}" / "tokenizer.json").touch()

        def open_made_up(target: str) -> Target:
            step = int(target.rpartition("-")[2])
            assert step < ahead, f"{target} opened"
            return MadeUp(str(step), vocabulary, training(step))

        return open_forecaster(spec.format(run=tmp_path), vocabulary, open_target=open_made_up)

    return build


def random_logits(vocabulary: Vocabulary, seed: int) -> _Floats:
    return np.random.default_rng(seed).normal(0, 1, (vocabulary.size, vocabulary.size))


def straight(vocabulary: Vocabulary) -> Training:
    """Logits that go on evenly by the logarithm of the step."""
    start, direction = random_logits(vocabulary, 1), random_logits(vocabulary, 2)
    return lambda step: log_normalised(start + np.log10(1 + step) * direction)


def rows(forecaster: Forecaster, prompts: Sequence[TokenizedPrompt], vocabulary: Vocabulary) -> _Floats:
    """Every row of a forecast, checked to be a distribution."""
    forecaster.prepare(prompts)
    blocks = [forecaster.forecast(prompt) for prompt in prompts]
    for block in blocks:
        check_block(block, vocabulary.size, forecaster.name)
    return np.concatenate([dense_logprobs(block, vocabulary.size) for block in blocks])


def said(training: Training, step: int, prompts: Sequence[TokenizedPrompt]) -> _Floats:
    return np.concatenate([training(step)[[prompt.token_ids[at] for at in prompt.positions]] for prompt in prompts])


class TestLogits:
    """Going on in the direction of the last two checkpoints."""

    @pytest.mark.parametrize("ahead", [9999, 99999])
    def test_a_straight_training_is_forecast_exactly(
        self, opened: Callable[..., Forecaster], vocabulary: Vocabulary, prompts: list[TokenizedPrompt], ahead: int
    ) -> None:
        training = straight(vocabulary)
        made = opened(f"next:logits:{{run}}@{ahead}", training, ahead)
        np.testing.assert_allclose(rows(made, prompts, vocabulary), said(training, ahead, prompts), atol=1e-4)
        facts = made.describe()
        assert facts["coefficient"] == pytest.approx(np.log10(ahead + 1) - 3, abs=1e-4)
        assert facts["found"]["coefficient_before"] == pytest.approx(1, abs=1e-4)
        assert facts["found"]["kl_nats_before"] < 1e-6 < facts["found"]["kl_nats_before_of_last"]
        assert (facts["from_steps"], facts["measured_on"]) == ([9, 99, 999], "the prompts to be forecast")

    def test_half_the_pace_is_carried_on(
        self, opened: Callable[..., Forecaster], vocabulary: Vocabulary, prompts: list[TokenizedPrompt]
    ) -> None:
        start, direction = random_logits(vocabulary, 1), random_logits(vocabulary, 2)
        gone = {9: 0.0, 99: 1.0, 999: 1.5}
        made = opened("next:logits:{run}@9999", lambda step: log_normalised(start + gone[step] * direction))
        found = rows(made, prompts, vocabulary)
        assert made.describe()["coefficient"] == pytest.approx(0.5, abs=1e-4)
        expected = said(lambda step: log_normalised(start + 1.75 * direction), 0, prompts)
        np.testing.assert_allclose(found, expected, atol=1e-4)

    @pytest.mark.parametrize("ahead", [9999, 99999])
    def test_a_mean_is_kept_however_far(
        self, opened: Callable[..., Forecaster], vocabulary: Vocabulary, prompts: list[TokenizedPrompt], ahead: int
    ) -> None:
        """The last of three came half-way back."""
        start, direction = random_logits(vocabulary, 1), random_logits(vocabulary, 2)
        gone = {9: 0.0, 99: 1.0, 999: 0.5}
        made = opened(f"next:logits:{{run}}@{ahead}", lambda s: log_normalised(start + gone[s] * direction), ahead)
        found = rows(made, prompts, vocabulary)
        assert made.describe()["coefficient"] == pytest.approx(-0.5, abs=1e-4)
        assert made.describe()["found"]["scale"] is None
        expected = said(lambda step: log_normalised(start + 0.75 * direction), 0, prompts)
        np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_a_training_that_stands_still_is_the_last(
        self, opened: Callable[..., Forecaster], vocabulary: Vocabulary, prompts: list[TokenizedPrompt]
    ) -> None:
        training = straight(vocabulary)
        logits, last = (opened(f"next:{name}:{{run}}@9999", lambda step: training(9)) for name in ("logits", "last"))
        np.testing.assert_allclose(rows(logits, prompts, vocabulary), rows(last, prompts, vocabulary), atol=1e-6)
        assert logits.describe()["coefficient"] == 0

    def test_a_token_of_no_probability_has_no_line(
        self, opened: Callable[..., Forecaster], vocabulary: Vocabulary, prompts: list[TokenizedPrompt]
    ) -> None:
        training = straight(vocabulary)

        def barred(step: int) -> _Floats:
            table = training(step)
            table[:, 3] = -np.inf
            return log_normalised(table)

        with pytest.raises(DistributionError, match=r"a probability of zero: got log-probabilities of -inf.*next:last"):
            opened("next:logits:{run}@9999", barred).prepare(prompts)


class TestScaling:
    """As far from a reference as a power law says."""

    LAW = PowerLaw(1.2, 3.0, 0.4, 0.0)

    def sharpened(self, vocabulary: Vocabulary) -> Training:
        """One distribution for all prompts, whose KL from the uniform one is what the law says."""
        logits = random_logits(vocabulary, 3)[:1]

        def at(step: int) -> _Floats:
            low, high = 0.0, 9.0
            for _ in range(50):
                middle = (low + high) / 2
                p = log_normalised(middle * logits)
                low, high = (middle, high) if self.away(p) < self.LAW.at(step) else (low, middle)
            return np.repeat(log_normalised(low * logits), vocabulary.size, axis=0)

        return at

    @staticmethod
    def away(p: _Floats) -> float:
        return float(kl_nats(p, np.full_like(p, -np.log(p.shape[1]))).mean())

    def test_a_training_by_the_law_is_forecast_exactly(
        self, opened: Callable[..., Forecaster], vocabulary: Vocabulary, prompts: list[TokenizedPrompt]
    ) -> None:
        training = self.sharpened(vocabulary)
        made = opened("next:scaling:{run}@9999", training)
        np.testing.assert_allclose(rows(made, prompts, vocabulary), said(training, 9999, prompts), atol=2e-3)
        found = made.describe()["found"]
        assert found["predicted_kl_nats"] == pytest.approx(self.LAW.at(9999), abs=1e-3)
        assert found["reached_kl_nats"] == pytest.approx(found["predicted_kl_nats"], abs=1e-5)
        assert found["curve"] == [[step, pytest.approx(self.LAW.at(step), abs=1e-5)] for step in STEPS]
        assert found["law"]["exponent"] == pytest.approx(0.4, abs=1e-2)
        assert not found["at_an_end"]

    def test_what_no_distribution_reaches_is_said(
        self, opened: Callable[..., Forecaster], vocabulary: Vocabulary, prompts: list[TokenizedPrompt]
    ) -> None:
        """KL from the uniform that grows evenly by the digit would pass log V."""
        logits = random_logits(vocabulary, 3)
        made = opened(
            "next:scaling:{run}@999999999", lambda step: log_normalised(np.log10(1 + step) * logits), 999999999
        )
        rows(made, prompts, vocabulary)
        facts = made.describe()
        assert facts["found"]["predicted_kl_nats"] > np.log(vocabulary.size) > facts["found"]["reached_kl_nats"]
        assert facts["found"]["at_an_end"]
        assert facts["coefficient"] == MOST > LEAST

    def test_the_reference_is_the_one_that_was_named(
        self, opened: Callable[..., Forecaster], vocabulary: Vocabulary, prompts: list[TokenizedPrompt], tmp_path: Path
    ) -> None:
        (tmp_path / "notes.txt").write_text("one two three two one\n")
        spec = f"next:scaling:{{run}}@9999:reference=unigram:{tmp_path}/notes.txt"
        made = opened(spec, straight(vocabulary))
        rows(made, prompts, vocabulary)
        assert made.describe()["line"]["base"] == f"unigram:{tmp_path}/notes.txt"
        with pytest.raises(InputError, match="no text-only reference: got 'model:tiny', expected a forecaster that"):
            opened("next:scaling:{run}@9999:reference=model:tiny", straight(vocabulary))


@pytest.mark.parametrize("method", ["last", "logits", "scaling"])
class TestAllMethods:
    """What holds for each."""

    def test_nothing_at_the_step_or_later_is_opened(
        self, vocabulary: Vocabulary, prompts: list[TokenizedPrompt], tiny_truth: Distributions, method: str
    ) -> None:
        asked: list[str] = []

        def recording(spec: str) -> Target:
            asked.append(spec)
            return open_target(spec)

        for spec, most in ((f"next:{method}:tiny@1536", 768), (f"next:{method}:tiny@3072:from=500", 384)):
            asked.clear()
            made = open_forecaster(spec, tiny_truth.vocabulary, open_target=recording)
            rows(made, tiny_truth.prompts, tiny_truth.vocabulary)
            assert max(int(target.removeprefix("tiny@")) for target in asked) == most

    def test_the_record_names_every_model(
        self, opened: Callable[..., Forecaster], vocabulary: Vocabulary, method: str
    ) -> None:
        used = STEPS[-1:] if method == "last" else STEPS
        named = named_models(opened(f"next:{method}:{{run}}@9999", straight(vocabulary)).describe())
        assert named == [f"{step} sha256:{step}" for step in used]  # before any prompt is seen

    def test_a_long_prompt_is_refused(
        self, opened: Callable[..., Forecaster], vocabulary: Vocabulary, ask: Ask, method: str
    ) -> None:
        with pytest.raises(ContextError, match=r"\(prompt 'p'\): .* got 5 tokens, expected at most 4"):
            opened(f"next:{method}:{{run}}@9999", straight(vocabulary)).prepare([ask([0, 5, 6, 7, 8])])

    def test_another_vocabulary_is_refused(self, vocabulary: Vocabulary, method: str) -> None:
        with pytest.raises(VocabularyError, match="a model with another vocabulary"):
            open_forecaster(f"next:{method}:tiny@1536", vocabulary, open_target=open_target)

    def test_the_shipped_run_is_forecast(self, tiny_truth: Distributions, tmp_path: Path, method: str) -> None:
        made = open_forecaster(f"next:{method}:tiny@3072", tiny_truth.vocabulary, open_target=open_target)
        folder = make_forecast(
            made, tiny_truth.prompts, tiny_truth.vocabulary, tmp_path / "f", suite=tiny_truth.manifest["suite"]
        )
        assert folder.manifest["source"]["reference"] is False
        size = tiny_truth.vocabulary.size
        uniform = np.full((1, size), -np.log(size))
        for index in range(len(tiny_truth.prompts)):
            p = dense_logprobs(tiny_truth.block(index), size)
            q = dense_logprobs(folder.block(index), size)
            assert kl_nats(p, q).mean() < kl_nats(p, np.repeat(uniform, len(p), axis=0)).mean()


def test_last_is_the_checkpoint_itself(tiny_truth: Distributions) -> None:
    last, model = (
        open_forecaster(spec, tiny_truth.vocabulary, open_target=open_target)
        for spec in ("next:last:tiny@3072:from=800", "model:tiny@768")
    )
    np.testing.assert_array_equal(
        rows(last, tiny_truth.prompts, tiny_truth.vocabulary), rows(model, tiny_truth.prompts, tiny_truth.vocabulary)
    )
    assert last.describe()["from_steps"] == [768]


def test_practice_prompts_are_measured_on_once(
    opened: Callable[..., Forecaster], tiny_truth: Distributions, vocabulary: Vocabulary
) -> None:
    spec = "next:logits:tiny@1536"
    made = open_forecaster(spec, tiny_truth.vocabulary, open_target=open_target, practice=tiny_truth)
    made.prepare(tiny_truth.prompts[:1])
    first = made.describe()
    made.prepare(tiny_truth.prompts[2:4])
    assert made.describe() == first
    assert first["measured_on"] == "practice prompts"
    assert first["found"]["positions"] == sum(min(len(prompt.positions), 8) for prompt in tiny_truth.prompts)
    other = open_forecaster(spec, tiny_truth.vocabulary, open_target=open_target)
    other.prepare(tiny_truth.prompts)
    assert other.describe()["coefficient"] == first["coefficient"]
    with pytest.raises(VocabularyError, match="practice in another vocabulary"):
        open_forecaster(spec, replace(tiny_truth.vocabulary, size=9), open_target=narrow, practice=tiny_truth)


def narrow(spec: str) -> Target:
    vocabulary = replace(open_target("tiny").vocabulary, size=9)
    return MadeUp(spec, vocabulary, np.zeros((9, 9)))


def test_a_sample_is_small_and_spread(ask: Ask) -> None:
    prompts = [ask(range(40), range(40), f"p{n}") for n in range(1000)]
    sample = practice_sample(prompts, 2048)
    assert (len(sample), sample[0].id, sample[1].id, sample[-1].id) == (64, "p0", "p15", "p984")
    assert sample[0].positions == (0, 5, 10, 15, 20, 25, 30, 35)
    assert len(practice_sample(prompts, 10**6)) == 5


def test_specs_are_read() -> None:
    assert read_request("next:last:a@3/b:c@70:from=8") == Request("last", "a@3/b:c", 70, 8)
    assert read_request("next:scaling:tiny@70:reference=ngram:2:x@5").reference == "ngram:2:x@5"


@pytest.mark.parametrize(
    "spec",
    [
        "next:last",
        "next:last:tiny",
        "next:last:tiny@",
        "next:last:tiny@x",
        "next:best:tiny@768",
        "next:last:@768",
        "next:last:tiny@768:from=",
        "next:last:tiny@768:probes=3",
        "next:logits:tiny@768:reference=uniform",
        "next:scaling:tiny@768:reference=",
    ],
)
def test_bad_specs(spec: str, vocabulary: Vocabulary) -> None:
    with pytest.raises(InputError, match=r"forecast of a next checkpoint: got .*METHOD one of last, logits, scaling"):
        open_forecaster(spec, vocabulary, open_target=open_target)


@pytest.mark.parametrize(("method", "step"), [("last", 96), ("logits", 384), ("scaling", 384)])
def test_too_few_checkpoints(method: str, step: int, tiny: Target) -> None:
    with pytest.raises(InputError, match=rf"next:{method}:tiny@{step}: too few earlier checkpoints"):
        open_forecaster(f"next:{method}:tiny@{step}", tiny.vocabulary, open_target=open_target)


def test_a_folder_of_checkpoints(tiny_truth: Distributions, tmp_path: Path) -> None:
    """Folders as transformers' Trainer writes them; those at the step and after are not even models."""
    pytest.importorskip("torch")
    for number, step in enumerate(steps()[:3], 1):
        shutil.copytree(checkpoint_folder(step), tmp_path / f"checkpoint-{number}")
        shutil.copyfile(checkpoint_folder() / "tokenizer.json", tmp_path / f"checkpoint-{number}" / "tokenizer.json")
    for name in ("checkpoint-4", "checkpoint-5"):
        (tmp_path / name).mkdir()
    prompts, vocabulary = tiny_truth.prompts, tiny_truth.vocabulary
    own = open_forecaster(f"next:logits:{tmp_path}@4", vocabulary, open_target=open_target)
    shipped = open_forecaster(f"next:logits:tiny@{steps()[3]}", vocabulary, open_target=open_target)
    # The coefficient is a mean's, which other numbers of steps do not change.
    assert shipped.describe()["coefficient"] is None
    differences = np.exp(rows(own, prompts, vocabulary)) - np.exp(rows(shipped, prompts, vocabulary))
    assert np.abs(differences).max() < 1e-4
    assert own.describe()["coefficient"] == pytest.approx(shipped.describe()["coefficient"], abs=1e-4)
    (tmp_path / "checkpoint-2" / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="checkpoint-2: a checkpoint without its tokenizer"):
        open_forecaster(f"next:logits:{tmp_path}@4", vocabulary, open_target=open_target)


def test_a_pool_takes_it(tiny_truth: Distributions) -> None:
    pool = open_forecaster("pool:next:last:tiny@3072+unigram:tiny", tiny_truth.vocabulary, open_target=open_target)
    assert np.isfinite(rows(pool, tiny_truth.prompts[:2], tiny_truth.vocabulary)).all()
    assert named_models(pool.describe())[0].startswith("tiny@1536 sha256:")
