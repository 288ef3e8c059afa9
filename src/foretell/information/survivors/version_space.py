"""Version space: how many models of a family N prompts leave within a tolerance of the target, and in bits.

A member remains after N prompts if its loss on them is at most the tolerance: their mean by the rule 'mean', which is
what a verdict judges, or each of them by the rule 'every'. The target is a member too and always remains. Bits are
log2(family) − log2(remaining): what the N answers tell of which member the target is, were all equally likely before.

Source: Mitchell 1982, "Generalization as search", for the version space. What remains depends on the family: a member
that nobody thought of is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Interval, Unscored
from foretell.base.progress import Progress, quiet
from foretell.information.survivors.identification import Counts, Identification, needed
from foretell.information.survivors.prompt_draws import Indices, fresh_orders, suite_orders
from foretell.information.survivors.surviving import Curve, Point, Spread, VersionSpace
from foretell.scoring.confidence import fraction_bounds, mean_bounds

Float64 = NDArray[np.float64]
Rule = Literal["mean", "every"]
#: The numbers of prompts that curves are drawn over.
PROMPTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
#: With how much probability the target has to be alone to count as identified.
PROBABILITY = 0.95
DRAWS = 400


@dataclass(frozen=True)
class Family:
    """Models beside the target, by what each loses against the target's truth.

    Attributes:
        names, kinds: (members,) each; a kind is what sort of variation a member is.
        losses: (members, prompts), each at least 0: mean over the prompt's positions, capped.
        documents: (prompts,) labels; prompts of one document are not independent.
        weights: (prompts,), what each prompt counts for.

    Raises:
        ValueError: shapes that do not fit, a loss that is negative or no number.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    losses: Float64
    documents: tuple[str, ...]
    weights: Float64

    def __post_init__(self) -> None:
        shape = (len(self.names), len(self.documents))
        if self.losses.shape != shape or len(self.kinds) != shape[0] or len(self.weights) != shape[1]:
            raise ValueError(f"losses {self.losses.shape} for {shape[0]} members and {shape[1]} prompts")
        if not (np.isfinite(self.losses).all() and (self.losses >= 0).all() and (self.weights > 0).all()):
            raise ValueError("losses have to be finite and at least 0, weights above 0")

    @property
    def size(self) -> int:
        """How many models there are, the target among them."""
        return 1 + len(self.names)


@dataclass(frozen=True)
class _Drawn:
    """What some draws left: members by tolerance, kind and N; and how often nobody but the target, for every N.

    Attributes:
        left: (draws, tolerances, kinds, counts).
        alone: (tolerances, kinds and then all, prompts), in how many of the draws nobody of them that can be told.
    """

    left: Counts
    alone: Counts


def running(losses: Float64, weights: Float64, rule: Rule) -> Float64:
    """By the rule, each member's loss on the first 1, 2, 3 … prompts, (members, prompts).

    >>> running(np.array([[1.0, 3.0, 2.0]]), np.ones(3), "mean").tolist()
    [[1.0, 2.0, 2.0]]
    >>> running(np.array([[1.0, 3.0, 2.0]]), np.ones(3), "every").tolist()
    [[1.0, 3.0, 3.0]]
    """
    if rule == "every":
        return np.asarray(np.maximum.accumulate(losses, axis=1))
    return np.asarray(np.cumsum(losses * weights, axis=1) / np.cumsum(weights))


