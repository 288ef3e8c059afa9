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
from foretell.base.files import MANIFEST, storage_errors, write_atomically, write_manifest, write_text_atomically
from foretell.distributions import Block, Distributions, TopKBlock
from foretell.distributions.pairing import check_same_questions
from foretell.scoring.divergences import normalised
from foretell.scoring.positions import COLUMNS, PositionScores, to_dense

SCHEMA = "foretell.run/1"
SCORE, PROMPTS, POSITIONS, TOPS = "score.json", "prompts.parquet", "positions.parquet", "tops.parquet"
#: Prompts of each forecast whose tokens the report shows, and tokens taken of truth and of forecast at a position.
_SHOWN_PROMPTS, _SHOWN_TOKENS = 400, 8

_POSITION_SCHEMA = pa.schema(
    [
        ("forecast", pa.string()),
        ("prompt", pa.string()),
        ("slice", pa.string()),
        ("position", pa.int32()),
        *((f"{name}_{end}", pa.float64()) for name in COLUMNS for end in ("lo", "hi")),
    ]
)
_TOP_SCHEMA = pa.schema(
    [
        ("forecast", pa.string()),
        ("prompt", pa.string()),
        ("position", pa.int32()),
        ("token_ids", pa.list_(pa.int32())),
        ("pieces", pa.list_(pa.binary())),
        ("truth_logprobs", pa.list_(pa.float32())),
        ("forecast_logprobs", pa.list_(pa.float32())),
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
            with pq.ParquetWriter(self._part / TOPS, _TOP_SCHEMA) as writer:
                for name, (forecast, worst) in forecasts.items():
                    writer.write_table(_top_table(name, truth, forecast, worst[:_SHOWN_PROMPTS]))
            text = json.dumps(score, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
            write_text_atomically(self._part / SCORE, text)
            write_manifest(self._part, SCHEMA, {"truth": score["truth"]["name"], "forecasts": list(forecasts)})
            shutil.rmtree(self.out, ignore_errors=True)
            self._part.replace(self.out)

    def abandon(self) -> None:
        """Remove what was written."""
        self._positions.close()
        shutil.rmtree(self._part, ignore_errors=True)


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


def _top_table(name: str, truth: Distributions, forecast: Distributions, shown: list[str]) -> pa.Table:
    theirs = check_same_questions(truth, forecast)
    index = {prompt.id: i for i, prompt in enumerate(truth.prompts)}
    pieces = truth.vocabulary.token_bytes
    rows = []
    for prompt_id in shown:
        i = index[prompt_id]
        p, q = _known(truth.block(i), truth), _known(forecast.block(theirs[i]), forecast)
        for row, position in enumerate(truth.prompts[i].positions):
            tokens = _likeliest(p[row], q[row])
            rows.append(
                {
                    "forecast": name,
                    "prompt": prompt_id,
                    "position": position,
                    "token_ids": tokens,
                    "pieces": [pieces[token] for token in tokens],
                    "truth_logprobs": [_or_none(p[row][token]) for token in tokens],
                    "forecast_logprobs": [_or_none(q[row][token]) for token in tokens],
                }
            )
    return pa.Table.from_pylist(rows, _TOP_SCHEMA)


def _known(block: Block, source: Distributions) -> np.ndarray:
    """Log-probabilities (positions, vocabulary); NaN (for this file only) where a truth does not list the token."""
    if isinstance(block, TopKBlock) and source.manifest["role"] == "truth":
        known = np.full((len(block), source.vocabulary.size), np.nan)
        for row, ids in enumerate(block.token_ids):
            known[row, ids[ids >= 0]] = block.logprobs[row, ids >= 0]
        return known
    return normalised(to_dense(block, source.vocabulary.size).logprobs)


def _likeliest(p: np.ndarray, q: np.ndarray) -> list[int]:
    """The truth's likeliest tokens, then the forecast's that are not among them."""
    first, second = (np.argsort(-np.nan_to_num(x, nan=-np.inf), kind="stable")[:_SHOWN_TOKENS].tolist() for x in (p, q))
    return list(dict.fromkeys([token for token in first if not np.isnan(p[token])] + second))


def _or_none(value: float) -> float | None:
    return None if not np.isfinite(value) else float(value)
