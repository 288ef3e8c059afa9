"""`pool:A+B`: several forecasters as one, by a linear or a logarithmic mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foretell.base.errors import DistributionError, InputError
from foretell.distributions import DenseBlock, Distributions, TokenizedPrompt, rows
from foretell.distributions.combining import linear_pool, logarithmic_pool
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.pool_fit import PoolFit, fit_weights

LINEAR, LOGARITHMIC = "linear", "log"
#: Fitting tries all sets of members.
MOST_MEMBERS = 8
#: Positions that are mixed at a time, in float64.
_ROWS = 64


class PoolForecaster:
    """A pool of members with weights: equal ones, or fitted ones.

    linear: p(w) = Σᵢ λᵢ qᵢ(w). log: p(w) ∝ Πᵢ qᵢ(w)^λᵢ, where a member with weight 0 does not count. A member that
    lists its top tokens only has its rest spread evenly over the others.

    Args:
        kind: 'linear' or 'log'.
        practice: a truth to fit the weights on; None leaves them equal.

    Raises:
        InputError: fewer than two members, or more than MOST_MEMBERS; or see `fit_weights`.

    Source: Genest & Zidek 1986, "Combining Probability Distributions".
    """

    def __init__(
        self,
        name: str,
        members: Sequence[Forecaster],
        kind: str = LINEAR,
        practice: Distributions | None = None,
        *,
        vocabulary: int,
    ) -> None:
        if not 2 <= len(members) <= MOST_MEMBERS:
            raise InputError(
                "bad pool",
                where=name,
                got=f"{len(members)} members",
                expected=f"2 to {MOST_MEMBERS}",
                fix="Name the members with + between them: pool:unigram:stdlib+ngram:5:stdlib.",
            )
        self.name, self.members, self.kind, self.vocabulary = name, tuple(members), kind, vocabulary
        self.fit: PoolFit | None = None if practice is None else fit_weights(kind, self.members, practice)
        self.weights = (1 / len(members),) * len(members) if self.fit is None else self.fit.weights

    def describe(self) -> dict[str, Any]:
        return {
            "forecaster": f"{self.kind} pool",
            "members": [
                {"name": member.name, "weight": weight, **member.describe()}
                for member, weight in zip(self.members, self.weights, strict=True)
            ],
            "fitted": None if self.fit is None else self.fit.record(),
            "rest_of_top_k": "even",
        }

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Check that every member can answer every prompt."""
        for member in self.members:
            member.prepare(prompts)

    def forecast(self, prompt: TokenizedPrompt) -> DenseBlock:
        """Mix the members' distributions; members with weight 0 are asked too, so that they are checked."""
        blocks = [member.forecast(prompt) for member in self.members]
        mix = linear_pool if self.kind == LINEAR else logarithmic_pool
        result = np.empty((len(prompt.positions), self.vocabulary), np.float32)
        for start in range(0, len(result), _ROWS):
            stop = start + _ROWS
            logs = [dense_logprobs(rows(block, start, stop), self.vocabulary) for block in blocks]
            result[start:stop] = mix(logs, self.weights)
        if np.isnan(result).any():
            raise DistributionError(
                "nothing left in the pool",
                where=f"{self.name} (prompt {prompt.id!r})",
                got="members that rule out each other's tokens",
                expected="at least one token with mass from every member",
                fix="Use a linear pool.",
            )
        return DenseBlock(result)