def version_space(
    family: Family,
    tolerances: Sequence[float],
    *,
    noise: float,
    rng: np.random.Generator,
    rule: Rule = "mean",
    prompts: Sequence[int] = PROMPTS,
    draws: int = DRAWS,
    level: float = 0.95,
    probability: float = PROBABILITY,
    progress: Progress = quiet,
) -> VersionSpace:
    """How many members remain after N prompts, for each N and tolerance.

    Args:
        noise: the truth's own, in the unit of the losses. Members within it on the whole suite are the target as far
            as this truth can tell; tolerances under it are not judged.
        draws: random draws of prompts, of this suite and as many of other suites like it (see `prompt_draws`).
        level: two-sided confidence of every bound.
        probability: for the number of prompts that identifies the target.

    >>> family = Family(("near", "far"), ("k", "k"), np.array([[0.0, 0.2], [1.0, 1.0]]), ("a", "b"), np.ones(2))
    >>> found = version_space(family, [0.15], noise=1e-9, rng=np.random.default_rng(0), prompts=[1, 2])
    >>> found.curves[0].points[1].remaining.mean, found.curves[0].identification.nearest
    (2.0, 'near')
    """
    whole = running(family.losses, family.weights, rule)[:, -1]
    within = [count for count in sorted(set(prompts)) if count <= len(family.documents)]
    judged = [limit for limit in tolerances if limit >= noise]
    ask = _Asked(family, rule, judged, within, whole, whole > noise, draws, level, probability)
    if ask.told.any():
        suite = _draw(ask, suite_orders(len(family.documents), draws, rng), "drawing prompts", progress)
        fresh = _draw(ask, fresh_orders(family.documents, draws, rng), "drawing documents", progress)
        under = f"the tolerance is under the noise of the truth, {noise:.2g}"
        curves = [
            _curve(ask, limit, suite, fresh) if limit in judged else _unjudged(limit, under) for limit in tolerances
        ]
    else:
        reason = "every member is within the noise" if family.names else "no member beside the target"
        curves = [_unjudged(limit, reason) for limit in tolerances]
    return VersionSpace(
        family=family.size,
        kinds={kind: family.kinds.count(kind) for kind in ask.kinds},
        equal=tuple(name for name, told in zip(family.names, ask.told, strict=True) if not told),
        prompts=len(family.documents),
        documents=len(set(family.documents)),
        beyond=tuple(count for count in sorted(set(prompts)) if count not in within),
        rule=rule,
        noise=noise,
        draws=draws,
        level=level,
        probability=probability,
        curves=tuple(curves),
    )


def _unjudged(limit: float, reason: str) -> Curve:
    return Curve(limit, Identification("not determined", reason=reason), (), reason)


@dataclass(frozen=True)
class _Asked:
    """What is asked of every draw.

    Attributes:
        whole: each member's loss on the whole suite, by the rule.
        told: members that can be told from the target.
    """

    family: Family
    rule: Rule
    tolerances: list[float]
    counts: list[int]
    whole: Float64
    told: NDArray[np.bool_]
    draws: int
    level: float
    probability: float

    @property
    def kinds(self) -> list[str]:
        """In order of first appearance."""
        return list(dict.fromkeys(self.family.kinds))

    @property
    def groups(self) -> list[NDArray[np.bool_]]:
        """Members that can be told: of each kind, and then all."""
        return [*(self.told & np.array([own == kind for own in self.family.kinds]) for kind in self.kinds), self.told]


def _draw(ask: _Asked, orders: Iterable[Indices], task: str, progress: Progress) -> _Drawn:
    family = ask.family
    is_kind = np.array([[kind == own for own in family.kinds] for kind in ask.kinds], np.int_)
    limits = np.array(ask.tolerances)
    left = np.zeros((ask.draws, len(limits), len(ask.kinds), len(ask.counts)), np.int_)
    alone = np.zeros((len(limits), len(ask.kinds) + 1, len(family.documents)), np.int_)
    for number, order in enumerate(orders):
        seen = running(family.losses[:, order], family.weights[order], ask.rule)
        at = seen[:, [count - 1 for count in ask.counts]]
        left[number] = is_kind @ (at <= limits[:, None, None]).astype(np.int_)
        nearest = np.stack([seen[chosen].min(axis=0, initial=np.inf) for chosen in ask.groups])
        alone += nearest > limits[:, None, None]
        progress(task, number + 1, ask.draws)
    return _Drawn(left, alone)


