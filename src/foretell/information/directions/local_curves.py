"""Local identifiability of an opened target: from its weights and tokenized prompts to curves over N and tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from foretell.base.interval import Unscored
from foretell.base.progress import Progress, quiet
from foretell.distributions import TokenizedPrompt
from foretell.information.directions.direction_settings import DirectionSettings
from foretell.information.directions.local_information import local_information
from foretell.information.directions.local_results import LocalInformation
from foretell.targets.llama_symmetries import by_kind, known_symmetries
from foretell.targets.target import Target
from foretell.targets.torch_fisher import TorchFisher, open_fisher, torch_target


def local_curves(
    target: Target,
    prompts: Sequence[TokenizedPrompt],
    settings: DirectionSettings,
    rng: np.random.Generator,
    *,
    progress: Progress = quiet,
) -> LocalInformation:
    """How many directions of a target's weights its answers to N of these prompts pin down, and in how many bits.

    Args:
        target: run by torch, or the shipped one.
        prompts: to draw from, weighted as the score.

    Raises:
        InputError: a target that torch does not run, or too little memory for its size.
    """
    opened = torch_target(target)

    def fisher(chosen: Sequence[TokenizedPrompt]) -> TorchFisher:
        tokens, positions = [prompt.token_ids for prompt in chosen], [prompt.positions for prompt in chosen]
        return open_fisher(opened, tokens, positions, [prompt.weight for prompt in chosen])

    known: dict[str, int] | Unscored = by_kind(known_symmetries(opened))
    name = target.identity.name
    return local_information(name, fisher, prompts, settings, rng, symmetries=known, progress=progress)


def last_only(prompts: Sequence[TokenizedPrompt]) -> list[TokenizedPrompt]:
    """The same prompts with their last scored position alone, so that N prompts are N distributions."""
    return [replace(prompt, positions=prompt.positions[-1:]) for prompt in prompts]
