"""Run folders with made-up losses: one position a prompt, any slices, documents and forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from foretell.base.files import write_manifest
from foretell.verdicts.run_folder import POSITIONS, PROMPTS, SCHEMA, SCORE, write_json

FORECASTS = ("near", "nearer", "middle", "far", "farther", "uniform")


def made_run(
    folder: Path,
    losses: Mapping[str, NDArray[np.float64]],
    *,
    slices: Sequence[str] = ("code", "prose"),
    target: str = "t",
    suite: str = "s",
    documents: Sequence[str] | None = None,
    wide: float = 0.0,
    **settings: Any,
) -> Path:
    """Write a run.

    Args:
        losses: of each forecast, (prompts,); prompts go to the slices by turns.
        wide: width of the interval in which each loss is known.
    """
    folder.mkdir(parents=True)
    count = len(next(iter(losses.values())))
    ids = [f"{suite}-{i}" for i in range(count)]
    parts = [slices[i % len(slices)] for i in range(count)]
    own = list(documents or ids)
    score = {
        "schema": "foretell.score/1",
        "truth": {
            "name": target,
            "weights": f"sha256:{target}",
            "vocabulary": 100,
            "suite": {"name": suite, "digest": f"sha256:{suite}"},
        },
        "settings": {"metric": "kl_nats", "floor": 1e-6, "tail": "uniform", "cap": 10.0, "level": 0.95} | settings,
        "forecasts": [{"name": name} for name in losses],
    }
    write_json(folder / SCORE, score)
    pq.write_table(pa.table({"id": ids, "slice": parts, "document": own, "weight": [1.0] * count}), folder / PROMPTS)
    columns: dict[str, Any] = {
        "forecast": [name for name in losses for _ in ids],
        "prompt": ids * len(losses),
    }
    values = np.concatenate(list(losses.values()))
    for metric in ("kl_nats", "tv"):
        columns |= {f"{metric}_lo": values, f"{metric}_hi": values + wide}
    pq.write_table(pa.table(columns), folder / POSITIONS)
    write_manifest(folder, SCHEMA, {})
    return folder


def made_losses(
    means: Sequence[float], prompts: int = 80, *, seed: int = 0, names: Sequence[str] = FORECASTS
) -> dict[str, NDArray[np.float64]]:
    """Losses with about these means; what is hard for one forecast is hard for all."""
    rng = np.random.default_rng(seed)
    common = rng.exponential(1.0, prompts)
    return {
        name: mean * (0.8 * common + 0.2 * rng.exponential(1.0, prompts))
        for name, mean in zip(names, means, strict=True)
    }
