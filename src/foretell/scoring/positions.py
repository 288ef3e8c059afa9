"""How far off at each position: any truth against any forecast, in one table of lower and upper ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import DistributionError, InputError
from foretell.distributions import Block, DenseBlock, FactoredBlock, TopKBlock, rows
from foretell.scoring import divergences, kernels, partial

#: Every metric that a charter may name, in the order of reports. All but top1_agreement are losses.
METRICS = ("kl_nats", "abs_logprob_nats", "tv", "js_nats", "top1_agreement", "topk_logprob_rmse")
#: What is measured beside them: the truth's entropy, and the bytes of text that its next token is expected to have.
FACTS = ("entropy_nats", "expected_bytes")
COLUMNS = METRICS + FACTS
_NEEDS_ALL = "needs the whole distribution; the truth lists its top k only"
#: The kernel's single precision ends at e⁻⁸⁷: with less of a floor a token, far tails go through double precision.
_LEAST_SHARE = 1e-30
#: Largest temporary when log-probabilities are rebuilt from hidden states or lists.
_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True)
class ScoreSettings:
    """What a score depends on besides truth and forecast.

    Attributes:
        floor: ε of (1−ε)·q + ε·uniform, which bounds every loss by log(V/ε).
        top_k: how many of the truth's likeliest tokens `topk_logprob_rmse` grades.

    Raises:
        InputError: a floor outside [0, 1) or a top_k below 1.
    """

    floor: float = 1e-6
    top_k: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.floor < 1 or self.top_k < 1:
            raise InputError(
                "bad score settings",
                where="--floor, --top-k",
                got=f"floor {self.floor}, top_k {self.top_k}",
                expected="a floor from 0 to below 1, a top_k of at least 1",
                fix="The default floor 1e-6 bounds every loss by log(vocabulary) + 13.8 nats.",
            )

    def largest_kl_nats(self, vocabulary: int) -> float:
        """The largest possible KL divergence, log(V/ε); infinite without a floor.

        >>> round(ScoreSettings(floor=1e-6).largest_kl_nats(2048), 2)
        21.44
        """
        return float(np.log(vocabulary / self.floor)) if self.floor > 0 else float("inf")


@dataclass(frozen=True)
class PositionScores:
    """Lower and upper end of every column at every position; NaN nowhere, None where a column can't be scored.

    Attributes:
        lo, hi: by column name, float64 (positions,) each; equal arrays where the truth is fully known.
        unscored: reason by column name, for columns that lo and hi leave out.
    """

    lo: dict[str, NDArray[np.float64]]
    hi: dict[str, NDArray[np.float64]]
    unscored: dict[str, str]


def expand_top_k(block: TopKBlock, vocabulary: int, tail: DenseBlock | None = None) -> DenseBlock:
    """A top-k forecast as a full one: the rest is spread over the unlisted tokens.

    Args:
        tail: spread along these distributions (a public reference), restricted to the unlisted tokens and scaled to
            the rest's mass; uniformly where None.

    Returns:
        float32 (positions, vocabulary).

    >>> block = TopKBlock(np.array([[1]]), np.log([[0.7]]), np.log([0.3]))
    >>> np.exp(expand_top_k(block, 4).logprobs).round(2).tolist()
    [[0.10000000149011612, 0.699999988079071, 0.10000000149011612, 0.10000000149011612]]
    """
    full = np.empty((len(block), vocabulary), np.float32)
    for i in range(len(block)):
        present = block.token_ids[i] >= 0
        listed = block.token_ids[i][present]
        unlisted = vocabulary - len(listed)
        if tail is None:
            full[i] = block.rest_logprob[i] - np.log(unlisted) if unlisted else -np.inf
        else:
            others = np.asarray(tail.logprobs[i], np.float64).copy()
            others[listed] = -np.inf
            mass = np.logaddexp.reduce(others)
            if np.isneginf(mass) and not np.isneginf(block.rest_logprob[i]):
                raise _no_tail(i)
            full[i] = others - mass + block.rest_logprob[i] if np.isfinite(mass) else -np.inf
        full[i, listed] = block.logprobs[i, present]
    return DenseBlock(full)


def _no_tail(row: int) -> DistributionError:
    return DistributionError(
        "nothing to spread the rest along",
        where=f"--tail, row {row}",
        got="probability 0 for every token that the forecast does not list",
        expected="a tail that gives some unlisted token a probability",
        fix="Spread the rest along a smoother forecast, or uniformly (without --tail).",
    )


def to_dense(block: Block, vocabulary: int, tail: DenseBlock | None = None) -> DenseBlock:
    """Any block as dense log-probabilities or logits, (positions, vocabulary)."""
    match block:
        case DenseBlock(logprobs):
            return block if logprobs.dtype != np.float16 else DenseBlock(logprobs.astype(np.float32))
        case FactoredBlock(hidden, head):
            return DenseBlock(head.logits(hidden))
        case TopKBlock():
            return expand_top_k(block, vocabulary, tail)


def score_positions(
    truth: Block,
    forecast: Block,
    token_lengths: NDArray[np.float32],
    settings: ScoreSettings,
    *,
    tail: Block | None = None,
    where: str = "truth",
) -> PositionScores:
    """Score a forecast at every position of a block.

    Args:
        token_lengths: float32 (vocabulary,), bytes of text of each token.
        tail: what the rest of a top-k forecast is spread along; uniform where None.
        where: names the positions in errors.

    Returns:
        Exact numbers for a full truth; intervals for a top-k truth, never a renormalised number.
    """
    vocabulary = len(token_lengths)
    step = max(1, _CHUNK_BYTES // (4 * vocabulary))
    parts = []
    for start in range(0, len(truth), step):
        stop = min(start + step, len(truth))
        along = None if tail is None else to_dense(rows(tail, start, stop), vocabulary)
        q = to_dense(rows(forecast, start, stop), vocabulary, along)
        part = rows(truth, start, stop)
        if isinstance(part, TopKBlock):
            parts.append(_score_partial(part, q, settings, where))
        else:
            exact = _score_full(to_dense(part, vocabulary), q, token_lengths, settings)
            parts.append(PositionScores(exact, exact, {}))
    return _join(parts)


def _score_full(
    p: DenseBlock, q: DenseBlock, lengths: NDArray[np.float32], settings: ScoreSettings
) -> dict[str, NDArray[np.float64]]:
    share = settings.floor / len(lengths)
    if p.logprobs.dtype == q.logprobs.dtype == np.float32 and share >= _LEAST_SHARE:
        out = np.empty((len(p), kernels.COLUMNS))
        kernels.score_rows(p.logprobs, q.logprobs, lengths, settings.floor, min(settings.top_k, len(lengths)), out)
        return {name: out[:, column].copy() for column, name in enumerate(COLUMNS)}
    a = divergences.normalised(p.logprobs)
    b = divergences.floored(divergences.normalised(q.logprobs), settings.floor)
    return {
        "kl_nats": divergences.kl_nats(a, b),
        "abs_logprob_nats": divergences.abs_logprob_nats(a, b),
        "tv": divergences.tv(a, b),
        "js_nats": divergences.js_nats(a, b),
        "top1_agreement": divergences.top1_agreement(p.logprobs, q.logprobs),
        "topk_logprob_rmse": divergences.topk_logprob_rmse(a, b, settings.top_k),
        "entropy_nats": divergences.entropy_nats(a),
        "expected_bytes": np.exp(a) @ lengths.astype(np.float64),
    }


def _score_partial(truth: TopKBlock, q: DenseBlock, settings: ScoreSettings, where: str) -> PositionScores:
    log_q = divergences.floored(divergences.normalised(q.logprobs), settings.floor)
    columns = ("kl_nats", "abs_logprob_nats", "tv", "js_nats")
    graded = bool(((truth.token_ids >= 0).sum(axis=1) >= settings.top_k).all())
    exact = ("top1_agreement", "topk_logprob_rmse") if graded else ("top1_agreement",)
    lo: dict[str, list[float]] = {name: [] for name in (*columns, *exact)}
    hi: dict[str, list[float]] = {name: [] for name in columns}
    bound = (partial.kl_interval, partial.abs_interval, partial.tv_interval, partial.js_interval)
    for i in range(len(truth)):
        present = truth.token_ids[i] >= 0
        ids, known = truth.token_ids[i][present], truth.logprobs[i, present].astype(np.float64)
        if not len(ids):
            raise _nothing_known(f"{where}, row {i}")
        forecast = np.exp(log_q[i])
        # A rest of -inf was said to be nothing; what the listed ones lack to 1 is then rounding.
        rest = 0.0 if np.isneginf(truth.rest_logprob[i]) else max(0.0, 1.0 - float(np.exp(known).sum()))
        position = partial.PartialTruth(np.exp(known), forecast[ids], np.delete(forecast, ids), rest)
        for name, interval in zip(columns, (make(position, where) for make in bound), strict=True):
            lo[name].append(interval.lo)
            hi[name].append(interval.hi)
        likeliest = np.lexsort((ids, -known))[: settings.top_k]
        lo["top1_agreement"].append(float(ids[likeliest[0]] == int(np.argmax(q.logprobs[i]))))
        if graded:
            a, b = known[likeliest], log_q[i, ids[likeliest]]
            errors = np.subtract(a, b, out=np.zeros_like(a), where=a != b)  # two zeros agree
            lo["topk_logprob_rmse"].append(float(np.sqrt(np.mean(errors**2))))
    hi |= {name: lo[name] for name in exact}
    missing = [name for name in COLUMNS if name not in lo]
    return PositionScores(
        {name: np.array(column) for name, column in lo.items()},
        {name: np.array(column) for name, column in hi.items()},
        dict.fromkeys(missing, _NEEDS_ALL),
    )


def _nothing_known(where: str) -> DistributionError:
    return DistributionError(
        "a truth that says nothing",
        where=where,
        got="no listed token",
        expected="at least the likeliest token",
        fix="Collect the truth again with a larger --top.",
    )


def _join(parts: list[PositionScores]) -> PositionScores:
    if len(parts) == 1:
        return parts[0]
    # What one part cannot score, such as a likeliest token that a server did not list, the whole cannot.
    unscored = {name: reason for part in parts for name, reason in part.unscored.items()}
    names = [name for name in parts[0].lo if name not in unscored]
    lo = {name: np.concatenate([part.lo[name] for part in parts]) for name in names}
    hi = {name: np.concatenate([part.hi[name] for part in parts]) for name in names}
    return PositionScores(lo, hi, unscored)
