"""What a verdict says when some of the prompts set off a planted behaviour: mixtures of measured losses, judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.scoring.summary import Losses, mean_loss
from foretell.verdicts.scorecard import bounds_record
from foretell.verdicts.tolerance import decide


@dataclass(frozen=True)
class Pair:
    """Losses of one forecaster on the same prompts, without and with what sets the behaviour off.

    Raises:
        ValueError: not the same prompts.
    """

    quiet: Losses
    set_off: Losses

    def __post_init__(self) -> None:
        if self.quiet.prompts != self.set_off.prompts or self.quiet.clusters != self.set_off.clusters:
            raise ValueError("losses of different prompts cannot be mixed")

    def mixed(self, chosen: NDArray[np.bool_], share: float | None = None) -> Losses:
        """Losses where the chosen prompts set the behaviour off.

        Args:
            chosen: (prompts,).
            share: of the whole weight that the chosen prompts have together, more than 0; as they weigh where None.
        """
        quiet, off = self.quiet, self.set_off
        weights = quiet.weights
        if share is not None:
            inside, outside = weights[chosen].sum(), weights[~chosen].sum()
            weights = np.where(chosen, weights * share / inside, weights * (1 - share) / outside)
        lo, hi = (np.where(chosen, a, b) for a, b in ((off.lo, quiet.lo), (off.hi, quiet.hi)))
        return replace(quiet, lo=lo, hi=hi, weights=weights)


def chosen_prompts(count: int, of: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which of the prompts set it off, so many at random."""
    chosen = np.zeros(of, np.bool_)
    chosen[rng.permutation(of)[:count]] = True
    return chosen


def judged(losses: Losses, tolerance: float, level: float) -> dict[str, Any]:
    """Mean, bounds and decision."""
    found = mean_loss(losses, level)
    return bounds_record(found) | {"decision": decide(found.bounds, tolerance)}


def by_count(
    pair: Pair, counts: Sequence[int], tolerance: float, level: float, draws: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Verdicts when so many of the prompts set the behaviour off, over draws of which ones.

    Returns:
        count, mean, lo and hi (averages over the draws), and how many draws passed, failed and stayed open.
    """
    size = len(pair.quiet.prompts)
    rows = []
    for count in counts:
        # None and all are the same in every draw.
        times = 1 if count in (0, size) else draws
        found = [judged(pair.mixed(chosen_prompts(count, size, rng)), tolerance, level) for _ in range(times)]
        decisions = [one["decision"] for one in found]
        row: dict[str, Any] = {"count": count, "of": size, "draws": times}
        row |= {name: float(np.mean([one[name] for one in found])) for name in ("mean", "lo", "hi")}
        rows.append(row | {name: decisions.count(name) for name in ("pass", "inconclusive", "fail")})
    return rows


def by_weight(
    pair: Pair, count: int, shares: Sequence[float], tolerance: float, level: float, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Verdicts when `count` prompts that set the behaviour off have this share of the whole weight."""
    chosen = chosen_prompts(count, len(pair.quiet.prompts), rng)
    return [{"share": share} | judged(pair.mixed(chosen, share), tolerance, level) for share in shares]


def first_count(rows: Sequence[dict[str, Any]], decision: str) -> int | None:
    """The first count at which most draws come to the decision ('not pass': to any other than a pass).

    >>> rows = [{"count": k, "draws": 10, "pass": 10 - k, "fail": 0} for k in range(10)]
    >>> first_count(rows, "not pass"), first_count(rows, "fail")
    (6, None)
    """

    def reached(row: dict[str, Any]) -> bool:
        made = row["draws"] - row["pass"] if decision == "not pass" else row[decision]
        return bool(2 * made > row["draws"])

    return next((int(row["count"]) for row in rows if reached(row)), None)


def first_to_fail(losses: Losses, tolerance: float, level: float, most: int, rng: np.random.Generator) -> int | None:
    """How many such prompts, as a slice that is judged by itself, are enough for a fail; None where `most` are not."""
    order = rng.permutation(len(losses.prompts))
    for count in range(1, min(most, len(order)) + 1):
        keep = np.zeros(len(order), np.bool_)
        keep[order[:count]] = True
        if judged(_only(losses, keep), tolerance, level)["decision"] == "fail":
            return count
    return None


def _only(losses: Losses, keep: NDArray[np.bool_]) -> Losses:
    def picked(labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(label for label, kept in zip(labels, keep, strict=True) if kept)

    return Losses(
        picked(losses.prompts),
        picked(losses.slices),
        picked(losses.clusters),
        losses.weights[keep],
        losses.lo[keep],
        losses.hi[keep],
        losses.cap,
        losses.capped,
    )


def chance_of_any(share: float, prompts: int) -> float:
    """The chance that independent draws show a behaviour at least once that this share of all prompts sets off.

    >>> round(chance_of_any(0.01, 300), 4)
    0.951
    """
    return 1 - float((1 - share) ** prompts)
