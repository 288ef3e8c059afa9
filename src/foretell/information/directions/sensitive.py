"""The directions in which a target's answers change most: top eigenvectors of its Fisher information."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.information.directions.lanczos import lanczos, largest
from foretell.targets.target import Target
from foretell.targets.torch_fisher import open_fisher

#: Lanczos steps beyond the wanted directions: the outermost eigenvalues settle first.
_SPARE_STEPS = 12


def sensitive_directions(
    target: Target,
    batch: Sequence[Sequence[int]],
    positions: Sequence[Sequence[int]],
    count: int,
    rng: np.random.Generator,
) -> list[dict[str, NDArray[np.floating[Any]]]]:
    """Changes of the weights that move the distributions at these positions most, the most sensitive first.

    Each is a unit vector in the metric in which a weight is measured by its tensor's root mean square σ: the sum over
    all weights of (change / σ)² is 1. The mean KL that it causes, times a small factor s, is about ½ s² λ.

    Args:
        target: run by torch, or the shipped one.
        batch: token ids of each prompt.
        positions: scored positions of each prompt.
        count: how many directions.

    Returns:
        By tensor name, arrays of the tensors' shapes, `count` times (fewer where fewer directions matter at all).

    Raises:
        InputError: a target that torch does not run, or no prompts.
    """
    fisher = open_fisher(target, batch, positions)
    start = rng.standard_normal(fisher.size).astype(fisher.dtype)
    found = largest(lanczos(fisher.product, start, count + _SPARE_STEPS), count)
    return [fisher.named(vector) for vector in found.vectors]
