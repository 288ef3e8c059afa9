"""Log-probabilities as they are without a logit bias, from log-probabilities that were reported with one.

A bias b_i added to the logits turns p into q_i = p_i·e^(b_i)/D with one D = Σ p_j·e^(b_j) for all tokens. Within one
answer D cancels, so log p_i − log p_r = (log q_i − b_i) − (log q_r − b_r): a token r whose log p_r is known, listed in
the same answer, gives every other listed token to within rounding, whatever the biases (`by_reference`; k − 1 tokens
from an answer that lists k). Without such a token, where all tokens S with the bias B are listed, their own sum has D:
1/D = 1 − Q_S + Q_S·e^(−B), so k tokens come from each answer (`by_sum`); but 1 − Q_S cancels where S has nearly
everything, and log p_i has D times the error that log q_i had.

Source: Carlini et al. 2024, "Stealing part of a production language model", section 5 (logit-bias queries, with and
without a reference token); Finlayson, Ren & Swayamdipta 2024, section 3 (full outputs from APIs, numerical stability).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]

#: A double's mantissa: more bits are not claimed of equal numbers.
_MOST_BITS = 53


def by_reference(
    reported: ArrayLike, biases: ArrayLike, reference_reported: float, reference_bias: float, reference: float
) -> Float64:
    """Unbiased log-probabilities of listed tokens, from a token whose unbiased one is known.

    Args:
        reported: log q_i of the listed tokens, (tokens,).
        biases: b_i, (tokens,) or one for all.
        reference_reported, reference_bias: log q_r and b_r in the same answer.
        reference: log p_r.

    >>> p, b = np.log([0.7, 0.2, 0.1]), np.array([0.0, 5.0, 9.0])
    >>> q = p + b - np.log(np.exp(p + b).sum())
    >>> np.exp(by_reference(q[1:], b[1:], q[0], b[0], p[0])).round(12).tolist()
    [0.2, 0.1]
    """
    ratios = (np.asarray(reported, np.float64) - np.asarray(biases, np.float64)) - (reference_reported - reference_bias)
    return np.asarray(reference + ratios)


def by_sum(reported: ArrayLike, bias: float) -> tuple[Float64, float]:
    """Unbiased log-probabilities of all tokens that had a bias, from their own answer; and log D.

    Args:
        reported: log q_i of every token that had the bias, (tokens,); none may be missing.
        bias: the bias of all of them.

    Returns:
        log p_i, (tokens,), and log D: an error of log q_i comes back up to D times as large.

    >>> p = np.log([0.2, 0.1])
    >>> q = p + 5.0 - np.log(0.7 + 0.3 * np.exp(5.0))
    >>> np.exp(by_sum(q, 5.0)[0]).round(12).tolist()
    [0.2, 0.1]
    """
    logs = np.asarray(reported, np.float64)
    listed = float(np.logaddexp.reduce(logs))
    # log(1 − Q); rounding can put Q at 1 or above, where everything that is left is lost.
    rest = math.log(-math.expm1(listed)) if listed < 0 else -math.inf
    log_d = -float(np.logaddexp(rest, listed - bias))
    return np.asarray(logs - bias + log_d), log_d


@dataclass(frozen=True)
class Agreement:
    """How well rebuilt log-probabilities agree with the truth.

    Attributes:
        largest_nats: the largest difference of a log-probability.
        root_mean_square_nats: over all tokens alike.
        worst_bits, median_bits: of a probability that are right: −log₂ of its relative error, over tokens.
        kl_nats: from truth to rebuilt, mean over positions.
    """

    largest_nats: float
    root_mean_square_nats: float
    worst_bits: float
    median_bits: float
    kl_nats: float

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))

    def sentence(self) -> str:
        """For people."""
        return (
            f"against the truth: largest error {self.largest_nats:.1e} nats, root mean square "
            f"{self.root_mean_square_nats:.1e}; bits of a probability that are right: {self.median_bits:.1f} at the "
            f"median, {self.worst_bits:.1f} at worst; KL divergence {self.kl_nats:.1e} nats"
        )


def agreement(rebuilt: NDArray[np.floating], truth: NDArray[np.floating]) -> Agreement:
    """Compare rebuilt with true log-probabilities.

    Args:
        rebuilt, truth: (positions, tokens), finite.

    >>> round(agreement(np.log([[0.5, 0.5]]), np.log([[0.5 / 1.125, 0.625 / 1.125]])).worst_bits, 9)
    3.0
    """
    p = np.asarray(truth, np.float64)
    difference = np.asarray(rebuilt, np.float64) - p
    relative = np.maximum(np.abs(np.expm1(difference)), 2.0**-_MOST_BITS)
    bits = -np.log2(relative)
    divergence = (np.exp(p) * (np.expm1(difference) - difference)).sum(axis=1)
    return Agreement(
        float(np.abs(difference).max()),
        float(np.sqrt(np.mean(difference**2))),
        float(bits.min()),
        float(np.median(bits)),
        float(divergence.mean()),
    )
