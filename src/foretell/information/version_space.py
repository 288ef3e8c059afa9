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
from foretell.information.identification import Identification, needed
from foretell.information.prompt_draws import Indices, fresh_orders, suite_orders
from foretell.information.surviving import Curve, Point, Spread, VersionSpace
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
        alone: (tolerances, prompts), in how many of the draws.
    """

    left: NDArray[np.int_]
    alone: NDArray[np.int_]


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
    equal = whole <= noise
    own = [limit for limit in tolerances if limit >= noise]
    within = [count for count in sorted(set(prompts)) if count <= len(family.documents)]
    kinds = list(dict.fromkeys(family.kinds))
    ask = _Asked(family, rule, own, within, kinds, ~equal)
    curves: list[Curve] = []
    if not (~equal).any():
        reason = "no member beside the target" if not family.names else "every member is within the noise"
        curves = [Curve(limit, Identification("not determined", reason=reason), (), reason) for limit in tolerances]
    else:
        size, documents = len(family.documents), len(set(family.documents))
        suite = _draw(ask, suite_orders(size, draws, rng), draws, "drawing prompts", progress)
        fresh = _draw(ask, fresh_orders(family.documents, draws, rng), draws, "drawing documents", progress)
        for limit in tolerances:
            if limit < noise:
                reason = f"the tolerance is under the noise of the truth, {noise:.2g}"
                curves.append(Curve(limit, Identification("not determined", reason=reason), (), reason))
                continue
            place = own.index(limit)
            points = tuple(
                _point(ask, count, column, suite.left[:, place], fresh.left[:, place], suite.alone[place], level)
                for column, count in enumerate(within)
            )
            counted = suite.alone[place], fresh.alone[place]
            found = _identified(ask, whole, limit, counted, draws, probability, level, documents)
            curves.append(Curve(limit, found, points))
    return VersionSpace(
        family=family.size,
        kinds={kind: family.kinds.count(kind) for kind in kinds},
        equal=tuple(name for name, same in zip(family.names, equal, strict=True) if same),
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


@dataclass(frozen=True)
class _Asked:
    """What is asked of every draw."""

    family: Family
    rule: Rule
    tolerances: list[float]
    counts: list[int]
    kinds: list[str]
    told: NDArray[np.bool_]  # members that can be told from the target


def _draw(ask: _Asked, orders: Iterable[Indices], draws: int, task: str, progress: Progress) -> _Drawn:
    family = ask.family
    is_kind = np.array([[kind == own for own in family.kinds] for kind in ask.kinds], np.int_)
    limits = np.array(ask.tolerances)
    left = np.zeros((draws, len(limits), len(ask.kinds), len(ask.counts)), np.int_)
    alone = np.zeros((len(limits), len(family.documents)), np.int_)
    for number, order in enumerate(orders):
        seen = running(family.losses[:, order], family.weights[order], ask.rule)
        at = seen[:, [count - 1 for count in ask.counts]]
        left[number] = is_kind @ (at <= limits[:, None, None]).astype(np.int_)
        alone += seen[ask.told].min(axis=0) > limits[:, None]
        progress(task, number + 1, draws)
    return _Drawn(left, alone)


def _point(
    ask: _Asked,
    count: int,
    column: int,
    suite: NDArray[np.int_],
    fresh: NDArray[np.int_],
    alone: NDArray[np.int_],
    level: float,
) -> Point:
    """One N at one tolerance; suite and fresh are (draws, kinds, counts)."""
    size, exact = ask.family.size, count == len(ask.family.documents)
    mine, yours = suite[:, :, column], fresh[:, :, column]
    remaining, others = 1 + mine.sum(axis=1), 1 + yours.sum(axis=1)
    bits = np.log2(size) - np.log2(remaining), np.log2(size) - np.log2(others)
    draws, times = len(remaining), int(alone[count - 1])
    share = Interval(times / draws, times / draws) if exact else fraction_bounds(times, draws, level)
    return Point(
        count,
        _spread(remaining, others, 1.0, float(size), level, exact),
        _spread(*bits, 0.0, float(np.log2(size)), level, exact),
        times / draws,
        share,
        {kind: _spread(mine[:, i], yours[:, i], 0.0, None, level, exact) for i, kind in enumerate(ask.kinds)},
    )


def _spread(
    suite: NDArray[Any], fresh: NDArray[Any], least: float, most: float | None, level: float, exact: bool
) -> Spread:
    """Mean of the draws with its bounds, and the middle of the draws."""
    mean = float(suite.mean())
    top = float(max(suite.max(), fresh.max(), 1)) if most is None else most
    bounds = None if most is None else Interval(mean, mean)
    if most is not None and not exact:
        shifted = mean_bounds(np.asarray(suite, np.float64) - least, top - least, level)
        bounds = Interval(shifted.lo + least, shifted.hi + least)
    tail = (1 - level) / 2
    ends = [
        Interval(*(float(np.quantile(one, q, method="nearest")) for q in (tail, 1 - tail))) for one in (suite, fresh)
    ]
    return Spread(mean, bounds, *ends)


def _identified(
    ask: _Asked,
    whole: Float64,
    limit: float,
    alone: tuple[NDArray[np.int_], NDArray[np.int_]],
    draws: int,
    probability: float,
    level: float,
    documents: int,
) -> Identification:
    told = np.flatnonzero(ask.told)
    last = int(told[np.argmin(whole[told])])
    name, distance = ask.family.names[last], float(whole[last])
    if distance <= limit:
        reason = f"{name} stays within it on the whole suite ({distance:.3g})"
        return Identification("never", nearest=name, distance=distance, reason=reason)
    suite = needed(alone[0], draws, probability, level, known_end=True)
    assert not isinstance(suite, Unscored)  # with all prompts nobody is left
    if documents < 2:
        return Identification("not determined", suite, None, name, distance, "all prompts are of one document")
    fresh = needed(alone[1], draws, probability, level, known_end=False)
    if isinstance(fresh, Unscored):
        reason = f"of fresh prompts more are needed than the suite has: {fresh.reason}; the last to go is {name}"
        return Identification("not determined", suite, None, name, distance, reason)
    return Identification("found", suite, fresh, name, distance)
