"""score.json: what was measured, of whom, under which settings, and what it decides."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretell import __version__
from foretell.base.errors import InputError
from foretell.base.interval import Interval, Unscored
from foretell.scoring.confidence import NORMAL, Bounds
from foretell.scoring.positions import METRICS, ScoreSettings
from foretell.scoring.summary import (
    Losses,
    approximate_mean,
    mean_loss,
    paired_difference,
    prompts_needed,
    tail_losses,
    weighted_mean,
    within_tolerance,
)
from foretell.verdicts.tolerance import decide, judge

SCHEMA = "foretell.score/1"
_INFINITE = "infinite: one side gives probability 0 where the other does not (a floor above 0 bounds the forecast's)"
PromptKey = tuple[str, str, str, float]


@dataclass(frozen=True)
class JudgeSettings:
    """What a verdict depends on besides the scores.

    Attributes:
        tolerance_nats: None leaves everything unjudged.
        level: two-sided confidence of every bound.
        cap_nats: a prompt's loss above counts as this, and how many did is reported. By default log(vocabulary), the
            most that a uniform forecast can lose: bounds on a mean widen with the largest loss that is possible, and
            beyond this one a forecast knows less than nothing.
        slices: slices that must meet the tolerance too.
    """

    tolerance_nats: float | None = None
    level: float = 0.95
    cap_nats: float | None = None
    slices: tuple[str, ...] = ()


@dataclass
class PromptScores:
    """Scores of one forecast, averaged over each prompt's positions: by column, lists in the order of `prompts`."""

    name: str
    source: dict[str, Any]
    prompts: list[PromptKey] = field(default_factory=list)
    lo: dict[str, list[float]] = field(default_factory=dict)
    hi: dict[str, list[float]] = field(default_factory=dict)
    unscored: dict[str, str] = field(default_factory=dict)

    def losses(self, cap: float) -> Losses:
        """The primary metric's losses."""
        return Losses.of(self.prompts, np.array(self.lo["kl_nats"]), np.array(self.hi["kl_nats"]), cap)


def scorecard(
    truth: dict[str, Any], scores: list[PromptScores], settings: ScoreSettings, judging: JudgeSettings, tail: str
) -> dict[str, Any]:
    """All of score.json; forecasts are ranked by their mean loss (its upper end), best first.

    Args:
        truth: the facts of the truth, for the record.
        tail: how the rest of a top-k forecast was spread.
    """
    cap = judging.cap_nats if judging.cap_nats is not None else math.log(truth["vocabulary"])
    if not 0 < cap < math.inf:
        raise InputError(
            "bad cap",
            where="--cap",
            got=str(cap),
            expected="a positive number of nats",
            fix="Leave it out: the default is log(vocabulary), the most that a uniform forecast can lose.",
        )
    unknown = sorted(set(judging.slices) - {key[1] for key in scores[0].prompts})
    if unknown:
        raise InputError(
            "no such slice",
            where="--judge-slice",
            got=repr(unknown[0]),
            expected="one of " + ", ".join(truth["slices"]),
            fix="Name a slice of the suite, or 'all'.",
        )
    losses = {score.name: score.losses(cap) for score in scores}
    ranked = sorted(scores, key=lambda score: weighted_mean(losses[score.name].hi, losses[score.name].weights))
    return {
        "schema": SCHEMA,
        "made_by": f"foretell {__version__}",
        "truth": truth,
        "settings": {
            "metric": "kl_nats",
            "floor": settings.floor,
            "cap_nats": cap,
            "level": judging.level,
            "tolerance_nats": judging.tolerance_nats,
            "tail": tail,
            "top_k": settings.top_k,
            "judged_slices": list(judging.slices),
        },
        "forecasts": [
            _forecast_record(score, losses[score.name], rank, judging) for rank, score in enumerate(ranked, 1)
        ],
        "differences": _differences([losses[score.name] for score in ranked], [s.name for s in ranked], judging.level),
    }


