"""What a verdict depends on besides the scores: the loss that is judged, its tolerance, confidence and cap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from foretell.base.errors import InputError
from foretell.scoring.losses import LossMetric, loss_metric


@dataclass(frozen=True)
class JudgeSettings:
    """What a verdict depends on besides the scores; tolerances and cap are in the metric's unit.

    Attributes:
        tolerance: None leaves everything unjudged.
        level: two-sided confidence of every bound.
        cap: a prompt's loss above counts as this, and how many did is reported. By default the most that the metric
            can be, or log(vocabulary) where that depends on the floor: it is the most that a uniform forecast can
            lose; bounds on a mean widen with the largest loss that is possible, and beyond this one a forecast knows
            less than nothing.
        slices: slices that must meet a tolerance too: their own, or None for that of the whole.
        metric: the loss that is judged and ranked by, one of scoring.losses.LOSSES.

    Raises:
        InputError: the metric is no loss.
    """

    tolerance: float | None = None
    level: float = 0.95
    cap: float | None = None
    slices: Mapping[str, float | None] = field(default_factory=dict)
    metric: str = "kl_nats"

    def __post_init__(self) -> None:
        loss_metric(self.metric)

    @property
    def loss(self) -> LossMetric:
        """The metric with its unit."""
        return loss_metric(self.metric)

    def tolerance_of(self, slice_name: str) -> float | None:
        """The tolerance that a slice is held against; None where nothing is judged.

        >>> judging = JudgeSettings(0.5, slices={"code": 0.2, "prose": None})
        >>> [judging.tolerance_of(name) for name in ("code", "prose", "poems")]
        [0.2, 0.5, 0.5]
        """
        own = self.slices.get(slice_name) if self.tolerance is not None else None
        return self.tolerance if own is None else own

    def cap_for(self, vocabulary: int) -> float:
        """The cap for a vocabulary of that size.

        Raises:
            InputError: a cap that is not a positive finite number.
        """
        cap = self.cap if self.cap is not None else self.loss.cap(vocabulary)
        if not 0 < cap < math.inf:
            raise InputError(
                "bad cap",
                where="--cap",
                got=str(cap),
                expected=f"a positive number ({self.loss.unit})",
                fix=f"Leave it out: the default here is {self.loss.cap(vocabulary):.4g}.",
            )
        return cap

    def check_slices(self, there: Mapping[str, int]) -> None:
        """Refuse a slice that the truth has not.

        Args:
            there: prompts by slice.

        Raises:
            InputError: as said.
        """
        unknown = sorted(set(self.slices) - set(there))
        if unknown:
            raise InputError(
                "no such slice",
                where="--judge-slice",
                got=repr(unknown[0]),
                expected="one of " + ", ".join(there),
                fix="Name a slice of the suite, or 'all'.",
            )
