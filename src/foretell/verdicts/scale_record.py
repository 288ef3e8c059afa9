"""scale.json: one ladder from uniform to the truth's own noise, with skill over what any reader of text would know."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretell import __version__
from foretell.base.files import check_file, read_manifest, write_manifest
from foretell.base.interval import Unscored
from foretell.scoring.confidence import Bounds
from foretell.scoring.skill import DieboldMariano
from foretell.verdicts.run_folder import SCHEMA as RUN_SCHEMA
from foretell.verdicts.run_folder import read_score, write_json
from foretell.verdicts.scorecard import bounds_record

SCHEMA = "foretell.scale/1"
SCALE = "scale.json"
#: What a rung is: of the panel, the pool of the panel, named for this scale, or a forecast that was given.
REFERENCE, POOL, RUNG, FORECAST = "reference", "pool", "rung", "forecast"

BEST_POOL = "best text-only pool"


@dataclass(frozen=True)
class Encompassing:
    """What a forecast adds to the pool of references.

    Attributes:
        gain: nats a token that the pool loses less with it, below 0 where it then loses more.
        weight: of the forecast, beside 1 − weight of the pool.
    """

    gain: Bounds
    diebold_mariano: DieboldMariano | Unscored
    weight: float


@dataclass(frozen=True)
class Standing:
    """Where one forecast stands beside the pool of text-only references."""

    kind: str
    weight: float | None = None
    skill: Bounds | Unscored | None = None
    encompassing: Encompassing | Unscored | None = None


def scale_record(
    score: dict[str, Any],
    standings: dict[str, Standing],
    pool: dict[str, Any],
    asked: dict[str, Any],
    notes: list[str],
) -> dict[str, Any]:
    """All of scale.json; rungs from the farthest to the nearest.

    Args:
        score: of the run, judged by KL divergence.
        standings: of every forecast of the run, by name.
        pool: what is recorded of the pool and its practice.
        asked: the options that made it, by name.
        notes: what is not on the scale, and why.
    """
    rungs = [_rung_record(entry, standings[entry["name"]]) for entry in reversed(score["forecasts"])]
    settings = {name: score["settings"][name] for name in ("metric", "unit", "floor", "cap", "level", "tolerance")}
    return {
        "schema": SCHEMA,
        "made_by": f"foretell {__version__}",
        "asked": asked,
        "truth": score["truth"],
        "settings": settings,
        "pool": pool,
        "rungs": rungs,
        "noise_floor": score["truth"]["noise_floor"],
        "tolerance": _tolerance_record(rungs, settings["tolerance"]),
        "notes": notes,
    }


def _rung_record(entry: dict[str, Any], standing: Standing) -> dict[str, Any]:
    record = {
        "name": entry["name"],
        "kind": standing.kind,
        "text_only": entry["reference"],
        "kl_nats": entry["kl_nats"],
        "verdict": entry["verdict"]["decision"],
    }
    if standing.weight is not None:
        record["weight_in_pool"] = standing.weight
    if standing.skill is not None:
        own = standing.skill
        record["skill"] = {"unscored": own.reason} if isinstance(own, Unscored) else bounds_record(own)
    if standing.encompassing is not None:
        record["encompassing"] = _encompassing_record(standing.encompassing)
    return record


def _encompassing_record(found: Encompassing | Unscored) -> dict[str, Any]:
    if isinstance(found, Unscored):
        return {"unscored": found.reason}
    test = found.diebold_mariano
    return {
        "gain_nats": bounds_record(found.gain),
        "weight": found.weight,
        "diebold_mariano": {"unscored": test.reason}
        if isinstance(test, Unscored)
        else {"statistic": test.statistic, "p_value": test.p_value, "method": test.method},
    }


def label(rung: dict[str, Any]) -> str:
    """What a rung is called where there is little room: the pool's name lists all its members."""
    return BEST_POOL if rung["kind"] == POOL else str(rung["name"])


def _tolerance_record(rungs: list[dict[str, Any]], tolerance: float | None) -> dict[str, Any] | None:
    """The nearest rung that does not meet the tolerance with its mean, and the farthest that does."""
    if tolerance is None:
        return None

    def upper(rung: dict[str, Any]) -> float:
        mean = rung["kl_nats"]["mean"]
        return float(mean["hi"] if isinstance(mean, dict) else mean)

    missed = [label(rung) for rung in rungs if upper(rung) > tolerance]
    met = [label(rung) for rung in rungs if upper(rung) <= tolerance]
    return {"nats": tolerance, "missed_by": missed[-1] if missed else None, "met_by": met[0] if met else None}


def sentences(scale: dict[str, Any]) -> list[str]:
    """What the scale says of its tolerance, its pool and its noise."""
    pool, tolerance, noise = scale["pool"], scale["tolerance"], scale["noise_floor"]
    weights = ", ".join(f"{member['name']} {member['weight']:.3f}" for member in pool["members"] if member["weight"])
    practice = pool["practice"]
    found = [
        f"The best pool of text-only references, fitted on {practice['prompts']} practice prompts from "
        f"{practice['documents']} documents ({practice['suite']}): {weights}."
    ]
    if tolerance is not None:
        above, below, limit = tolerance["missed_by"], tolerance["met_by"], f"{tolerance['nats']:g} nats"
        if above and below:
            found.append(f"A tolerance of {limit} lies between {above}, which misses it, and {below}, which meets it.")
        elif below:
            found.append(f"Everything on this scale meets a tolerance of {limit}; the farthest is {below}.")
        else:
            found.append(
                f"Nothing on this scale meets a tolerance of {limit} but the truth itself; {above} is nearest."
            )
    found.append(f"Noise floor: {noise['kl_nats']:.1e} nats ({noise['method']}).")
    return found + [f"Not on this scale: {note}." for note in scale["notes"]]


def add_to_run(run: Path, scale: dict[str, Any]) -> None:
    """Put scale.json into a run folder, for its report."""
    manifest = read_manifest(run, RUN_SCHEMA)
    facts = {name: value for name, value in manifest.items() if name not in ("schema", "made_by", "files")}
    read_score(run)  # a damaged run is not signed again
    write_json(run / SCALE, scale)
    write_manifest(run, RUN_SCHEMA, facts)


def read_scale(run: Path) -> dict[str, Any] | None:
    """scale.json of a run folder, None where it has none.

    Raises:
        DamageError: the file is not what the manifest says.
    """
    manifest = read_manifest(run, RUN_SCHEMA)
    if SCALE not in manifest["files"]:
        return None
    return dict(json.loads(check_file(run, SCALE, manifest).read_text(encoding="utf-8")))