def _forecast_record(score: PromptScores, losses: Losses, rank: int, judging: JudgeSettings) -> dict[str, Any]:
    whole = mean_loss(losses, judging.level)
    slices = {name: losses.only(name) for name in dict.fromkeys(losses.slices)}
    bounds = {name: mean_loss(part, judging.level) for name, part in slices.items()}
    tolerance = judging.tolerance_nats
    undecided = tolerance is not None and decide(whole.bounds, tolerance) == "inconclusive"
    more = prompts_needed(losses, tolerance, judging.level) if undecided and tolerance is not None else None
    verdict = judge(whole.bounds, {name: bounds[name].bounds for name in judging.slices}, tolerance, more)
    worst = max(slices, key=lambda name: weighted_mean(slices[name].hi, slices[name].weights))
    return {
        "name": score.name,
        "rank": rank,
        "reference": bool(score.source.get("reference", False)),
        "source": score.source,
        "verdict": verdict.record(),
        "kl_nats": bounds_record(whole),
        "approximate": _approximate_record(losses, judging.level),
        "within_tolerance": _within_record(losses, judging),
        "metrics": _metric_means(score),
        "slices": [
            {
                "slice": name,
                "prompts": len(part.prompts),
                "kl_nats": bounds_record(bounds[name]),
                "within_tolerance": _within_record(part, judging),
                "decision": "unjudged" if tolerance is None else decide(bounds[name].bounds, tolerance),
            }
            for name, part in slices.items()
        ],
        "worst_slice": {"slice": worst, "mean": _number(bounds[worst].mean)},
        "tail": tail_losses(losses),
        "capped_prompts": losses.capped,
    }


def bounds_record(bounds: Bounds) -> dict[str, Any]:
    """{mean, lo, hi, level, method}."""
    return {
        "mean": _number(bounds.mean),
        "lo": bounds.bounds.lo,
        "hi": bounds.bounds.hi,
        "level": bounds.level,
        "method": bounds.method,
    }


def _number(value: Interval | None) -> Any:
    """A number where it is known exactly, {lo, hi} where within an interval."""
    if value is None:
        return None
    return value.lo if value.is_point else {"lo": value.lo, "hi": value.hi}


def _approximate_record(losses: Losses, level: float) -> dict[str, Any]:
    result = approximate_mean(losses, level)
    if isinstance(result, Unscored):
        return {"unscored": result.reason}
    error, interval = result
    return {"standard_error": error, "lo": interval.lo, "hi": interval.hi, "level": level, "method": NORMAL}


def _within_record(losses: Losses, judging: JudgeSettings) -> dict[str, Any] | None:
    if judging.tolerance_nats is None:
        return None
    within = within_tolerance(losses, judging.tolerance_nats, judging.level)
    low, high = within.certain / within.of, within.possible / within.of
    return {
        "fraction": _number(Interval(low, high)),
        "lo": within.bounds.lo,
        "hi": within.bounds.hi,
        "level": within.level,
        "method": within.method,
        "count": within.certain,
        "of": within.of,
        "unit": "documents",
    }


def _metric_means(score: PromptScores) -> dict[str, Any]:
    weights = np.array([key[3] for key in score.prompts])
    means: dict[str, Any] = {}
    for name in METRICS:
        if name in score.unscored:
            means[name] = {"unscored": score.unscored[name]}
        else:
            ends = [weighted_mean(np.array(side[name]), weights) for side in (score.lo, score.hi)]
            means[name] = _number(Interval(*ends)) if math.isfinite(ends[1]) else {"unscored": _INFINITE}
    means["kl_bits_per_byte"] = _bits_per_byte(score, weights)
    return means


def _bits_per_byte(score: PromptScores, weights: np.ndarray) -> Any:
    """Mean KL in bits over the bytes that the next token is expected to have under the truth."""
    if "expected_bytes" in score.unscored:
        return {"unscored": score.unscored["expected_bytes"]}
    if not np.isfinite(score.lo["kl_nats"]).all():
        return {"unscored": _INFINITE}
    bytes_per_position = weighted_mean(np.array(score.lo["expected_bytes"]), weights)
    if bytes_per_position == 0:
        return {"unscored": "the tokenizer's tokens stand for no bytes"}
    return weighted_mean(np.array(score.lo["kl_nats"]), weights) / math.log(2) / bytes_per_position


def _differences(ranked: list[Losses], names: list[str], level: float) -> list[dict[str, Any]]:
    """The best against every other, and each against the next."""
    pairs = [(0, other) for other in range(1, len(ranked))] + [(i, i + 1) for i in range(1, len(ranked) - 1)]
    return [
        {"a": names[a], "b": names[b]} | bounds_record(paired_difference(ranked[a], ranked[b], level)) for a, b in pairs
    ]


def entropy_of(scores: PromptScores) -> float | None:
    """Mean entropy of the truth, in nats, over prompts; None where it is not known."""
    if "entropy_nats" in scores.unscored:
        return None
    weights = np.array([key[3] for key in scores.prompts])
    return weighted_mean(np.array(scores.lo["entropy_nats"]), weights)