def _curve(ask: _Asked, limit: float, suite: _Drawn, fresh: _Drawn) -> Curve:
    place = ask.tolerances.index(limit)
    points = tuple(
        _point(ask, count, suite.left[:, place, :, column], fresh.left[:, place, :, column], suite.alone[place, -1])
        for column, count in enumerate(ask.counts)
    )
    *by_kind, among_all = (
        _identified(ask, limit, chosen, suite.alone[place, group], fresh.alone[place, group])
        for group, chosen in enumerate(ask.groups)
    )
    return Curve(limit, among_all, points, among=dict(zip(ask.kinds, by_kind, strict=True)))


def _point(ask: _Asked, count: int, suite: Counts, fresh: Counts, alone: Counts) -> Point:
    """One N at one tolerance; suite and fresh are members by (draws, kinds)."""
    size, level = ask.family.size, ask.level
    # All prompts of the suite are one draw, whatever their order.
    exact = count == len(ask.family.documents)
    remaining, others = 1 + suite.sum(axis=1), 1 + fresh.sum(axis=1)
    bits, other_bits = np.log2(size) - np.log2(remaining), np.log2(size) - np.log2(others)
    times = int(alone[count - 1])
    share = times / ask.draws
    return Point(
        count,
        Spread(
            float(remaining.mean()), _bounds(remaining, 1.0, size, level, exact), *_middles(remaining, others, level)
        ),
        Spread(float(bits.mean()), _bounds(bits, 0.0, np.log2(size), level, exact), *_middles(bits, other_bits, level)),
        share,
        Interval(share, share) if exact else fraction_bounds(times, ask.draws, level),
        {
            kind: Spread(float(suite[:, i].mean()), None, *_middles(suite[:, i], fresh[:, i], level))
            for i, kind in enumerate(ask.kinds)
        },
    )


def _bounds(values: NDArray[Any], least: float, most: float, level: float, exact: bool) -> Interval:
    """Of the mean over all draws."""
    if exact:
        return Interval(float(values.mean()), float(values.mean()))
    shifted = mean_bounds(np.asarray(values, np.float64) - least, most - least, level)
    return Interval(shifted.lo + least, shifted.hi + least)


def _middles(suite: NDArray[Any], fresh: NDArray[Any], level: float) -> tuple[Interval, Interval]:
    """The middle of the draws of each."""
    ends = (1 - level) / 2, (1 + level) / 2
    mine, yours = (np.quantile(values, ends, method="nearest") for values in (suite, fresh))
    return Interval(float(mine[0]), float(mine[1])), Interval(float(yours[0]), float(yours[1]))


def _identified(
    ask: _Asked, limit: float, chosen: NDArray[np.bool_], suite_alone: Counts, fresh_alone: Counts
) -> Identification:
    told = np.flatnonzero(chosen)
    if not len(told):
        return Identification("not determined", reason="every one of them is within the noise")
    last = int(told[np.argmin(ask.whole[told])])
    name, distance = ask.family.names[last], float(ask.whole[last])
    if distance <= limit:
        reason = f"{name} stays within it on the whole suite ({distance:.3g})"
        return Identification("never", nearest=name, distance=distance, reason=reason)
    suite = needed(suite_alone, ask.draws, ask.probability, ask.level, known_end=True)
    assert not isinstance(suite, Unscored)  # with all prompts nobody is left
    if len(set(ask.family.documents)) < 2:
        return Identification("not determined", suite, None, name, distance, "all prompts are of one document")
    fresh = needed(fresh_alone, ask.draws, ask.probability, ask.level, known_end=False)
    if isinstance(fresh, Unscored):
        reason = f"of fresh prompts more are needed than the suite has: {fresh.reason}; the last to go is {name}"
        return Identification("not determined", suite, None, name, distance, reason)
    return Identification("found", suite, fresh, name, distance)
