"""Weights for a pool: those with the least mean KL(truth ‖ pool) on a practice truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import DistributionError, InputError
from foretell.distributions import Distributions
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.simplex import minimise
from foretell.forecasters.spooled_rows import SpooledRows

#: A fit stops when no weights can be better by more than this.
GAP_NATS = 1e-8
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PoolFit:
    """Fitted weights, and what they were fitted on.

    Attributes:
        kl_nats: mean KL(truth ‖ pool) on the practice prompts.
        gap_nats: no weights could be better by more.
        member_kl_nats: mean KL(truth ‖ member), in order.
    """

    weights: tuple[float, ...]
    kl_nats: float
    gap_nats: float
    member_kl_nats: tuple[float, ...]
    practice: str
    prompts: int

    def record(self) -> dict[str, Any]:
        """The fit for a manifest. An infinite KL, of a member that rules out what happens, is written as a word."""
        members = [kl if np.isfinite(kl) else "infinite" for kl in self.member_kl_nats]
        return {
            "practice": self.practice,
            "prompts": self.prompts,
            "kl_nats": self.kl_nats,
            "gap_nats": self.gap_nats,
            "member_kl_nats": members,
        }


def fit_weights(kind: str, members: Sequence[Forecaster], practice: Distributions) -> PoolFit:
    """Fit the weights of a linear or logarithmic pool; both problems are convex.

    The mean is over positions within a prompt, then over prompts by their weights, as in scores. Truth and members'
    forecasts are laid down once in a temporary file (4 bytes × positions × vocabulary × (members + 1)) and read in
    blocks at every step, some ten times.

    Args:
        kind: 'linear' or 'log'.

    Raises:
        InputError: the truth lists its top k only, or a prompt cannot be answered by a member.
        DistributionError: no weights have a finite KL, or a member of a logarithmic pool gives probability zero.
    """
    if practice.kind == "topk":
        raise InputError(
            "cannot fit on this truth",
            where=str(practice.folder),
            got="the top k tokens only",
            expected="a truth with full distributions",
            fix="Practise on a model whose distributions are known in full, or leave the weights equal.",
        )
    for member in members:
        member.prepare(practice.prompts)
    data = _practice_rows(members, practice)
    statistics = {"linear": _linear, "log": _logarithmic}[kind]
    if kind == "log":
        _require_positive(data, [member.name for member in members])

    def oracle(weights: _Floats) -> tuple[float, _Floats, _Floats]:
        value, gradient, hessian = 0.0, np.zeros(len(members)), np.zeros((len(members), len(members)))
        for truth, forecasts, row_weights in _blocks(data):
            terms = statistics(truth, forecasts, row_weights, weights)
            value, gradient, hessian = value + terms[0], gradient + terms[1], hessian + terms[2]
        return value, gradient, hessian

    entropy, alone = _entropy_and_members(data)
    if not np.isfinite(oracle(np.full(len(members), 1 / len(members)))[0]):
        raise DistributionError(
            "no pool has a finite KL",
            where=str(practice.folder),
            got="tokens that the truth gives mass to and every member rules out",
            expected="at least one member with mass wherever the truth has some",
            fix="Add a member such as `uniform`.",
        )
    found = minimise(oracle, len(members), GAP_NATS)
    return PoolFit(
        found.weights,
        found.value - entropy,
        found.gap,
        tuple(cross - entropy for cross in alone),
        practice.name,
        len(practice.prompts),
    )


def _linear(
    truth: _Floats, forecasts: _Floats, row_weights: _Floats, weights: _Floats
) -> tuple[float, _Floats, _Floats]:
    """−Σ p log Σᵢ λᵢ qᵢ with its derivatives, as −E[rᵢ] and E[rᵢ rⱼ] for rᵢ = qᵢ / Σ λ q.

    Args:
        truth: probabilities (positions, vocabulary).
        forecasts: log-probabilities (members, positions, vocabulary).
        row_weights: (positions,).
    """
    mass = truth * row_weights[:, None]
    seen = mass > 0
    # Picking entries takes longer than all the rest; a truth from a softmax has no zeros.
    every = bool(seen.all())
    mass, logs = (mass.ravel(), forecasts.reshape(len(weights), -1)) if every else (mass[seen], forecasts[:, seen])
    top = logs.max(axis=0)
    if np.isneginf(top).any():
        return np.inf, np.zeros(len(weights)), np.zeros((len(weights), len(weights)))
    ratios = logs - top
    np.exp(ratios, out=ratios)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # weights of zero, probabilities far below top
        total = weights @ ratios
        mixed = top + np.log(total)
        ratios /= total
        if not np.isfinite(ratios).all():
            return np.inf, np.zeros(len(weights)), np.zeros((len(weights), len(weights)))
    weighted = ratios * mass
    return -float(mass @ mixed), -weighted.sum(axis=1), weighted @ ratios.T


def _logarithmic(
    truth: _Floats, forecasts: _Floats, row_weights: _Floats, weights: _Floats
) -> tuple[float, _Floats, _Floats]:
    """−Σ p (Σᵢ λᵢ log qᵢ − log Z(λ)) with its derivatives, E_pool[log qᵢ] − E_p[log qᵢ] and the pool's covariance."""
    logits = np.tensordot(weights, forecasts, axes=1)
    top = logits.max(axis=1, keepdims=True)
    unscaled = np.exp(logits - top)
    total = unscaled.sum(axis=1, keepdims=True)
    pool = unscaled / total * row_weights[:, None]
    normaliser = (top + np.log(total))[:, 0]
    mass = truth * row_weights[:, None]
    value = float(row_weights @ (normaliser * truth.sum(axis=1)) - np.sum(mass * logits))
    under_pool = np.einsum("pv,mpv->mp", pool, forecasts)
    gradient = under_pool.sum(axis=1) - np.einsum("pv,mpv->m", mass, forecasts)
    weighted = (forecasts * pool).reshape(len(weights), -1)
    second = weighted @ forecasts.reshape(len(weights), -1).T
    return value, gradient, second - (under_pool / row_weights) @ under_pool.T


