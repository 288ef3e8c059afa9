"""The folder that a score leaves: score.json, every position's numbers, and what the report shows of the prompts.

manifest.json      schema foretell.run/1
score.json         foretell.score/1: the result
prompts.parquet    the prompts with their tokens as bytes
positions.parquet  one row a forecast and position: every metric's lower and upper end
tops.parquet       for each forecast's worst prompts: the likeliest tokens of truth and forecast, side by side
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from foretell.base.errors import InputError
from foretell.base.files import (
    MANIFEST,
    check_file,
    damaged,
    read_manifest,
    storage_errors,
    write_atomically,
    write_manifest,
)
from foretell.distributions import Distributions
from foretell.scoring import COLUMNS, PositionScores
from foretell.scoring.summary import Losses
from foretell.verdicts.tops import write_tops

SCHEMA = "foretell.run/1"
SCORE, PROMPTS, POSITIONS, TOPS = "score.json", "prompts.parquet", "positions.parquet", "tops.parquet"

_POSITION_SCHEMA = pa.schema(
    [
        ("forecast", pa.string()),
        ("prompt", pa.string()),
        ("slice", pa.string()),
        ("position", pa.int32()),
        *((f"{name}_{end}", pa.float64()) for name in COLUMNS for end in ("lo", "hi")),
    ]
)


class RunWriter:
    """Writes a run folder beside its final name and moves it there when it is whole.

    Raises:
        InputError: there is something at `out` that is not a run.
    """

    def __init__(self, out: Path) -> None:
        if out.exists() and not (out / MANIFEST).is_file():
            raise InputError(
                "the folder is in use",
                where=str(out),
                got="files of something else",
                expected="a new folder, or an earlier run to replace",
                fix="Choose another --out.",
            )
        self.out, self._part = out, out.with_name(f".{out.name}.partial")
        with storage_errors(out):
            shutil.rmtree(self._part, ignore_errors=True)
            self._part.mkdir(parents=True)
        self._positions = pq.ParquetWriter(self._part / POSITIONS, _POSITION_SCHEMA)

    def add_positions(self, truth: Distributions, prompts: tuple[int, ...], name: str, scores: PositionScores) -> None:
        """Append the positions of some prompts."""
        chosen = [truth.prompts[index] for index in prompts]
        sizes = [len(prompt.positions) for prompt in chosen]
        columns: dict[str, Any] = {
            "forecast": [name] * sum(sizes),
            "prompt": np.repeat([prompt.id for prompt in chosen], sizes),
            "slice": np.repeat([prompt.slice for prompt in chosen], sizes),
            "position": np.concatenate([prompt.positions for prompt in chosen]).astype(np.int32),
        }
        for column in COLUMNS:
            for end, side in (("lo", scores.lo), ("hi", scores.hi)):
                columns[f"{column}_{end}"] = side.get(column, pa.nulls(sum(sizes), pa.float64()))
        with storage_errors(self.out):
            self._positions.write_table(pa.table(columns, schema=_POSITION_SCHEMA))

    def finish(
        self, score: dict[str, Any], truth: Distributions, forecasts: dict[str, tuple[Distributions, list[str]]]
    ) -> None:
        """Write the rest and put the folder in place.

        Args:
            forecasts: by name, the forecast and the ids of its prompts, worst first.
        """
        with storage_errors(self.out):
            self._positions.close()
            pq.write_table(_prompt_table(truth), self._part / PROMPTS)
            write_tops(self._part / TOPS, truth, forecasts)
            write_json(self._part / SCORE, score)
            write_manifest(self._part, SCHEMA, {"truth": score["truth"]["name"], "forecasts": list(forecasts)})
            shutil.rmtree(self.out, ignore_errors=True)
            self._part.replace(self.out)

    def abandon(self) -> None:
        """Remove what was written."""
        self._positions.close()
        shutil.rmtree(self._part, ignore_errors=True)


def read_score(folder: Path) -> dict[str, Any]:
    """score.json of a run folder.

    Raises:
        InputError: not a run folder.
        DamageError: the file is not what the manifest says.
    """
    path = check_file(folder, SCORE, read_manifest(folder, SCHEMA))
    return dict(json.loads(path.read_text(encoding="utf-8")))


def read_losses(folder: Path, forecast: str, metric: str, cap: float) -> Losses:
    """The losses of one forecast of a run, by prompt, as they were before they were averaged.

    Raises:
        InputError: not a run folder, or the truth does not tell this metric.
        DamageError: a file is not what the manifest says, or a prompt's positions are missing.
    """
    manifest = read_manifest(folder, SCHEMA)
    paths = {name: check_file(folder, name, manifest) for name in (PROMPTS, POSITIONS)}
    ends = [f"{metric}_{end}" for end in ("lo", "hi")]
    table = pq.read_table(paths[POSITIONS], columns=["prompt", *ends], filters=[("forecast", "=", forecast)])
    if any(table[end].null_count for end in ends):
        raise InputError(
            "a loss that this run does not tell",
            where=f"{folder}, forecast {forecast!r}",
            got=f"no {metric} at some positions",
            expected="a metric that is scored at every position",
            fix="Plan with kl_nats, or with a run against a truth that has every probability.",
        )
    means = table.group_by("prompt").aggregate([(end, "mean") for end in ends]).to_pylist()
    found = {row["prompt"]: [row[f"{end}_mean"] for end in ends] for row in means}
    rows = pq.read_table(paths[PROMPTS], columns=["id", "slice", "document", "weight"]).to_pylist()
    if {row["id"] for row in rows} != set(found):
        raise damaged(paths[POSITIONS], f"losses of {len(found)} prompts", f"losses of the {len(rows)} of {PROMPTS}")
    low, high = np.array([found[row["id"]] for row in rows], np.float64).T
    return Losses.of([(row["id"], row["slice"], row["document"], row["weight"]) for row in rows], low, high, cap)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _prompt_table(truth: Distributions) -> pa.Table:
    pieces = truth.vocabulary.token_bytes
    return pa.table(
        {
            name: [getattr(prompt, name) for prompt in truth.prompts]
            for name in ("id", "slice", "weight", "document", "text")
        }
        | {
            "token_ids": pa.array([prompt.token_ids for prompt in truth.prompts], pa.list_(pa.int32())),
            "positions": pa.array([prompt.positions for prompt in truth.prompts], pa.list_(pa.int32())),
            "pieces": pa.array(
                [[pieces[token] for token in prompt.token_ids] for prompt in truth.prompts], pa.list_(pa.binary())
            ),
        }
    )
