"""The losses that a charter may name: what each is called, its unit, and how large it can get."""

from __future__ import annotations

import math
from dataclasses import dataclass

from foretell.base.errors import InputError
from foretell.scoring.positions import METRICS

NATS, TOTAL_VARIATION = "nats", "total variation"


@dataclass(frozen=True)
class LossMetric:
    """A metric of which less is better.

    Attributes:
        name: its column, one of METRICS.
        title: what people call it.
        meaning: what a value says, in a sentence.
        unit: NATS, or TOTAL_VARIATION: a share of the probability, from 0 to 1.
        most: the largest value that it can take, None where only floor and vocabulary bound it.
    """

    name: str
    title: str
    unit: str
    most: float | None
    meaning: str

    def cap(self, vocabulary: int) -> float:
        """What a prompt's loss counts as at most unless something else is said: `most`, else log(vocabulary).

        >>> LOSSES["tv"].cap(100), round(LOSSES["kl_nats"].cap(100), 3)
        (1.0, 4.605)
        """
        return self.most if self.most is not None else math.log(vocabulary)

    def amount(self, number: str) -> str:
        """A number with its unit, as in a sentence.

        >>> LOSSES["tv"].amount("0.2"), LOSSES["js_nats"].amount("0.2")
        ('0.2 of total variation', '0.2 nats')
        """
        return f"{number} of {self.unit}" if self.unit == TOTAL_VARIATION else f"{number} {self.unit}"


#: All of METRICS but top1_agreement, of which more is better.
LOSSES = {
    loss.name: loss
    for loss in (
        LossMetric(
            "kl_nats",
            "KL divergence",
            NATS,
            None,
            "One nat off: the model’s own next tokens were given, as a geometric mean, 2.7 times less probability than "
            "the model gives them.",
        ),
        LossMetric(
            "abs_logprob_nats",
            "absolute log-probability error",
            NATS,
            None,
            "One nat off: the model’s own next tokens were given, as a geometric mean, a probability that is wrong by "
            "a factor of 2.7, up or down.",
        ),
        LossMetric(
            "tv",
            "total variation",
            TOTAL_VARIATION,
            1.0,
            "0.1 of total variation off: a tenth of the probability was put on other tokens than the model puts it on.",
        ),
        LossMetric(
            "js_nats",
            "Jensen–Shannon divergence",
            NATS,
            math.log(2),
            "0 where forecast and model agree, 0.693 nats (log 2) where they have no token in common.",
        ),
        LossMetric(
            "topk_logprob_rmse",
            "root mean square log-probability error of the likeliest tokens",
            NATS,
            None,
            "One nat off: the model’s likeliest tokens were given, as a root mean square, a probability that is wrong "
            "by a factor of 2.7, up or down.",
        ),
    )
}
if set(LOSSES) != set(METRICS) - {"top1_agreement"}:  # a metric that is added must say here what it is
    raise RuntimeError(f"metrics {METRICS} and losses {tuple(LOSSES)} do not fit together")


def loss_metric(name: str, where: str = "--metric") -> LossMetric:
    """The loss of a name.

    Raises:
        InputError: no such loss.
    """
    if name not in LOSSES:
        raise InputError(
            "no such loss",
            where=where,
            got=repr(name),
            expected="one of " + ", ".join(LOSSES),
            fix="Name a loss; top1_agreement is none, since more of it is better.",
        )
    return LOSSES[name]
