"""How alike two histories are as text: the kernel by which `lowrank` weighs its logs when nothing may be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.distributions.combining import log_normalised
from foretell.forecasters.lowrank_algebra import left_out, ridge_weights

_Floats = NDArray[np.float64]
#: Suffixes of up to so many tokens are compared.
_SUFFIX = 4
#: What all histories share: as good as free to the ridge, so that without any likeness the logs' mean is forecast.
_CONSTANT = 10.0
#: The bag of earlier tokens: how many, and how much less each counts than the one after it.
_BAG, _FADING = 64, 0.95
#: What is tried on the logs: the bag's share of the likeness, the ridge, and by how much logits are stretched.
_BAG_SHARES = (0.1, 0.3, 0.6)
_RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_SCALES = (0.6, 0.8, 1.0, 1.2)


@dataclass(frozen=True)
class Likeness:
    """How histories are compared and weighed; chosen on the logs.

    Attributes:
        bag_share: weight of the bag of earlier tokens; the rest goes to equal suffixes.
        ridge: how much of an answer is taken to be its own.
        scale: stretches the forecast logits, which averaging flattens.
        kl_nats: mean KL divergence on the logs, each answer forecast from those of other documents.
    """

    bag_share: float
    ridge: float
    scale: float
    kl_nats: float


class Histories:
    """Token histories, ready to be compared.

    Args:
        histories: tokens 0 … t of each.
    """

    def __init__(self, histories: Sequence[Sequence[int]], vocabulary: int) -> None:
        self.suffixes = np.full((len(histories), _SUFFIX), -1, np.int64)
        self.bags = np.zeros((len(histories), vocabulary), np.float32)
        for row, tokens in enumerate(histories):
            last = np.asarray(tokens[::-1][:_BAG], np.int64)
            self.suffixes[row, : min(_SUFFIX, len(last))] = last[:_SUFFIX]
            np.add.at(self.bags[row], last, _FADING ** np.arange(len(last)))
            self.bags[row] /= np.linalg.norm(self.bags[row])

    def like(self, others: Histories, bag_share: float) -> _Floats:
        """The kernel (histories, others): positive definite; 1 for equal histories, and the constant.

        >>> one = Histories([(0, 5, 6), (0, 7, 8)], 9)
        >>> one.like(one, 0.5).round(3).tolist()
        [[11.0, 10.15], [10.15, 11.0]]
        """
        equal = np.ones((len(self.suffixes), len(others.suffixes)), bool)
        suffix = np.zeros(equal.shape)
        for at in range(_SUFFIX):
            mine, theirs = self.suffixes[:, at], others.suffixes[:, at]
            equal &= mine[:, None] == theirs[None, :]
            suffix += equal / _SUFFIX
        bag = np.asarray(self.bags @ others.bags.T, np.float64)
        return np.asarray(_CONSTANT + (1 - bag_share) * suffix + bag_share * bag)


def choose_likeness(histories: Histories, logs: _Floats, groups: NDArray[np.int64]) -> Likeness:
    """The likeness, ridge and scale with the least KL divergence on the logs themselves, documents left out in turn.

    Args:
        logs: (histories, vocabulary), centred.
        groups: (histories,), the document of each.
    """
    truth = log_normalised(logs)
    weight = np.exp(truth)
    entropy = float((weight * truth).sum(axis=1).mean())
    best = None
    for bag_share in _BAG_SHARES:
        kernel = histories.like(histories, bag_share)
        for ridge in _RIDGES:
            said = left_out(ridge_weights(kernel, ridge), logs, groups)
            for scale in _SCALES:
                kl = entropy - float((weight * log_normalised(scale * said)).sum(axis=1).mean())
                if best is None or kl < best.kl_nats:
                    best = Likeness(bag_share, ridge, scale, kl)
    assert best is not None
    return best
