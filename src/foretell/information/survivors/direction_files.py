"""The most sensitive directions of a target, written to files that `nudged:FILE:SIZE:TARGET` reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from foretell.base.canonical import digest_file
from foretell.base.files import MANIFEST, write_atomically
from foretell.base.progress import Progress, quiet
from foretell.distributions import Distributions
from foretell.information.directions.sensitive import sensitive_directions
from foretell.targets.target import Target

#: Prompts of the truth, evenly spaced, at whose scored positions the directions are looked for.
PROMPTS = 32
_SEED, _DIGITS = 0, 10


def direction_files(
    truth: Distributions, target: Target, folder: Path, count: int, *, progress: Progress = quiet
) -> list[Path]:
    """Files with the directions in which the target's answers to some of a truth's prompts change most.

    Found again where they were written before for the same truth.

    Returns:
        The most sensitive first.

    Raises:
        InputError: a target that torch does not run.
    """
    made = digest_file(truth.folder / MANIFEST).removeprefix("sha256:")[:_DIGITS]
    files = [folder / f"{made}-{number}.safetensors" for number in range(count)]
    if all(file.is_file() for file in files):
        return files
    progress("looking for sensitive directions", 0, 1)
    step = max(1, len(truth.prompts) // PROMPTS)
    prompts = truth.prompts[::step][:PROMPTS]
    found = sensitive_directions(
        target,
        [prompt.token_ids for prompt in prompts],
        [prompt.positions for prompt in prompts],
        count,
        np.random.default_rng(_SEED),
    )
    for file, direction in zip(files, found, strict=False):
        _write(file, direction)
    progress("looking for sensitive directions", 1, 1)
    return files[: len(found)]


def _write(file: Path, direction: Mapping[str, NDArray[np.floating[Any]]]) -> None:
    arrays = {name: np.ascontiguousarray(part) for name, part in direction.items()}
    write_atomically(file, lambda path: save_file(arrays, path))