def _practice_rows(members: Sequence[Forecaster], practice: Distributions) -> SpooledRows:
    """Truth and members' forecasts at all practice positions, the truth first."""
    places = {prompt.id: index for index, prompt in enumerate(practice.prompts)}
    sources = [lambda prompt: practice.block(places[prompt.id]), *(member.forecast for member in members)]
    return SpooledRows(
        sources, [practice.prompts[index] for index in practice.storage_order()], practice.vocabulary.size
    )


def _blocks(rows: SpooledRows) -> Iterator[tuple[_Floats, _Floats, _Floats]]:
    """Truth's probabilities, members' log-probabilities and row weights, a few positions at a time."""
    for logs, row_weights in rows.blocks():
        yield np.exp(logs[0]), logs[1:], row_weights


def _require_positive(rows: SpooledRows, names: Sequence[str]) -> None:
    """Raise unless every member gives every token mass, without which a logarithmic pool has no gradient."""
    for _, forecasts, _ in _blocks(rows):
        zero = np.isneginf(forecasts).any(axis=(1, 2))
        if zero.any():
            raise DistributionError(
                "probability zero in a logarithmic pool",
                where=names[int(np.argmax(zero))],
                got="tokens with probability zero",
                expected="some mass for every token",
                fix="Use a linear pool, or a member that gives every token some mass.",
            )


def _entropy_and_members(rows: SpooledRows) -> tuple[float, list[float]]:
    """Mean entropy of the truth, and each member's mean cross-entropy, in nats."""
    sums = np.zeros(rows.shape[0])
    for truth, forecasts, row_weights in _blocks(rows):
        mass = truth * row_weights[:, None]
        seen = mass > 0
        sums[0] -= mass[seen] @ np.log(truth[seen])
        for slot, logs in enumerate(forecasts, 1):
            sums[slot] -= mass[seen] @ logs[seen]
    return float(sums[0]), [float(value) for value in sums[1:]]
