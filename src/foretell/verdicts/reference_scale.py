"""What a tolerance means: between which forecasts of a run it lies, and how many times the truth's own noise it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from foretell.base.interval import Unscored
from foretell.scoring.losses import LossMetric
from foretell.scoring.summary import Losses, weighted_mean
from foretell.verdicts.noise import implied_noise


@dataclass(frozen=True)
class ReferenceScale:
    """The forecasts of a practice run by falling quality, references above all, and a tolerance among them.

    Attributes:
        means: mean loss (upper end) by forecast, best first.
        references: which of them know text but not the model.
        noise: the truth's noise in the metric and how it is known, or why it is not.
    """

    metric: LossMetric
    tolerance: float
    means: dict[str, float]
    references: frozenset[str]
    noise: tuple[float, str] | Unscored

    @classmethod
    def of(
        cls,
        metric: LossMetric,
        tolerance: float,
        losses: Mapping[str, Losses],
        noise_kl_nats: float,
        references: Iterable[str] = (),
    ) -> ReferenceScale:
        """The scale of a run.

        Args:
            losses: of every forecast of the run.
            noise_kl_nats: the truth's noise as a KL divergence.
            references: names of those that are.
        """
        means = {name: weighted_mean(own.hi, own.weights) for name, own in losses.items()}
        ordered = dict(sorted(means.items(), key=lambda item: item[1]))
        return cls(metric, tolerance, ordered, frozenset(references), implied_noise(metric.name, noise_kl_nats))

    @property
    def neighbours(self) -> tuple[str | None, str | None]:
        """The worst forecast that meets the tolerance with its mean, and the best that does not."""
        met = [name for name, mean in self.means.items() if mean <= self.tolerance]
        missed = [name for name, mean in self.means.items() if mean > self.tolerance]
        return (met[-1] if met else None), (missed[0] if missed else None)

    def sentences(self) -> list[str]:
        """What the tolerance means, in words."""
        limit = self.metric.amount(f"{self.tolerance:g}")
        better, worse = (None if name is None else f"{name} ({self.means[name]:.3g})" for name in self.neighbours)
        if better and worse:
            place = f"A tolerance of {limit} lies between {better} and {worse}."
        elif better:
            place = f"Every forecast of the practice run meets a tolerance of {limit}; the worst is {better}."
        else:
            place = f"No forecast of the practice run meets a tolerance of {limit}; the best is {worse}."
        return [place, self._against_noise()]

    def _against_noise(self) -> str:
        if isinstance(self.noise, Unscored):
            return f"How it compares with the truth's noise is not known: {self.noise.reason}."
        amount, how = self.noise
        if amount <= 0:
            return "The truth's own noise is 0."
        at_least = "" if how == "measured" else "at least "
        return (
            f"It is {at_least}{self.tolerance / amount:,.0f} times the truth's own noise of "
            f"{self.metric.amount(f'{amount:.1e}')} ({how})."
        )

    def record(self) -> dict[str, Any]:
        """The scale for JSON."""
        known = not isinstance(self.noise, Unscored)
        return {
            "forecasts": [
                {"name": name, "mean": mean, "reference": name in self.references} for name, mean in self.means.items()
            ],
            "between": list(self.neighbours),
            "noise_floor": {"value": self.noise[0], "method": self.noise[1]}  # type: ignore[index]
            if known
            else {"unscored": self.noise.reason},  # type: ignore[union-attr]
        }
