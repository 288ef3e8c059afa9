"""transfer.json: how forecasts do on each unit, whether their order carries over, and what a pass was worth elsewhere.

schema foretell.transfer/1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np

from foretell import __version__
from foretell.base.canonical import digest_value
from foretell.base.interval import Interval, Unscored
from foretell.base.progress import Progress, quiet
from foretell.scoring.losses import LossMetric, loss_metric
from foretell.scoring.summary import mean_loss
from foretell.scoring.transfer import (
    LEAST_DOCUMENTS,
    LEAST_FORECASTS,
    ORDER,
    REPLICATES,
    Cell,
    Signs,
    Worth,
    agreement,
    decided_order,
    kendall,
    means_of,
    spearman,
    worth_of_passing,
)
from foretell.verdicts.claim import count, down, near, percent, up
from foretell.verdicts.scorecard import bounds_record
from foretell.verdicts.tolerance import decide
from foretell.verdicts.transfer_units import Unit, Units

SCHEMA = "foretell.transfer/1"
_DIGEST_DIGITS = 8


def transfer_record(
    units: Units, *, level: float = 0.95, tolerance: float | None = None, progress: Progress = quiet
) -> dict[str, Any]:
    """All of transfer.json.

    Args:
        level: confidence; of each mean by itself, of all means together, and of all orders together.
        tolerance: of a mean loss, in the metric's unit; None asks nothing about passes.
    """
    cells, losses = _cells(units, level, tolerance)
    found = {
        "schema": SCHEMA,
        "made_by": f"foretell {__version__}",
        "settings": units.settings
        | {
            "level": level,
            "tolerance": tolerance,
            "together": {"cells": len(losses), "level_each": _each(level, len(losses))},
            "orders": {
                "method": ORDER,
                "replicates": REPLICATES,
                "level_each": _each(level, len(units.units)),
                "least_forecasts": LEAST_FORECASTS,
                "least_documents": LEAST_DOCUMENTS,
            },
        },
        "units": [{"name": unit.name} | unit.facts for unit in units.units],
        "forecasts": list(units.forecasts),
        "left_out": units.left_out,
        "shared_documents": _shared(units.units),
        "losses": losses,
        "correlations": _correlations(units, level, progress),
        "passes": None if tolerance is None else _passes(units, cells, tolerance),
    }
    return found | {"sentences": list(sentences(found))}


def _each(level: float, number: int) -> float:
    """The level that each of several bounds needs for all to hold at once, however they depend (Bonferroni)."""
    return 1 - (1 - level) / number


def _cells(units: Units, level: float, tolerance: float | None) -> tuple[dict[str, list[Cell]], list[dict[str, Any]]]:
    """Mean losses by unit, and their records."""
    together = _each(level, len(units.units) * len(units.forecasts))
    cells: dict[str, list[Cell]] = {}
    records = []
    for unit in units.units:
        for name, losses in zip(units.forecasts, unit.losses, strict=True):
            own, wide = mean_loss(losses, level), mean_loss(losses, together)
            assert own.mean is not None
            cells.setdefault(unit.name, []).append(Cell(own.mean.hi, own.bounds, wide.bounds))
            record: dict[str, Any] = {"unit": unit.name, "forecast": name, **bounds_record(own)}
            record["together"] = {"lo": wide.bounds.lo, "hi": wide.bounds.hi}
            if tolerance is not None:
                record["decision"] = decide(own.bounds, tolerance)
            records.append(record)
    return cells, records


def _shared(units: Sequence[Unit]) -> list[dict[str, Any]]:
    pairs = ((a, b, len(a.documents & b.documents)) for a, b in combinations(units, 2))
    return [{"a": a.name, "b": b.name, "documents": number} for a, b, number in pairs if number]


def _correlations(units: Units, level: float, progress: Progress) -> list[dict[str, Any]]:
    each = _each(level, len(units.units))
    orders: dict[str, Signs | Unscored] = {}
    for done, unit in enumerate(units.units, 1):
        # The same losses give the same numbers, whatever else is in the table.
        digest = digest_value([own.lo.tolist() for own in unit.losses]).removeprefix("sha256:")
        rng = np.random.default_rng(int(digest[:_DIGEST_DIGITS], 16))
        orders[unit.name] = decided_order(unit.losses, each, rng)
        progress("resampling documents", done, len(units.units))
    return [
        {"a": a.name, "b": b.name} | _correlation(a, b, orders, units.forecasts)
        for a, b in combinations(units.units, 2)
    ]


def _correlation(a: Unit, b: Unit, orders: Mapping[str, Signs | Unscored], forecasts: Sequence[str]) -> dict[str, Any]:
    for unit in (a, b):
        order = orders[unit.name]
        if isinstance(order, Unscored):
            listed = f" (in this order: {', '.join(forecasts)})" if "of the list" in order.reason else ""
            return {"unscored": f"{unit.name}: {order.reason}{listed}"}
    means = [means_of(unit.losses) for unit in (a, b)]
    first, second = orders[a.name], orders[b.name]
    assert not isinstance(first, Unscored)
    assert not isinstance(second, Unscored)
    assert not any(isinstance(one, Unscored) for one in means)
    found = agreement(first, second)
    rho, tau = spearman(means[0], means[1]), kendall(means[0], means[1])  # type: ignore[arg-type]
    if rho is None or tau is None:
        return {"unscored": "all forecasts lose the same on one of the two"}
    return {
        "spearman": _with_bounds(rho, found.spearman),
        "kendall": _with_bounds(tau, found.kendall),
        "pairs": {"agree": found.agree, "disagree": found.disagree, "open": found.open},
    }


def _with_bounds(value: float, bounds: Interval) -> dict[str, float]:
    return {"value": value, "lo": min(bounds.lo, value), "hi": max(bounds.hi, value)}


def _passes(units: Units, cells: dict[str, list[Cell]], tolerance: float) -> list[dict[str, Any]]:
    """For every two units, in both directions: what meeting the tolerance on the first was worth on the second."""
    found = []
    for a, b in permutations(units.units, 2):
        worth = worth_of_passing(cells[a.name], cells[b.name], tolerance)
        record: dict[str, Any] = {"on": a.name, "then": b.name}
        found.append(
            record | ({"unscored": worth.reason} if isinstance(worth, Unscored) else _worth(worth, units.forecasts))
        )
    return found


def _worth(worth: Worth, names: Sequence[str]) -> dict[str, Any]:
    return {
        "met_by": [names[i] for i in worth.met],
        "worst": names[worth.worst],
        "mean": worth.mean,
        "lo": worth.bounds.lo,
        "hi": worth.bounds.hi,
        "also_meet": worth.also_meet,
        "miss": worth.miss,
    }


def sentences(record: dict[str, Any]) -> Iterator[str]:
    """What the table says, and what its bounds mean."""
    settings, metric = record["settings"], loss_metric(record["settings"]["metric"], "transfer.json")
    level = percent(settings["level"])
    told = [one for one in record["correlations"] if "spearman" in one]
    if told:
        least = min(told, key=lambda one: (one["spearman"]["value"], one["spearman"]["lo"]))
        yield _least_correlated(least, len(told))
        yield (
            f"Bounds on rank correlations hold all at once with about {level} confidence: they follow from the pairs "
            "of forecasts whose order the documents decide, a resampling result and no exact one. They take the "
            "forecasts as given and say nothing of other forecasts."
        )
    for reason in dict.fromkeys(one["unscored"] for one in record["correlations"] if "unscored" in one):
        yield f"Without a rank correlation: {reason}."
    if record["passes"] is not None:
        yield from _about_passes(record, metric, level)
    if record["shared_documents"]:
        pairs = record["shared_documents"]
        yield (
            f"{count(len(pairs), 'pair')} of units {'shares' if len(pairs) == 1 else 'share'} documents, "
            f"{max(one['documents'] for one in pairs):,} at most: their errors go together. The bounds that hold "
            "together allow for any dependence."
        )


def _least_correlated(least: dict[str, Any], number: int) -> str:
    rho, pairs = least["spearman"], least["pairs"]
    which = "" if number == 1 else f", the lowest of {number} pairs of units"
    return (
        f"Forecasts on {least['a']} and on {least['b']}: rank correlation {near(rho['value'])} ({down(rho['lo'])} to "
        f"{up(rho['hi'])}; Spearman){which}; of {sum(pairs.values())} pairs of forecasts {pairs['agree']} are decided "
        f"the same way on both, {pairs['disagree']} the other way, {pairs['open']} are open."
    )


def _about_passes(record: dict[str, Any], metric: LossMetric, level: str) -> Iterator[str]:
    tolerance = metric.amount(f"{record['settings']['tolerance']:g}")
    known = [one for one in record["passes"] if "worst" in one]
    if not known:
        yield f"No forecast meets {tolerance} on any unit, so nothing is known of what a pass is worth."
        return
    worst = max(known, key=lambda one: float(one["lo"]))
    on, then = worst["on"], worst["then"]
    met = count(len(worst["met_by"]), "forecast")
    left = len(worst["met_by"]) - worst["also_meet"] - worst["miss"]
    yield (
        f"Where a pass was worth least: {tolerance} on {on} is met by {met}; on {then}, {worst['also_meet']} of them "
        f"meet it, {worst['miss']} miss it, {left} are open. The largest mean there is "
        f"{metric.amount(near(worst['mean']))} ({worst['worst']}; {down(worst['lo'])} to {up(worst['hi'])}). These "
        f"bounds hold for all means of the table at once with {level} confidence, whatever was picked."
    )
    nowhere = list(dict.fromkeys(one["on"] for one in record["passes"] if "unscored" in one))
    if nowhere:
        yield f"No forecast meets {tolerance} on {', '.join(nowhere)}."
