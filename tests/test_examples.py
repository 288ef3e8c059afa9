"""Every example runs, is a distribution, and does what its text says."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from foretell.distributions import Distributions
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.specs import open_forecaster
from foretell.targets.specs import open_target
from foretell.targets.target import Target

EXAMPLES = Path(__file__).parents[1] / "examples"
MECHANISTIC = EXAMPLES / "mechanistic"
FUNCTIONS = (
    "early_exit.py:after_1",
    "early_exit.py:after_2",
    "early_exit.py:after_3",
    "early_exit.py:last_token_alone",
    "bigram_weights.py:predict",
    "induction.py:predict",
)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kl_nats(tiny_truth: Distributions) -> Callable[[str], float]:
    """Mean KL divergence on the small suite, over positions."""

    def of(spec: str) -> float:
        forecaster = open_forecaster(spec, tiny_truth.vocabulary, open_target=open_target, practice=tiny_truth)
        forecaster.prepare(tiny_truth.prompts)
        losses = []
        for index, prompt in enumerate(tiny_truth.prompts):
            p = dense_logprobs(tiny_truth.block(index), tiny_truth.vocabulary.size)
            q = dense_logprobs(forecaster.forecast(prompt), tiny_truth.vocabulary.size)
            losses.append(float((np.exp(p) * (p - q)).sum(axis=1).mean()))
        return float(np.mean(losses))

    return of


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_is_a_forecast_through_its_spec(function: str, kl_nats: Callable[[str], float]) -> None:
    assert 0 < kl_nats(f"python:{MECHANISTIC}/{function}") < 8


def test_a_pool_of_them_is_no_worse_than_its_members_where_it_was_fitted(kl_nats: Callable[[str], float]) -> None:
    members = [f"python:{MECHANISTIC}/{name}" for name in FUNCTIONS[3:]]
    assert kl_nats("pool:" + "+".join(members)) <= min(kl_nats(member) for member in members) + 1e-6


def test_the_last_exit_is_the_model(tiny: Target) -> None:
    """The forward pass in numpy is the shipped one, so an earlier exit is the model's own early exit."""
    early = load(MECHANISTIC / "early_exit.py")
    ids = list(tiny.encode("def area(width, height):\n    return width *"))
    own = dense_logprobs(tiny.distributions([ids], [[len(ids) - 1]], "dense")[0], tiny.vocabulary.size)[0]
    np.testing.assert_allclose(early.after(4, ids), own, atol=1e-3)
    assert np.abs(early.after(3, ids) - own).max() > 0.1
    np.testing.assert_array_equal(early.last_token_alone(ids), early.after(4, ids[-1:]))


def test_the_bigram_table_is_embedding_times_unembedding(tiny: Target) -> None:
    bigram, early = load(MECHANISTIC / "bigram_weights.py"), load(MECHANISTIC / "early_exit.py")
    bigram.__dict__["SHARPNESS"] = 1.0
    np.testing.assert_allclose(bigram.predict([5, 300]), early.after(0, [5, 300]), atol=1e-4)


def test_induction_copies_what_followed() -> None:
    ids, logs = load(MECHANISTIC / "induction.py").predict([1, 2, 3, 4, 9, 1, 2, 3])
    shares = dict(zip(ids, np.exp(logs), strict=True))
    # 4 followed three, two and one of the last tokens; then 20% of what is left goes to the prompt's tokens, one of 8.
    left = 0.4 * 0.6 * 0.85
    assert shares[4] == pytest.approx(1 - left + left * 0.2 / 8)
    assert shares[1] == pytest.approx(left * 0.2 / 4)
    assert sum(shares.values()) == pytest.approx(1 - left * 0.8)


def test_measure_prints_the_table_and_the_readme_has_it() -> None:
    """Two quick rows, as the README shows them."""
    command = [sys.executable, str(EXAMPLES / "measure.py"), "uniform", "unigram:tiny"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    rows = re.findall(r"\| `(.+)` \| ([\d.]+) \|", printed)
    assert [name for name, _ in rows] == ["uniform", "unigram:tiny"]
    shown = dict(re.findall(r"\| `(.+)` \| ([\d.]+) \|", (EXAMPLES / "README.md").read_text(encoding="utf-8")))
    for name, value in rows:
        assert float(shown[name]) == pytest.approx(float(value), abs=0.002)
