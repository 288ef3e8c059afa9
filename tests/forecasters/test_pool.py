"""Tests of pools and their fitted weights: the optimum beats every member and equals a search over a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from foretell.base.errors import DistributionError, InputError
from foretell.distributions import (
    Block,
    DenseBlock,
    Distributions,
    DistributionWriter,
    TokenizedPrompt,
    TopKBlock,
    Vocabulary,
    check_block,
)
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.pool import PoolForecaster
from foretell.forecasters.pool_fit import PoolFit, fit_weights

POSITIONS = {"a": (0, 1), "b": (2,), "c": (0, 1, 2)}
WEIGHTS = {"a": 1.0, "b": 3.0, "c": 0.5}
Logs = dict[str, np.ndarray]
Weights = Sequence[float] | np.ndarray


class Table:
    """A forecaster that knows its rows."""

    def __init__(self, name: str, logs: Logs) -> None:
        self.name, self.logs = name, logs
        self.prepared = 0

    def describe(self) -> dict[str, Any]:
        return {"forecaster": "table"}

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        self.prepared = len(prompts)

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        return DenseBlock(self.logs[prompt.id])


def random_logs(rng: np.random.Generator, size: int, spread: float = 2.0) -> Logs:
    return {
        name: log_softmax(rng.normal(0, spread, (len(at), size)), axis=1).astype(np.float32)
        for name, at in POSITIONS.items()
    }


@pytest.fixture
def write_truth(tmp_path: Path, vocabulary: Vocabulary) -> Callable[[Logs], Distributions]:
    def write(logs: Logs) -> Distributions:
        prompts = [TokenizedPrompt(n, "all", WEIGHTS[n], n, "x", (0, 5, 6), at) for n, at in POSITIONS.items()]
        facts = {"role": "truth", "source": {"name": "random"}}
        writer = DistributionWriter(tmp_path / "truth", prompts, [[0, 2], [1]], vocabulary, facts)
        writer.write(0, DenseBlock(np.concatenate([logs["a"], logs["c"]])))
        writer.write(1, DenseBlock(logs["b"]))
        writer.finish()
        return Distributions(tmp_path / "truth")

    return write


def pooled(kind: str, members: list[Logs], weights: Weights, name: str) -> np.ndarray:
    wide = np.stack([member[name].astype(np.float64) for member in members])
    lam = np.asarray(weights)[:, None, None]
    if kind == "linear":
        return np.asarray(logsumexp(wide, axis=0, b=lam))
    return np.asarray(log_softmax((lam * wide).sum(axis=0), axis=1))


def mean_kl(kind: str, truth: Logs, members: list[Logs], weights: Weights) -> float:
    total = 0.0
    for name, p in truth.items():
        p = p.astype(np.float64)
        kl = (np.exp(p) * (p - pooled(kind, members, weights, name))).sum(axis=1)
        total += WEIGHTS[name] * kl.mean()
    return total / sum(WEIGHTS.values())


@pytest.mark.parametrize("kind", ["linear", "log"])
@pytest.mark.parametrize("seed", range(4))
def test_fitted_weights_are_the_best_of_a_grid(
    write_truth: Callable[[Logs], Distributions], vocabulary: Vocabulary, kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    members = [random_logs(rng, vocabulary.size) for _ in range(3)]
    truth = {name: pooled("linear", members, [0.5, 0.3, 0.2], name).astype(np.float32) + 0 for name in POSITIONS}
    noise = random_logs(rng, vocabulary.size, 0.7)
    truth = {n: log_softmax(truth[n] + noise[n].astype(np.float64), axis=1).astype(np.float32) for n in truth}
    forecasters = [Table(f"m{i}", logs) for i, logs in enumerate(members)]
    fit = fit_weights(kind, forecasters, write_truth(truth))
    assert [member.prepared for member in forecasters] == [3, 3, 3]
    assert fit.gap_nats <= 1e-8
    assert sum(fit.weights) == pytest.approx(1)
    assert fit.kl_nats == pytest.approx(mean_kl(kind, truth, members, fit.weights), abs=1e-6)
    alone = [mean_kl(kind, truth, members, unit) for unit in np.eye(3)]
    np.testing.assert_allclose(fit.member_kl_nats, alone, atol=1e-6)
    assert fit.kl_nats < min(alone)
    step = 20
    grid = [(i / step, j / step, 1 - i / step - j / step) for i in range(step + 1) for j in range(step + 1 - i)]
    values = {point: mean_kl(kind, truth, members, point) for point in grid}
    best = min(grid, key=values.__getitem__)
    assert fit.kl_nats <= values[best] + 1e-6
    np.testing.assert_allclose(fit.weights, best, atol=1.5 / step)


@pytest.mark.parametrize("kind", ["linear", "log"])
def test_a_useless_member_gets_nothing(
    write_truth: Callable[[Logs], Distributions], vocabulary: Vocabulary, kind: str
) -> None:
    rng = np.random.default_rng(9)
    truth, useless = random_logs(rng, vocabulary.size), random_logs(rng, vocabulary.size, 9.0)
    fit = fit_weights(kind, [Table("useless", useless), Table("truth", truth)], write_truth(truth))
    np.testing.assert_allclose(fit.weights, [0, 1], atol=1e-6)
    assert fit.kl_nats == pytest.approx(0, abs=1e-8)


def test_blocks_of_positions_change_nothing(
    write_truth: Callable[[Logs], Distributions], vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    members = [Table("a", random_logs(rng, vocabulary.size)), Table("b", random_logs(rng, vocabulary.size))]
    truth = write_truth(random_logs(rng, vocabulary.size))
    whole = fit_weights("linear", members, truth)
    monkeypatch.setattr("foretell.forecasters.spooled_rows._BLOCK_ENTRIES", 1)
    by_row = fit_weights("linear", members, truth)
    np.testing.assert_allclose(whole.weights, by_row.weights, atol=1e-9)


def test_zeros_in_a_linear_pool(write_truth: Callable[[Logs], Distributions], vocabulary: Vocabulary) -> None:
    rng = np.random.default_rng(6)
    truth = random_logs(rng, vocabulary.size)
    half = {name: logs.copy() for name, logs in truth.items()}
    for logs in half.values():
        logs[:, : vocabulary.size // 2] = -np.inf
        logs -= logsumexp(logs, axis=1, keepdims=True)
    fit = fit_weights("linear", [Table("half", half), Table("truth", truth)], write_truth(truth))
    np.testing.assert_allclose(fit.weights, [0, 1], atol=1e-6)
    assert fit.member_kl_nats[0] == np.inf
    assert fit.record()["member_kl_nats"][0] == "infinite"
    distributions = Distributions(write_truth(truth).folder)
    with pytest.raises(DistributionError, match="no pool has a finite KL"):
        fit_weights("linear", [Table("half", half), Table("again", half)], distributions)
    with pytest.raises(DistributionError, match="half: probability zero in a logarithmic pool"):
        fit_weights("log", [Table("truth", truth), Table("half", half)], distributions)


@pytest.mark.parametrize("kind", ["linear", "log"])
def test_a_forecast_is_the_mean_of_its_members(
    ask: Callable[..., TokenizedPrompt], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foretell.forecasters.pool._ROWS", 2)
    rng = np.random.default_rng(0)
    logs = [random_logs(rng, 6) for _ in range(3)]
    members: list[Forecaster] = [Table(f"m{i}", table) for i, table in enumerate(logs)]
    pool = PoolForecaster("pool:x", members, kind, vocabulary=6)
    assert pool.weights == (1 / 3, 1 / 3, 1 / 3)
    assert pool.describe()["fitted"] is None
    pool.prepare([])
    block = pool.forecast(ask([1, 2, 3], (0, 1, 2), "c"))
    check_block(block, 6, "pool")
    np.testing.assert_allclose(block.logprobs, pooled(kind, logs, pool.weights, "c"), atol=1e-5)


def test_fitted_weights_are_used_and_recorded(
    write_truth: Callable[[Logs], Distributions], vocabulary: Vocabulary, ask: Callable[..., TokenizedPrompt]
) -> None:
    rng = np.random.default_rng(2)
    logs = [random_logs(rng, vocabulary.size) for _ in range(2)]
    truth = {name: pooled("linear", logs, [0.8, 0.2], name).astype(np.float32) for name in POSITIONS}
    members: list[Forecaster] = [Table("first", logs[0]), Table("second", logs[1])]
    pool = PoolForecaster("pool:x", members, practice=write_truth(truth), vocabulary=vocabulary.size)
    np.testing.assert_allclose(pool.weights, [0.8, 0.2], atol=1e-3)
    described = pool.describe()
    assert [(m["name"], m["weight"]) for m in described["members"]] == list(
        zip(("first", "second"), pool.weights, strict=True)
    )
    assert described["fitted"]["practice"] == "random"
    assert isinstance(pool.fit, PoolFit)
    np.testing.assert_allclose(pool.forecast(ask([1], (0, 1), "a")).logprobs, truth["a"], atol=1e-2)


def test_members_that_rule_each_other_out(ask: Callable[..., TokenizedPrompt]) -> None:
    with np.errstate(divide="ignore"):
        one, other = np.log([[1.0, 0.0]]), np.log([[0.0, 1.0]])
    members: list[Forecaster] = [Table("one", {"p": one}), Table("other", {"p": other})]
    linear = PoolForecaster("pool:x", members, vocabulary=2).forecast(ask([1]))
    np.testing.assert_allclose(np.exp(linear.logprobs), [[0.5, 0.5]])
    with pytest.raises(DistributionError, match=r"prompt 'p'\): nothing left in the pool"):
        PoolForecaster("pool:log:x", members, "log", vocabulary=2).forecast(ask([1]))


@pytest.mark.parametrize("count", [0, 1, 9])
def test_a_pool_has_two_to_eight_members(count: int) -> None:
    members: list[Forecaster] = [Table("m", {}) for _ in range(count)]
    with pytest.raises(InputError, match=f"bad pool: got {count} members, expected 2 to 8"):
        PoolForecaster("pool:x", members, vocabulary=2)


def test_a_truth_of_top_tokens_is_refused(tmp_path: Path, vocabulary: Vocabulary) -> None:
    prompts = [TokenizedPrompt("a", "all", 1.0, "a", "x", (0,), (0,))]
    writer = DistributionWriter(tmp_path / "t", prompts, [[0]], vocabulary, {"source": {"name": "api"}})
    writer.write(0, TopKBlock(np.array([[1]]), np.log([[0.5]]), np.log([0.5])))
    writer.finish()
    with pytest.raises(InputError, match="cannot fit on this truth: got the top k tokens only"):
        fit_weights("linear", [], Distributions(tmp_path / "t"))
