"""The score.json of a made-up run: honest means of its rows, with plain normal bounds under the real methods' names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOOR, CAP = 1e-6, 8.0
PANEL = {"ngram:5:stdlib": 0.55, "model:tiny@400": 0.75, "infinigram:stdlib": 0.5, "bigram:stdlib": 0.33}
FORECASTS = {"blend-of-two": 0.93, "team-a": 0.85} | PANEL | {"unigram:stdlib": 0.16, "uniform": 0.0}


@dataclass
class Plan:
    """What the run folder shall hold.

    Attributes:
        forecasts: name → how much of the truth it knows, from 0 (uniform) to 1.
        topk: the truth lists its likeliest tokens only, so that losses are intervals.
        positions: scored positions of a prompt, its last.
        opened: of how many worst prompts of each forecast the likeliest tokens are kept.
        broken_pieces: end every prompt with bytes that are no UTF-8.
    """

    prompts: Sequence[dict[str, str]]
    forecasts: dict[str, float] = field(default_factory=lambda: dict(FORECASTS))
    tolerance: float | None = 0.5
    topk: bool = False
    positions: int = 8
    vocabulary: int = 1024
    opened: int = 100
    broken_pieces: bool = False
    seed: int = 7


def summary(plan: Plan, prompts: list[Any], positions: list[Any], vocabulary: int) -> dict[str, Any]:
    weights = {prompt["id"]: prompt["weight"] for prompt in prompts}
    slices = {prompt["slice"]: 0 for prompt in prompts}
    for prompt in prompts:
        slices[prompt["slice"]] += 1
    forecasts = [_forecast(name, plan, positions, weights, slices) for name in plan.forecasts]
    forecasts.sort(key=lambda one: one["kl_nats"]["hi"])
    for rank, one in enumerate(forecasts, 1):
        one["rank"] = rank
    best = forecasts[0]
    return {
        "schema": "foretell.score/1",
        "made_by": "foretell test",
        "truth": {
            "name": "tiny",
            "weights": "sha256:" + "ab" * 32,
            "tokenizer": "sha256:" + "cd" * 32,
            "engine": "onnxruntime 1.32.0",
            "dtype": "float32",
            "kind": "topk" if plan.topk else "dense",
            "suite": {"name": "foretell-300", "digest": "sha256:" + "ef" * 32},
            "prompts": len(prompts),
            "documents": len({prompt["document"] for prompt in prompts}),
            "positions": len(positions) // len(plan.forecasts),
            "vocabulary": vocabulary,
            "slices": slices,
            "noise_floor": {"kl_nats": 0.00021, "max_kl_nats": 0.0013, "method": "the same prompts in batches of one"},
            "entropy_nats": None if plan.topk else _entropy(positions, weights),
            "max_kl_nats": math.log(vocabulary / FLOOR),
        },
        "settings": {
            "metric": "kl_nats",
            "floor": FLOOR,
            "cap_nats": CAP,
            "level": 0.95,
            "tolerance_nats": plan.tolerance,
            "tail": "uniform",
            "top_k": 10,
            "judged_slices": list(slices)[:2],
        },
        "forecasts": forecasts,
        "differences": [_difference(best["name"], o["name"], positions, weights) for o in forecasts[1:]],
    }


def _entropy(positions: list[Any], weights: dict[str, float]) -> float:
    rows = [row for row in positions if row["forecast"] == positions[0]["forecast"]]
    each = [weights[row["prompt"]] for row in rows]
    return float(np.average([row["entropy_nats_lo"] for row in rows], weights=each))


def losses(name: str, positions: list[Any], end: str = "hi") -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for row in positions:
        if row["forecast"] == name:
            found.setdefault(row["prompt"], []).append(row[f"kl_nats_{end}"])
    return {prompt: float(np.mean(values)) for prompt, values in found.items()}


def _bounded(low: dict[str, float], high: dict[str, float], weights: dict[str, float], topk: bool) -> dict[str, Any]:
    w = np.array([weights[prompt] for prompt in high])
    ends = [float(np.average(list(losses.values()), weights=w)) for losses in (low, high)]
    half = 2 * float(np.std(list(high.values()))) / math.sqrt(len(w)) if len(w) > 1 else CAP
    return {
        "mean": {"lo": ends[0], "hi": ends[1]} if topk else ends[1],
        "lo": max(0.0, ends[0] - half),
        "hi": ends[1] + half,
        "level": 0.95,
        "method": "betting confidence sequence on the capped loss",
    }


def _decision(tolerance: float | None, kl: dict[str, Any]) -> str:
    if tolerance is None:
        return "unjudged"
    return "pass" if kl["hi"] <= tolerance else "fail" if kl["lo"] > tolerance else "inconclusive"


def _within(plan: Plan, losses: dict[str, float]) -> dict[str, Any] | None:
    if plan.tolerance is None:
        return None
    count, of = sum(loss <= plan.tolerance for loss in losses.values()), len(losses)
    share, half = count / of, 1 / math.sqrt(of)
    bounds = {"lo": max(0.0, share - half), "hi": min(1.0, share + half), "level": 0.95, "method": "exact binomial"}
    return {"fraction": share, **bounds, "count": count, "of": of, "unit": "documents"}


def _forecast(
    name: str, plan: Plan, positions: list[Any], weights: dict[str, float], slices: dict[str, int]
) -> dict[str, Any]:
    low, high = losses(name, positions, "lo"), losses(name, positions)
    kl = _bounded(low, high, weights, plan.topk)
    by_slice: list[dict[str, Any]] = []
    of_slice = {row["prompt"]: row["slice"] for row in positions}
    for label, count in slices.items():
        ends = [{p: x for p, x in losses.items() if of_slice[p] == label} for losses in (low, high)]
        part = _bounded(ends[0], ends[1], weights, plan.topk)
        facts = {"slice": label, "prompts": count, "kl_nats": part, "within_tolerance": _within(plan, ends[1])}
        by_slice.append(facts | {"decision": _decision(plan.tolerance, part)})
    decision = _decision(plan.tolerance, kl)
    mine = [row for row in positions if row["forecast"] == name]
    worst, last = max(high, key=high.__getitem__), max(by_slice, key=lambda one: one["kl_nats"]["hi"])
    mean = kl["mean"]
    reasons = (
        ["no tolerance was set"]
        if decision == "unjudged"
        else [f"the upper bound is {kl['hi']:.4g}, the tolerance {plan.tolerance}"]
    )
    unscored = {"unscored": "needs the whole distribution; the truth lists its top k only"}
    return {
        "name": name,
        "rank": 0,
        "reference": name in PANEL or name.startswith("uni"),
        "source": {"name": name, "text": {"digest": "sha256:" + "12" * 32, "files": 3}},
        "verdict": {"decision": decision, "reasons": reasons, "prompts_needed": 140 if decision[0] == "i" else None},
        "kl_nats": kl,
        "approximate": {"unscored": "losses are known within intervals only"}
        if plan.topk
        else {"lo": kl["lo"] * 1.1, "hi": kl["hi"] * 0.9, "standard_error": 0.0123, "method": "clustered by document"},
        "within_tolerance": _within(plan, high),
        "metrics": {
            "kl_nats": mean,
            "abs_logprob_nats": unscored if plan.topk else float(np.mean(list(high.values()))) * 1.3,
            "tv": {"lo": 0.11, "hi": 0.29} if plan.topk else float(np.mean([row["tv_lo"] for row in mine])),
            "js_nats": unscored if plan.topk else float(np.mean(list(high.values()))) / 4,
            "top1_agreement": float(np.mean([row["top1_agreement_lo"] for row in mine])),
            "topk_logprob_rmse": unscored if plan.topk else 0.77,
            "kl_bits_per_byte": unscored if plan.topk else float(np.mean(list(high.values()))) / 2.9,
        },
        "slices": by_slice,
        "worst_slice": {"slice": last["slice"], "mean": last["kl_nats"]["mean"]},
        "tail": {
            "q90": float(np.quantile(list(high.values()), 0.9)),
            "q99": float(np.quantile(list(high.values()), 0.99)),
            "worst": {"prompt": worst, "kl_nats": high[worst]},
        },
        "capped_prompts": sum(loss > CAP for loss in high.values()),
    }


def _difference(a: str, b: str, positions: list[Any], weights: dict[str, float]) -> dict[str, Any]:
    left, right = losses(a, positions), losses(b, positions)
    gaps = {prompt: left[prompt] - right[prompt] for prompt in left}
    mean = float(np.average(list(gaps.values()), weights=[weights[prompt] for prompt in gaps]))
    half = 2 * float(np.std(list(gaps.values()))) / math.sqrt(len(gaps)) if len(gaps) > 1 else 2 * CAP
    bounds = {"mean": mean, "lo": mean - half, "hi": mean + half, "level": 0.95}
    return {"a": a, "b": b, **bounds, "method": "betting confidence sequence on paired differences"}
