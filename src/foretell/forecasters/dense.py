"""Any block as full log-probabilities: what pools mix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.distributions import Block, DenseBlock, FactoredBlock, TopKBlock
from foretell.distributions.combining import log_normalised


def dense_logprobs(block: Block, vocabulary: int) -> NDArray[np.float64]:
    """Natural-log probabilities of every token: (positions, vocabulary), float64, normalised.

    The rest of a top-k row is spread evenly over the tokens that it does not list: a rule, not knowledge, and
    recorded by the pools that use it.

    >>> block = TopKBlock(np.array([[1]]), np.log([[0.5]]), np.log([0.5]))
    >>> np.exp(dense_logprobs(block, 3)).round(3).tolist()
    [[0.25, 0.5, 0.25]]
    """
    match block:
        case DenseBlock(logprobs):
            return log_normalised(logprobs)
        case FactoredBlock(hidden, head):
            return log_normalised(head.logits(hidden))
        case TopKBlock(ids, logprobs, rest):
            listed = ids >= 0
            unlisted = vocabulary - listed.sum(axis=1)
            spread = np.asarray(rest, np.float64) - np.log(np.maximum(unlisted, 1))
            full = np.repeat(spread[:, None], vocabulary, axis=1)
            rows, columns = np.nonzero(listed)
            full[rows, ids[rows, columns]] = logprobs[rows, columns]
            return log_normalised(full)
