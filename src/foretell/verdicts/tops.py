"""tops.parquet: for each forecast's worst prompts, the likeliest tokens of truth and forecast side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from foretell.distributions import Block, Distributions, TopKBlock, concatenate
from foretell.distributions.pairing import check_same_questions
from foretell.scoring import to_dense

#: Prompts of each forecast whose tokens the report shows, and tokens taken of truth and of forecast at a position.
SHOWN_PROMPTS, SHOWN_TOKENS = 400, 8
#: Rows held in memory at once.
_CHUNK_ROWS = 256

_SCHEMA = pa.schema(
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


def write_tops(path: Path, truth: Distributions, forecasts: Mapping[str, tuple[Distributions, Sequence[str]]]) -> None:
    """Write the table, reading the truth once for all forecasts.

    Args:
        forecasts: by name, the forecast and the ids of its prompts, worst first; the worst SHOWN_PROMPTS are shown.
    """
    shown = {name: set(worst[:SHOWN_PROMPTS]) for name, (_, worst) in forecasts.items()}
    theirs = {name: check_same_questions(truth, forecast) for name, (forecast, _) in forecasts.items()}
    pieces = truth.vocabulary.token_bytes
    with pq.ParquetWriter(path, _SCHEMA) as writer:
        for chunk in _chunks(truth, set().union(*shown.values())):
            p = _Rows.of(concatenate([truth.block(index) for index in chunk]), truth)
            for name, (forecast, _) in forecasts.items():
                q = _Rows.of(concatenate([forecast.block(theirs[name][index]) for index in chunk]), forecast)
                rows = [
                    {"forecast": name, "prompt": prompt, "position": position} | _side_by_side(p, q, row, pieces)
                    for row, (prompt, position) in enumerate(_asked(truth, chunk))
                    if prompt in shown[name]
                ]
                writer.write_table(pa.Table.from_pylist(rows, _SCHEMA))


def _chunks(truth: Distributions, wanted: set[str]) -> Iterator[list[int]]:
    chunk: list[int] = []
    rows = 0
    for index in truth.storage_order():
        prompt = truth.prompts[index]
        if prompt.id not in wanted:
            continue
        if chunk and rows + len(prompt.positions) > _CHUNK_ROWS:
            yield chunk
            chunk, rows = [], 0
        chunk.append(index)
        rows += len(prompt.positions)
    if chunk:
        yield chunk


def _asked(truth: Distributions, chunk: list[int]) -> Iterator[tuple[str, int]]:
    for index in chunk:
        for position in truth.prompts[index].positions:
            yield truth.prompts[index].id, position


@dataclass(frozen=True)
class _Rows:
    """Logits or log-probabilities (positions, vocabulary), their normalisers, and the likeliest tokens of each row.

    A top-k truth has -inf and a normaliser of 0 here, and `unknown`: what it does not list is not known.
    """

    values: np.ndarray
    log_z: np.ndarray
    likeliest: list[list[int]]
    unknown: bool

    @classmethod
    def of(cls, block: Block, source: Distributions) -> _Rows:
        unknown = isinstance(block, TopKBlock) and source.manifest["role"] == "truth"
        if unknown:
            assert isinstance(block, TopKBlock)
            values = np.full((len(block), source.vocabulary.size), -np.inf, np.float32)
            for row, ids in enumerate(block.token_ids):
                values[row, ids[ids >= 0]] = block.logprobs[row, ids >= 0]
            log_z = np.zeros(len(block))
        else:
            values = to_dense(block, source.vocabulary.size).logprobs
            top = values.max(axis=1)
            log_z = top + np.log(np.exp(values - top[:, None]).sum(axis=1, dtype=np.float64))
        return cls(values, log_z, _largest(values), unknown)

    def at(self, row: int, token: int) -> float | None:
        """The log-probability of a token, None where it is unknown or of probability zero."""
        value = float(self.values[row, token]) - float(self.log_z[row])
        return value if np.isfinite(value) else None


def _largest(values: np.ndarray) -> list[list[int]]:
    """Indices of the SHOWN_TOKENS largest of each row, largest first, ties by the lower index."""
    count = min(SHOWN_TOKENS, values.shape[1])
    # Sorting whole rows would take longer than scoring them.
    least = np.partition(values, values.shape[1] - count, axis=1)[:, -count]
    largest = []
    for row, threshold in zip(values, least, strict=True):
        among = np.flatnonzero(row >= threshold)
        largest.append(among[np.argsort(-row[among], kind="stable")][:count].tolist())
    return largest


def _side_by_side(p: _Rows, q: _Rows, row: int, pieces: list[bytes]) -> dict[str, Any]:
    """The truth's likeliest tokens, then the forecast's that are not among them."""
    first = [token for token in p.likeliest[row] if not (p.unknown and p.at(row, token) is None)]
    tokens = list(dict.fromkeys(first + q.likeliest[row]))
    return {
        "token_ids": tokens,
        "pieces": [pieces[token] for token in tokens],
        "truth_logprobs": [p.at(row, token) for token in tokens],
        "forecast_logprobs": [q.at(row, token) for token in tokens],
    }
