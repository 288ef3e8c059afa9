"""score.json: what was measured, of whom, under which settings, and what it decides."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from foretell import __version__
from foretell.base.interval import Interval, Unscored
from foretell.scoring.confidence import NORMAL, Bounds
from foretell.scoring.losses import LOSSES
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
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.noise import noise_record
from foretell.verdicts.prompt_scores import PromptScores
from foretell.verdicts.tolerance import decide, judge

SCHEMA = "foretell.score/1"
_INFINITE = "infinite: one side gives probability 0 where the other does not (a floor above 0 bounds the forecast's)"


def scorecard(
    truth: dict[str, Any], scores: list[PromptScores], settings: ScoreSettings, judging: JudgeSettings, tail: str
) -> dict[str, Any]:
    """All of score.json; forecasts are ranked by their mean judged loss (its upper end), best first.

    `loss` is what was judged. `kl_nats` stands beside it whatever that was, with the bounds that KL has by itself.

    Args:
        truth: the facts of the truth, for the record.
        tail: how the rest of a top-k forecast was spread.
    """
    cap = judging.cap_for(truth["vocabulary"])
    judging.check_slices(truth["slices"])
    losses = {score.name: score.losses(judging.metric, cap) for score in scores}
    ranked = sorted(scores, key=lambda score: weighted_mean(losses[score.name].hi, losses[score.name].weights))
    return {
        "schema": SCHEMA,
        "made_by": f"foretell {__version__}",
        "truth": truth,
        "settings": _settings_record(settings, judging, cap, tail)
        | {"noise_floor": noise_record(judging.metric, truth["noise_floor"])},
        "forecasts": [
            _forecast_record(score, losses[score.name], _kl_losses(score, losses[score.name], judging, truth), judging)
            | {"rank": rank}
            for rank, score in enumerate(ranked, 1)
        ],
        "differences": _differences([losses[score.name] for score in ranked], [s.name for s in ranked], judging.level),
    }


def _settings_record(settings: ScoreSettings, judging: JudgeSettings, cap: float, tail: str) -> dict[str, Any]:
    """The settings; cap_nats and tolerance_nats say the same as cap and tolerance to readers that know KL only."""
    only_kl = judging.metric == "kl_nats"
    return {
        "metric": judging.metric,
        "unit": judging.loss.unit,
        "floor": settings.floor,
        "cap": cap,
        "cap_nats": cap if only_kl else None,
        "level": judging.level,
        "tolerance": judging.tolerance,
        "tolerance_nats": judging.tolerance if only_kl else None,
        "tail": tail,
        "top_k": settings.top_k,
        "judged_slices": list(judging.slices),
        "slice_tolerances": {name: own for name, own in judging.slices.items() if own is not None},
    }


def _kl_losses(score: PromptScores, losses: Losses, judging: JudgeSettings, truth: dict[str, Any]) -> Losses:
    if judging.metric == "kl_nats":
        return losses
    return score.losses("kl_nats", LOSSES["kl_nats"].cap(truth["vocabulary"]))


def _forecast_record(score: PromptScores, losses: Losses, kl: Losses, judging: JudgeSettings) -> dict[str, Any]:
    whole = mean_loss(losses, judging.level)
    slices = {name: losses.only(name) for name in dict.fromkeys(losses.slices)}
    bounds = {name: mean_loss(part, judging.level) for name, part in slices.items()}
    kl_bounds = bounds if kl is losses else {name: mean_loss(kl.only(name), judging.level) for name in slices}
    tolerance = judging.tolerance
    own = {name: value for name, value in judging.slices.items() if value is not None}
    judged = {name: bounds[name].bounds for name in judging.slices}
    verdict = judge(whole.bounds, judged, tolerance, slice_tolerances=own)
    if verdict.decision == "inconclusive":
        undecided = [(losses, whole, tolerance)]
        undecided += [(slices[name], bounds[name], judging.tolerance_of(name)) for name in judging.slices]
        verdict = replace(verdict, prompts_needed=_needed(undecided, len(losses.prompts)))
    worst = max(slices, key=lambda name: weighted_mean(slices[name].hi, slices[name].weights))
    return {
        "name": score.name,
        "reference": bool(score.source.get("reference", False)),
        "source": score.source,
        "verdict": verdict.record(),
        "loss": {"metric": judging.metric} | bounds_record(whole),
        "kl_nats": bounds_record(whole if kl is losses else mean_loss(kl, judging.level)),
        "approximate": _approximate_record(losses, judging.level),
        "within_tolerance": _within_record(losses, tolerance, judging.level),
        "metrics": _metric_means(score),
        "slices": [_slice_record(name, part, bounds[name], kl_bounds[name], judging) for name, part in slices.items()],
        "worst_slice": {"slice": worst, "mean": _number(bounds[worst].mean)},
        "tail": _tail_record(losses, judging.metric),
        "capped_prompts": losses.capped,
    }


def _needed(judged: list[tuple[Losses, Bounds, float | None]], prompts: int) -> int | None:
    """Prompts in all that would probably decide every part that is open; None where no number is known to."""
    needs = [0]
    for part, found, tolerance in judged:
        if tolerance is not None and decide(found.bounds, tolerance) == "inconclusive":
            own = prompts_needed(part, tolerance, found.level)
            if own is None:
                return None
            # More prompts come in the same proportions.
            needs.append(math.ceil(own * prompts / len(part.prompts)))
    return max(needs)


def _slice_record(name: str, part: Losses, bounds: Bounds, kl: Bounds, judging: JudgeSettings) -> dict[str, Any]:
    tolerance = judging.tolerance_of(name)
    return {
        "slice": name,
        "prompts": len(part.prompts),
        "loss": {"metric": judging.metric} | bounds_record(bounds),
        "kl_nats": bounds_record(kl),
        "tolerance": tolerance,
        "within_tolerance": _within_record(part, tolerance, judging.level),
        "decision": "unjudged" if tolerance is None else decide(bounds.bounds, tolerance),
    }


def _tail_record(losses: Losses, metric: str) -> dict[str, Any]:
    tail = tail_losses(losses)
    return tail | {"worst": tail["worst"] | ({"kl_nats": tail["worst"]["loss"]} if metric == "kl_nats" else {})}


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


def _within_record(losses: Losses, tolerance: float | None, level: float) -> dict[str, Any] | None:
    if tolerance is None:
        return None
    within = within_tolerance(losses, tolerance, level)
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
