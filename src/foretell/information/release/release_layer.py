"""What an attack recovers of the output layer from released log-probabilities: how exact, and how many bits that is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Unscored
from foretell.distributions import DenseBlock, Head
from foretell.distributions.release import ReleaseRule, TopK
from foretell.information.layer.hidden_width import Rank
from foretell.information.layer.layer_bits import LayerBits, layer_bits
from foretell.information.layer.output_layer import linear_error, recovered_layer, visible_layer

#: Positions that are released at once.
_ROWS = 64


def recovered_bits(
    rows: NDArray[np.floating], rule: ReleaseRule, head: Head | None, rank: Rank, seed: int
) -> LayerBits | Unscored:
    """Bits of the output layer that `foretell information layer` recovers from released rows, by its definition.

    The rank is taken from the exact log-probabilities: an attacker may know it from elsewhere, so this is what can be
    had, not what must be.

    Args:
        rows: exact, normalised log-probabilities (positions, vocabulary), finite.
        head: the true layer, where it is known.
        seed: of the noise, which has to come out alike each time the rows are read.

    >>> rng = np.random.default_rng(0)
    >>> head = Head(rng.normal(size=(200, 5)).astype(np.float32))
    >>> logits = head.logits(rng.normal(size=(80, 5)))
    >>> from foretell.distributions.release import Noise, Round
    >>> found = [recovered_bits(logits, rule, head, Rank("found", 5), 0) for rule in (Round(3), Noise(0.1))]
    >>> [round(one.per_number) for one in found]
    [15, 6]
    """
    if isinstance(rule, TopK):
        return Unscored("a list shows other tokens at each position; rebuild them all first (information rebuild)")
    if head is None:
        return Unscored("the truth does not hold the true layer (it is not factored)")
    if head.softcap:
        return Unscored("a soft cap stands between the output layer and its log-probabilities")
    if rank.rank is None:
        return Unscored(f"the rank is not determined: {rank.reason}")

    def published() -> Iterator[NDArray[np.floating]]:
        rng = np.random.default_rng(seed)
        for start in range(0, len(rows), _ROWS):
            block = rule.release(rows[start : start + _ROWS].astype(np.float64), rng)
            assert isinstance(block, DenseBlock)
            yield block.logprobs

    layer = recovered_layer(published, rows.shape[1], len(rows), rank.rank)
    return layer_bits(linear_error(layer.basis, visible_layer(head)), rows.shape[1], norm_known=False)
