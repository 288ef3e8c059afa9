"""Scores of one forecast by prompt: what is measured first, and everything else is computed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretell.base.errors import InputError
from foretell.scoring.summary import Losses, weighted_mean

#: A prompt's id, slice, document and weight.
PromptKey = tuple[str, str, str, float]


@dataclass
class PromptScores:
    """Scores of one forecast, averaged over each prompt's positions: by column, lists in the order of `prompts`."""

    name: str
    source: dict[str, Any]
    prompts: list[PromptKey] = field(default_factory=list)
    lo: dict[str, list[float]] = field(default_factory=dict)
    hi: dict[str, list[float]] = field(default_factory=dict)
    unscored: dict[str, str] = field(default_factory=dict)

    def losses(self, metric: str, cap: float) -> Losses:
        """The losses by a metric.

        Raises:
            InputError: this truth does not tell them.
        """
        if metric in self.unscored:
            raise InputError(
                "a loss that this truth does not tell",
                where=f"--metric {metric}",
                got=self.unscored[metric],
                expected="a metric that is scored at every position",
                fix="Judge by kl_nats, or collect the truth with every probability (or a larger --top).",
            )
        return Losses.of(self.prompts, np.array(self.lo[metric]), np.array(self.hi[metric]), cap)


def entropy_of(scores: PromptScores) -> float | None:
    """Mean entropy of the truth, in nats, over prompts; None where it is not known."""
    if "entropy_nats" in scores.unscored:
        return None
    weights = np.array([key[3] for key in scores.prompts])
    return weighted_mean(np.array(scores.lo["entropy_nats"]), weights)
