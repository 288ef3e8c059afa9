"""Rebuilding through a made-up interface: exact on an honest one, and what becomes of servers that are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from foretell.base.errors import EndpointError, InputError
from foretell.information.rebuild.rebuilding import Bias, Interface, RebuildSettings, Rebuilt, Row, rebuild

VOCABULARY, TOP = 400, 20


@dataclass
class Server:
    """Top-k lists of one distribution, honest unless told otherwise.

    Attributes:
        digits: decimals that it prints, None for all.
        before: it reports what was before the bias.
        entries: it heeds only so many biases of a request.
        clip: it limits every bias to this, without a word.
        barred: tokens that it never lists.
        jitter: nats of noise on each number.
        temperature: that it divides logits by.
    """

    seed: int = 0
    scale: float = 3.0
    single: bool = False
    digits: int | None = None
    before: bool = False
    entries: int = 10**6
    clip: float = 1e6
    barred: frozenset[int] = frozenset()
    jitter: float = 0.0
    temperature: float = 1.0
    asked: list[Bias] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.logits = self.rng.normal(scale=self.scale, size=VOCABULARY)
        self.truth = self.logits - np.logaddexp.reduce(self.logits)

    def answer(self, bias: Bias, top: int) -> Row:
        self.asked.append(bias)
        logits = self.logits.astype(np.float32) if self.single else self.logits.copy()
        for token, lift in [] if self.before else list(bias.items())[: self.entries]:
            logits[token] += logits.dtype.type(min(lift, self.clip))
        logits /= self.temperature
        logits -= logits.max()
        logs = (logits - np.log(np.exp(logits).sum(dtype=logits.dtype))).astype(np.float64)
        logs += self.rng.uniform(-self.jitter, self.jitter, VOCABULARY) if self.jitter else 0.0
        logs[list(self.barred)] = -np.inf
        listed = np.argsort(-logs, kind="stable")[:top]
        return {int(t): float(logs[t] if self.digits is None else logs[t].round(self.digits)) for t in listed}

    def interface(self, top: int = TOP, leader: tuple[int, float] | None = None) -> Interface:
        def biased(biases: Sequence[Mapping[int, float]]) -> list[Row]:
            return [self.answer(bias, top) for bias in biases]

        return Interface("a server", lambda: self.answer({}, top), biased, top, leader)


def error_nats(server: Server, found: Rebuilt) -> float:
    return float(np.abs(found.logprobs - server.truth).max())


@pytest.mark.parametrize("top", [2, 5, 20, 399, 400])
@pytest.mark.parametrize("scale", [0.5, 3.0, 8.0])
def test_an_honest_server_in_double_precision(top: int, scale: float) -> None:
    server = Server(scale=scale)
    found = rebuild(server.interface(top), VOCABULARY)
    assert error_nats(server, found) < 1e-12
    assert abs(found.mass_off_nats) < 1e-12
    assert (found.spread_nats < 1e-12, found.queries) == (True, len(server.asked))


def test_queries_are_one_for_each_k_minus_one_tokens() -> None:
    found = rebuild(Server().interface(), VOCABULARY)
    ideal = -(-(VOCABULARY - TOP) // (TOP - 1))
    # Unbiased and the first group, both again; a trial of each of two biases, and of a small one; stragglers.
    assert ideal + 4 <= found.queries <= ideal + 7


def test_a_bias_that_is_too_small_is_raised() -> None:
    server = Server(scale=12.0)
    found = rebuild(server.interface(), VOCABULARY)
    lifts = [max(bias.values(), default=0.0) for bias in server.asked]
    assert len(set(lifts)) > 3
    assert found.largest_bias == max(lifts) <= 100
    assert error_nats(server, found) < 1e-12


def test_a_limit_of_the_bias_is_kept_and_said() -> None:
    server = Server(scale=12.0)
    with pytest.raises(
        EndpointError, match=r"tokens that no bias lifts .* with a bias of 30, alone .* Raise --max-bias"
    ):
        rebuild(server.interface(), VOCABULARY, RebuildSettings(max_bias=30))
    assert max(max(bias.values(), default=0.0) for bias in server.asked) == 30
    server = Server()
    found = rebuild(server.interface(), VOCABULARY, RebuildSettings(max_bias=30))
    assert error_nats(server, found) < 1e-12
    assert found.largest_bias <= 30


def test_a_leading_token() -> None:
    for leader in (5, int(np.argmax(Server().truth)), int(np.argmin(Server().truth))):
        server = Server()
        found = rebuild(server.interface(leader=(leader, 40.0)), VOCABULARY)
        assert error_nats(server, found) < 1e-12
        assert all(max(bias, key=lambda token: bias[token]) == leader for bias in server.asked if bias)


@pytest.mark.parametrize(
    ("digits", "single", "at_most"), [(None, True, 7e-5), (6, False, 7e-5), (3, True, 4e-3), (2, False, 0.04)]
)
def test_what_the_server_prints_bounds_the_error(digits: int | None, single: bool, at_most: float) -> None:
    for seed in range(10):
        server = Server(seed, digits=digits, single=single)
        found = rebuild(server.interface(), VOCABULARY)
        assert error_nats(server, found) <= found.error_nats <= at_most


def test_float32_and_a_large_bias() -> None:
    errors = {}
    for scale in (3.0, 14.0):
        server = Server(scale=scale, single=True)
        found = rebuild(server.interface(), VOCABULARY)
        errors[scale] = error_nats(server, found)
        assert errors[scale] <= found.error_nats
    assert errors[3.0] < errors[14.0] < 1e-4


def test_sums_in_double_precision() -> None:
    server = Server(scale=1.5)
    found = rebuild(server.interface(), VOCABULARY, RebuildSettings("sum"))
    assert error_nats(server, found) <= found.error_nats
    assert error_nats(server, found) < 1e-8
    assert error_nats(server, rebuild(server.interface(), VOCABULARY)) < error_nats(server, found)


def test_sums_that_lose_everything_are_refused() -> None:
    with pytest.raises(EndpointError, match="nothing is left of the precision"):
        rebuild(Server(scale=6.0, single=True).interface(), VOCABULARY, RebuildSettings("sum"))


def test_reports_from_before_the_bias_are_refused_after_two_requests() -> None:
    server = Server(before=True)
    with pytest.raises(EndpointError, match=r"reports log-probabilities from before the bias: got a change by 0\.00"):
        rebuild(server.interface(), VOCABULARY)
    assert len(server.asked) == 2


def test_a_temperature_is_seen() -> None:
    with pytest.raises(
        EndpointError, match=r"another bias than was asked for: got a change by 1\.50 nats, expected by 3"
    ):
        rebuild(Server(temperature=2.0).interface(), VOCABULARY)


@pytest.mark.parametrize("entries", [1, 3, 10, 19])
def test_a_server_that_heeds_few_biases_is_asked_for_fewer(entries: int) -> None:
    server = Server(entries=entries)
    found = rebuild(server.interface(), VOCABULARY)
    assert error_nats(server, found) < 1e-12
    lifted = [len(bias) for bias in server.asked]
    assert min(size for size in lifted if size) <= entries
    assert found.queries > (VOCABULARY - TOP) / entries


def test_a_server_that_heeds_no_bias_is_refused() -> None:
    with pytest.raises(EndpointError, match="from before the bias"):
        rebuild(Server(entries=0).interface(), VOCABULARY)


def test_barred_tokens_are_named() -> None:
    with pytest.raises(EndpointError, match=r"got 1 tokens \(first: 7\) missing"):
        rebuild(Server(barred=frozenset({7})).interface(), VOCABULARY)


@pytest.mark.parametrize("clip", [10.0, 25.0])
def test_a_bias_that_is_clipped_in_silence_is_refused(clip: float) -> None:
    for scale in (3.0, 6.0):
        with pytest.raises(EndpointError, match=rf"another bias than was asked for: got a change by {clip:g}\.00 nats"):
            rebuild(Server(clip=clip, scale=scale).interface(), VOCABULARY)
    found = rebuild(Server(clip=25.0).interface(), VOCABULARY, RebuildSettings(max_bias=25))
    assert error_nats(Server(), found) < 1e-12
    with pytest.raises(EndpointError, match="another bias than was asked for"):
        rebuild(Server(clip=45.0).interface(leader=(5, 40.0)), VOCABULARY)


@pytest.mark.parametrize("jitter", [1e-5, 1e-3])
def test_noise_is_measured_and_carried(jitter: float) -> None:
    for seed in range(10):
        server = Server(seed, jitter=jitter)
        found = rebuild(server.interface(), VOCABULARY)
        assert 0.5 * jitter < found.spread_nats < 8 * jitter
        assert error_nats(server, found) <= found.error_nats < 30 * jitter


def test_noise_without_repeats_does_not_pass_unseen_where_it_moves_the_sum() -> None:
    with pytest.raises(EndpointError, match="do not sum to 1"):
        rebuild(Server(jitter=0.05).interface(), VOCABULARY, RebuildSettings(repeats=0))


def test_what_cannot_be_asked() -> None:
    with pytest.raises(InputError, match="cannot be rebuilt so: got a list of 1"):
        rebuild(Server().interface(1), VOCABULARY)
    with pytest.raises(InputError, match="where no token has to lead"):
        rebuild(Server().interface(leader=(3, 40.0)), VOCABULARY, RebuildSettings("sum"))
