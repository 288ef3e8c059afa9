"""The truth's own noise, measured as a KL divergence, and what it implies for tolerances in other metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from foretell.base.errors import ToleranceError
from foretell.base.interval import Unscored
from foretell.scoring.losses import loss_metric

_PINSKER = "implied by the truth's noise in KL divergence: {} (Pinsker's inequality)"


def implied_noise(metric: str, kl_nats: float) -> tuple[float, str] | Unscored:
    """The most that the truth's noise can be in a metric, given its mean KL divergence, and how that is known.

    All of these are concave in the KL divergence, so they hold for means by Jensen's inequality.

    Args:
        kl_nats: mean KL divergence of the truth from itself.

    Source: TV ≤ √(KL/2) (Pinsker 1964; Csiszár 1967); JS ≤ log 2 · TV (Lin 1991, theorem 3); and with
    p·log(q/p) ≤ q − p where q > p, Σ p |log p − log q| ≤ KL + 2·TV.

    >>> implied_noise("tv", 2e-6)[0], implied_noise("kl_nats", 2e-6)[0]
    (0.001, 2e-06)
    """
    total_variation = math.sqrt(max(kl_nats, 0.0) / 2)
    match metric:
        case "kl_nats":
            return kl_nats, "measured"
        case "tv":
            return total_variation, _PINSKER.format("√(KL/2)")
        case "js_nats":
            return math.log(2) * total_variation, _PINSKER.format("log 2·√(KL/2)")
        case "abs_logprob_nats":
            return kl_nats + 2 * total_variation, _PINSKER.format("KL + √(2·KL)")
        case _:
            return Unscored(f"the truth's noise is measured as a KL divergence, which does not bound {metric}")


def noise_record(metric: str, noise_floor: Mapping[str, Any]) -> dict[str, Any]:
    """The noise floor in the judged metric, for score.json."""
    implied = implied_noise(metric, float(noise_floor["kl_nats"]))
    if isinstance(implied, Unscored):
        return {"unscored": implied.reason}
    return {"value": implied[0], "method": implied[1]}


def require_resolvable(
    tolerance: float | None,
    noise_floor: Mapping[str, Any],
    where: str,
    *,
    metric: str = "kl_nats",
    slices: Iterable[float | None] = (),
) -> None:
    """Refuse a tolerance that is not positive, or not shown to lie above the truth's own noise.

    For a metric in which nothing is known of the noise, only the first is asked; the score says so.

    Args:
        slices: tolerances of slices that have one of their own.

    Raises:
        ToleranceError: as said.
    """
    if tolerance is None:
        return
    loss, implied = loss_metric(metric), implied_noise(metric, float(noise_floor["kl_nats"]))
    floor, how = (0.0, "") if isinstance(implied, Unscored) else implied
    for one in (tolerance, *(own for own in slices if own is not None)):
        if 0 < one < math.inf and one >= floor:
            continue
        reason = f", and at least the truth's noise floor of {loss.amount(f'{floor:.3g}')} ({how})" if how else ""
        raise ToleranceError(
            "a tolerance that cannot be judged",
            where=where,
            got=loss.amount(f"{one:g}"),
            expected="a finite number above 0" + reason,
            fix="Set a larger tolerance, or collect the truth with a more exact engine.",
        )
