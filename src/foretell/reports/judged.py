"""Which loss a score was judged by, and scores of earlier versions, which knew the KL divergence only."""

from __future__ import annotations

from typing import Any

from foretell.scoring.losses import LossMetric, loss_metric


def completed(score: dict[str, Any]) -> dict[str, Any]:
    """The score with what was judged under the names of today: `loss`, `tolerance`, `cap`, `noise_floor`.

    >>> old = {"settings": {"metric": "kl_nats", "tolerance_nats": 1.0, "cap_nats": 7.0}, "truth": {}, "forecasts": []}
    >>> completed(old)["settings"]["tolerance"]
    1.0
    """
    settings = {
        "unit": "nats",
        "slice_tolerances": {},
        "tolerance": score["settings"].get("tolerance_nats"),
        "cap": score["settings"].get("cap_nats"),
        "noise_floor": _noise(score["truth"].get("noise_floor")),
        **score["settings"],
    }
    return score | {"settings": settings, "forecasts": [_forecast(one) for one in score["forecasts"]]}


def loss_of(score: dict[str, Any]) -> LossMetric:
    """The judged loss."""
    return loss_metric(score["settings"]["metric"], "score.json")


def _noise(floor: dict[str, Any] | None) -> dict[str, Any]:
    return {"value": floor["kl_nats"], "method": "measured"} if floor else {"unscored": "not measured"}


def _forecast(record: dict[str, Any]) -> dict[str, Any]:
    if "loss" in record:
        return record
    worst = record["tail"]["worst"]
    return record | {
        "loss": record["kl_nats"],
        "slices": [part | {"loss": part["kl_nats"]} for part in record["slices"]],
        "tail": record["tail"] | {"worst": worst | {"loss": worst["kl_nats"]}},
    }
