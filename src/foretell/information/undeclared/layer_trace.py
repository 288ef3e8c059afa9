"""A trace of an output layer in a forecast: a rank where the singular values drop sharply. What `inspect` looks for.

The forecast may be a table of counts, or mixed, or floored; exact log-probabilities of a model are for `hidden_width`.

A neural language model computes its logits as hidden states times an output layer, so its log-probabilities, less
each position's mean, have the rank of the hidden width, plus one for a bias (Yang et al. 2018, "Breaking the softmax
bottleneck"; Carlini et al. 2024 and Finlayson et al. 2024 read the width of served models from it). Tables of counts
have no such rank: their singular values fall gradually, or, where few tokens were ever touched, the rank is carried
by just those tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foretell.information.layer.singular_values import noise_edge

Float64 = NDArray[np.float64]
Status = Literal["found", "not found", "not determined", "stated"]

#: Narrower output layers are not looked for: n-gram tables have a few strong directions.
LEAST_WIDTH = 8
#: A drop of neighbouring singular values by this factor counts; honest tables stay under 1.5, models reach 100,000.
LEAST_DROP = 5.0
#: How many tokens must carry each direction, on average. Tables and rules that touch few tokens have 1.0 to 1.2.
LEAST_SPREAD = 1.6
#: A width is seen only if it is at most this share of the positions, and of the tokens.
_OF_POSITIONS, _OF_TOKENS = 0.75, 0.4
#: The lowest singular value that counts, in multiples of what rounding makes.
_ABOVE_NOISE = 10.0
_FLOAT32_ROUNDING = 2.0**-24
#: The second look: this share of the tokens, the likeliest, and of the positions, where they are likeliest. A uniform
#: floor changes the probability of unlikely tokens most, so that it hides the rank of these least.
_LIKELY_TOKENS, _LIKELY_POSITIONS, _UNLIKELIEST = 0.25, 0.5, 0.01


@dataclass(frozen=True)
class TracedWidth:
    """What the singular values say.

    Attributes:
        status: found; not found (no sharp drop up to `visible`); not determined; stated (by the forecast's own format).
        width: the rank before the drop.
        drop: by which factor the singular values fall there.
        spread: how many tokens carry each direction.
        positions, tokens: different positions and tokens that were looked at.
        visible: the largest width that could have been seen.
        reason: why, where not determined.
    """

    status: Status
    width: int | None = None
    drop: float | None = None
    spread: float | None = None
    positions: int = 0
    tokens: int = 0
    visible: int = 0
    reason: str | None = None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


def traced_width(logprobs: NDArray[np.floating]) -> TracedWidth:
    """Look for the rank of an output layer in log-probabilities.

    Two looks, at everything and at what is likely; the first that finds a rank is reported. Tokens with probability
    zero somewhere are left out. Rows that repeat count once. Not seen are: widths above `visible`, mixtures of
    probabilities (a pool), and floors of about a thousandth and more.

    Args:
        logprobs: natural-log probabilities, (positions, tokens); a random sample of tokens will do.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(300, 20)) @ rng.normal(size=(20, 200))
    >>> found = traced_width(logits.astype(np.float32))
    >>> found.status, found.width
    ('found', 20)
    >>> traced_width(rng.normal(size=(300, 200))).status
    'not found'
    """
    values = np.asarray(logprobs, np.float64)
    values = values[:, np.isfinite(values).all(axis=0)]
    everything = _look(values)
    if everything.status != "not found":
        return everything
    likely = _look(_likely(values))
    return likely if likely.status == "found" else everything


def _likely(values: Float64) -> Float64:
    floor = np.quantile(values, _UNLIKELIEST, axis=0)
    tokens = np.sort(np.argsort(-floor, kind="stable")[: math.ceil(_LIKELY_TOKENS * values.shape[1])])
    least = values[:, tokens].min(axis=1)
    positions = np.sort(np.argsort(-least, kind="stable")[: math.ceil(_LIKELY_POSITIONS * len(values))])
    return values[np.ix_(positions, tokens)]


def _look(values: Float64) -> TracedWidth:
    tokens = values.shape[1]
    if tokens:
        values = values - values.mean(axis=1, keepdims=True)
        # Rows that differ by rounding alone are the same context.
        values = np.unique(values.astype(np.float32), axis=0).astype(np.float64)
    positions = len(values)
    visible = int(min(_OF_POSITIONS * positions, _OF_TOKENS * tokens))
    if visible < LEAST_WIDTH:
        reason = f"{positions} different positions and {tokens} tokens with a probability everywhere are too few"
        return TracedWidth("not determined", positions=positions, tokens=tokens, visible=visible, reason=reason)
    gram = values @ values.T if positions <= tokens else values.T @ values
    singular = np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0))
    noise = max(_rounding(values), float(singular[0]) * math.sqrt(len(gram) * np.finfo(np.float64).eps))
    # What is under the noise has no shape: no drop is looked for there.
    heights = np.maximum(singular, noise)
    drops = heights[:-1] / heights[1:]
    place = LEAST_WIDTH - 1 + int(np.argmax(drops[LEAST_WIDTH - 1 : visible]))
    drop = float(drops[place])
    looked = TracedWidth("not found", drop=drop, positions=positions, tokens=tokens, visible=visible)
    if drop < LEAST_DROP or singular[place] < _ABOVE_NOISE * noise:
        return looked
    spread = _spread(_directions(values, gram, place + 1))
    if spread < LEAST_SPREAD:
        return replace(looked, spread=spread)
    return replace(looked, status="found", width=place + 1, spread=spread)


def _rounding(values: Float64) -> float:
    """The largest singular value of what storing values in float32 adds."""
    return noise_edge(_FLOAT32_ROUNDING * float(np.sqrt(np.mean(values**2))), *values.shape)


def _directions(values: Float64, gram: Float64, rank: int) -> Float64:
    """The first right singular vectors of values, (rank, tokens), by way of the smaller Gram matrix."""
    first = np.linalg.eigh(gram)[1][:, ::-1][:, :rank]
    if len(values) > values.shape[1]:
        return np.asarray(first.T)
    return np.asarray(np.linalg.qr(values.T @ first)[0].T)


def _spread(directions: Float64) -> float:
    """Tokens that carry each direction: the participation ratio of the tokens' leverages over the rank.

    Args:
        directions: orthonormal rows, (rank, tokens).

    >>> _spread(np.eye(3, 8))
    1.0
    >>> round(_spread(np.full((1, 8), 8**-0.5)), 6)
    8.0
    """
    leverage = np.sum(directions**2, axis=0)
    return float(leverage.sum() ** 2 / np.sum(leverage**2) / len(directions))
