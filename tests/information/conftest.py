"""Log-probabilities of the shipped target, its checkpoints and honest forecasters on eighty prompts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

import foretell.targets
from foretell.distributions import TokenizedPrompt
from foretell.distributions.combining import log_normalised
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.specs import open_forecaster
from foretell.suites import load_suite
from foretell.targets.collection import tokenize
from foretell.targets.specs import open_target
from foretell.targets.tiny import checkpoint_folder

Float64 = NDArray[np.float64]
PROMPTS, FLOOR, LISTED = 80, 1e-6, 10
FROM_TEXT = ("unigram:tiny", "ngram:2:tiny", "ngram:3:tiny", "ngram:4:tiny", "ngram:5:tiny")
CHECKPOINTS = ("tiny@1536", "tiny@768")
SHIPPED = Path(foretell.targets.__file__).parent / "shipped" / "tiny" / "step-3072"


@dataclass(frozen=True)
class Scene:
    """Answers by name, each (positions, vocabulary), floored as in the score, for the same positions."""

    prompts: Sequence[TokenizedPrompt]
    answers: Mapping[str, Float64]
    honest: Mapping[str, Float64]

    def by_prompt(self, answers: Float64) -> list[Float64]:
        return np.split(answers, np.cumsum([len(prompt.positions) for prompt in self.prompts])[:-1])


def floored(logprobs: Float64) -> Float64:
    return np.asarray(np.log((1 - FLOOR) * np.exp(logprobs) + FLOOR / logprobs.shape[1]))


def linear(one: Float64, other: Float64, share: float) -> Float64:
    """A pool with that share of the other."""
    return np.log((1 - share) * np.exp(one) + share * np.exp(other))


def logarithmic(one: Float64, other: Float64, share: float) -> Float64:
    return np.asarray(log_normalised((1 - share) * one + share * other))


def listed(logprobs: Float64) -> Float64:
    """The likeliest tokens only, and the rest spread evenly."""
    kept = logprobs >= np.sort(logprobs, axis=1)[:, -LISTED][:, None]
    rest = np.where(kept, 0, np.exp(logprobs)).sum(axis=1, keepdims=True) / (logprobs.shape[1] - LISTED)
    return np.where(kept, logprobs, np.log(rest))


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    target = open_target("tiny")
    rng = np.random.default_rng(3)
    everything = tokenize(load_suite("foretell-300"), target.encode, target.context)
    prompts = [everything[index] for index in sorted(rng.permutation(len(everything))[:PROMPTS])]
    texts = tmp_path_factory.mktemp("texts") / "notes.txt"
    texts.write_text(" ".join(prompt.text for prompt in everything if prompt not in prompts))
    answers = {}
    for spec in (*FROM_TEXT, f"ngram:3:{texts}", "model:tiny", *(f"model:{name}" for name in CHECKPOINTS)):
        forecaster = open_forecaster(spec, target.vocabulary, open_target=open_target)
        forecaster.prepare(prompts)
        blocks = [dense_logprobs(forecaster.forecast(prompt), target.vocabulary.size) for prompt in prompts]
        answers[spec.replace(str(texts), "notes")] = floored(np.concatenate(blocks))
    return Scene(prompts, answers, _honest(prompts, answers, rng))


def _honest(
    prompts: Sequence[TokenizedPrompt], answers: Mapping[str, Float64], rng: np.random.Generator
) -> dict[str, Float64]:
    """Forecasts that nobody could call undeclared models: of text, by rules, and of the target itself."""
    truth, five, notes = answers["model:tiny"], answers["ngram:5:tiny"], answers["ngram:3:notes"]
    copying, last = (floored(_rule(prompts, truth.shape[1], only_last)) for only_last in (False, True))
    uniform = np.full_like(truth, -np.log(truth.shape[1]))
    text = {
        "ngram:4": answers["ngram:4:tiny"],
        "another corpus": notes,
        "linear pool": linear(five, notes, 0.4),
        "log pool": logarithmic(five, answers["ngram:2:tiny"], 0.5),
        "log pool of corpora": logarithmic(five, notes, 0.4),
        "sharpened": np.asarray(log_normalised(1.3 * five)),
        "ten listed": listed(five),
        "copying": copying,
        "last token again": last,
        "copying pool": linear(five, copying, 0.3),
        "with a floor": linear(five, uniform, 0.01),
    }
    knowing = {
        "half the truth": linear(five, truth, 0.5),
        "some truth": linear(five, truth, 0.1),
        "mostly the truth": linear(notes, truth, 0.9),
        "truth in logs": logarithmic(notes, truth, 0.5),
        "truth and noise": np.asarray(log_normalised(truth + rng.normal(size=truth.shape))),
        "truth, ten listed": listed(truth),
        "truth and copying": linear(truth, copying, 0.3),
        "truth and a floor": linear(truth, uniform, 0.01),
        "sharpened truth": np.asarray(log_normalised(1.5 * truth)),
    }
    made = {f"text: {name}": own for name, own in text.items()} | {f"knows: {n}": own for n, own in knowing.items()}
    return {name: floored(own) for name, own in (made | _logit_lens(prompts)).items()}


def _rule(prompts: Sequence[TokenizedPrompt], vocabulary: int, only_last: bool) -> Float64:
    """The tokens of the prompt come again, or the last of them."""
    seen = [prompt.token_ids[t if only_last else 0 : t + 1] for prompt in prompts for t in prompt.positions]
    counts = np.stack([np.bincount(tokens, minlength=vocabulary) for tokens in seen]) + 0.01
    return np.asarray(np.log(counts / counts.sum(axis=1, keepdims=True)))


def _logit_lens(prompts: Sequence[TokenizedPrompt]) -> dict[str, Float64]:
    """Hidden states of the target's earlier layers, read by its own output layer."""
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32)
    model.eval()
    found: dict[str, list[Float64]] = {f"knows: layer {n}": [] for n in range(1, model.config.num_hidden_layers)}
    with torch.no_grad():
        for prompt in prompts:
            states = model(torch.tensor([prompt.token_ids]), output_hidden_states=True).hidden_states
            for state, rows in zip(states[1:-1], found.values(), strict=True):
                logits = model.lm_head(model.model.norm(state[0, list(prompt.positions)]))
                rows.append(np.asarray(log_normalised(logits.numpy())))
    return {name: np.concatenate(rows) for name, rows in found.items()}


@pytest.fixture
def shipped_copy(tmp_path: Path) -> Path:
    """The shipped target's folder, to be changed: another checkpoint's weights, so that it is not the target."""
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint_folder(1536), folder)
    shutil.copy(checkpoint_folder() / "tokenizer.json", folder)
    return folder
