"""The best pool of text-only references: which of them, with which weights, by their loss on practice prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foretell.distributions import Distributions
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.pool import LINEAR, MOST_MEMBERS, PoolForecaster
from foretell.forecasters.pool_fit import PoolFit
from foretell.forecasters.saved_answers import SavedAnswers


@dataclass(frozen=True)
class ReferencePool:
    """The best pool of text-only references: its members with their weights, fitted on practice.

    Attributes:
        members: those that were tried together; some may have weight 0.
        weights: of the members, in order.
        forecaster: the pool of those with weight, or the only one that has.
        fit: of those, on practice.
    """

    members: tuple[SavedAnswers, ...]
    weights: tuple[float, ...]
    forecaster: Forecaster
    fit: PoolFit

    def record(self, practice: Distributions) -> dict[str, Any]:
        """The pool for JSON, with the practice truth that it was fitted on."""
        return {
            "name": self.forecaster.name,
            "members": [
                {"name": member.name, "weight": weight}
                for member, weight in zip(self.members, self.weights, strict=True)
            ],
            "practice": {
                "suite": practice.manifest["suite"]["name"],
                "digest": practice.manifest["suite"]["digest"],
                "prompts": len(practice.prompts),
                "documents": len({prompt.document for prompt in practice.prompts}),
                "kl_nats": self.fit.kl_nats,
                "gap_nats": self.fit.gap_nats,
            },
        }


def best_pool(groups: Sequence[Sequence[SavedAnswers]], practice: Distributions) -> ReferencePool:
    """Fit the linear pool with the least mean KL on practice.

    One pool takes MOST_MEMBERS members. Where the groups hold more, a pool of each is fitted with the first group
    (uniform) in it, and the members that got the most weight are pooled.

    Raises:
        InputError: fewer than two references; or see `fit_weights`.
    """
    chosen = [member for group in groups for member in group]
    if len(chosen) > MOST_MEMBERS:
        first, *others = groups
        ranked: list[tuple[float, SavedAnswers]] = []
        for group in others:
            weights = _fitted("a part of the panel", [*first, *group], practice).weights
            ranked += list(zip(weights, [*first, *group], strict=True))[len(first) :]
        ranked = sorted((one for one in ranked if one[0] > 0), key=lambda one: -one[0])
        chosen = [*first, *(member for _, member in ranked[: MOST_MEMBERS - len(first)])]
    fit = _fitted("the panel", chosen, practice)
    kept = [member for member, weight in zip(chosen, fit.weights, strict=True) if weight > 0]
    if len(kept) == 1:
        return ReferencePool(tuple(chosen), fit.weights, kept[0], fit)
    name = "pool:" + "+".join(member.name for member in kept)
    pool = PoolForecaster(name, kept, LINEAR, practice, vocabulary=practice.vocabulary.size)
    assert pool.fit is not None
    of_kept = dict(zip((member.name for member in kept), pool.weights, strict=True))
    return ReferencePool(tuple(chosen), tuple(of_kept.get(member.name, 0.0) for member in chosen), pool, pool.fit)


def _fitted(name: str, members: Sequence[Forecaster], practice: Distributions) -> PoolFit:
    fit = PoolForecaster(name, members, LINEAR, practice, vocabulary=practice.vocabulary.size).fit
    assert fit is not None
    return fit
