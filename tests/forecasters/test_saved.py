"""Tests of forecasts from files: both formats give what was saved, and every bad input is named with row and prompt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import log_softmax

from foretell.base.errors import DamageError, DistributionError, ForetellError, InputError, VocabularyError
from foretell.distributions import DenseBlock, DistributionWriter, TokenizedPrompt, TopKBlock, Vocabulary
from foretell.forecasters.saved import open_saved

PROMPTS = (
    TokenizedPrompt("math-017", "all", 1.0, "a", "x", (0, 5, 6), (1, 2)),
    TokenizedPrompt("b", "all", 1.0, "b", "y", (0, 7), (1,)),
)
KEYS = [("math-017", 1), ("math-017", 2), ("b", 1)]
Rows = list[dict[str, Any]]
Write = Callable[[Path, Rows], None]


def write_parquet(folder: Path, rows: Rows) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = {name for row in rows for name in row}  # from_pylist reads the first row's only
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), folder / "rows.parquet")


def write_jsonl(folder: Path, rows: Rows) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


BOTH = pytest.mark.parametrize("write", [write_parquet, write_jsonl])


def place(write: Write, row: int) -> str:
    """How a row is named: Parquet counts rows from 0, text files lines from 1."""
    return rf"forecast/rows\.parquet row {row}" if write is write_parquet else rf"forecast/rows\.jsonl line {row + 1}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "forecast"


@pytest.fixture
def logs(vocabulary: Vocabulary) -> np.ndarray:
    return np.asarray(log_softmax(np.random.default_rng(0).normal(size=(3, vocabulary.size)), axis=1))


def full_rows(logs: np.ndarray) -> Rows:
    return [
        {"prompt": prompt, "position": position, "logprobs": row.tolist()}
        for (prompt, position), row in zip(KEYS, logs, strict=True)
    ]


def few_rows() -> Rows:
    return [
        {"prompt": prompt, "position": position, "token_ids": [3, 4 + number], "probabilities": [0.5, 0.2]}
        for number, (prompt, position) in enumerate(KEYS)
    ]


@BOTH
def test_full_rows_in_any_order(folder: Path, vocabulary: Vocabulary, logs: np.ndarray, write: Write) -> None:
    rows = full_rows(logs)
    rows[2]["probabilities"] = np.exp(rows[2].pop("logprobs")).tolist()
    rows[0]["probabilities"] = rows[1]["probabilities"] = None
    write(folder, [rows[1], rows[2], rows[0]])
    forecaster = open_saved("file:forecast", folder, vocabulary)
    forecaster.prepare(PROMPTS)
    for prompt, expected in ((PROMPTS[0], logs[:2]), (PROMPTS[1], logs[2:])):
        block = forecaster.forecast(prompt)
        assert isinstance(block, DenseBlock)
        np.testing.assert_allclose(block.logprobs, expected, rtol=1e-5)
    assert forecaster.describe()["renormalise"] is False
    assert forecaster.describe()["rows"].startswith("sha256:")


def test_a_parquet_file_of_single_precision(folder: Path, vocabulary: Vocabulary, logs: np.ndarray) -> None:
    folder.mkdir()
    single = logs.astype(np.float32)
    single[0] += np.float32(3e-6)  # too much for float64, rounding for float32
    table = {
        "prompt": [prompt for prompt, _ in KEYS],
        "position": pa.array([position for _, position in KEYS], pa.int16()),
        "logprobs": pa.FixedSizeListArray.from_arrays(pa.array(single.ravel()), vocabulary.size),
    }
    pq.write_table(pa.table(table), folder / "rows.parquet")
    block = open_saved("file:x", folder, vocabulary).forecast(PROMPTS[0])
    assert isinstance(block, DenseBlock)
    np.testing.assert_array_equal(block.logprobs, single[:2])


@BOTH
@pytest.mark.parametrize("rest", [{}, {"rest": 0.3}, {"rest_logprob": float(np.log(0.3))}])
def test_listed_rows(folder: Path, vocabulary: Vocabulary, write: Write, rest: dict[str, float]) -> None:
    write(folder, [row | rest for row in few_rows()])
    forecaster = open_saved("file:x", folder, vocabulary)
    forecaster.prepare(PROMPTS)
    block = forecaster.forecast(PROMPTS[0])
    assert isinstance(block, TopKBlock)
    assert block.token_ids.tolist() == [[3, 4], [3, 5]]
    np.testing.assert_allclose(np.exp(block.logprobs), [[0.5, 0.2]] * 2, rtol=1e-6)
    np.testing.assert_allclose(np.exp(block.rest_logprob), [0.3] * 2, rtol=1e-6)


@BOTH
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"probabilities": [0.5, 0.6]}, DistributionError, r"not a distribution: got probabilities that sum to 1\.1"),
        ({"rest": 0.2312}, DistributionError, r"sum to 0\.9312, expected 1 ± 1e-06.*--renormalise"),
        ({"probabilities": [0.5, float("nan")]}, DistributionError, "not probabilities: got NaN"),
        ({"probabilities": [0.5, float("inf")]}, DistributionError, r"got \+inf"),
        ({"probabilities": [0.5, -0.2]}, DistributionError, r"entry 1: .*got a negative probability \(-0\.2\)"),
        ({"rest": -0.3}, DistributionError, r"rest, entry 0: .*got a negative probability \(-0\.3\)"),
        ({"token_ids": [3, 9999]}, VocabularyError, "unknown token id: got 9999"),
        ({"token_ids": [3, -2]}, VocabularyError, "unknown token id: got -2"),
        ({"token_ids": [3, 3]}, VocabularyError, "a token id twice"),
        ({"token_ids": [3]}, DistributionError, "columns of different length: got 1 token ids and 2 probabilities"),
        ({"probabilities": None}, InputError, "no or two columns of probabilities"),
        ({"logprobs": [-1.0, -2.0]}, InputError, "no or two columns of probabilities"),
        ({"position": 1}, DistributionError, "duplicate position: got position 1 again, after .*rows"),
    ],
)
def test_bad_rows_are_named(
    folder: Path, vocabulary: Vocabulary, write: Write, change: dict[str, Any], error: type[ForetellError], message: str
) -> None:
    rows = few_rows()
    rows[1] = rows[1] | change
    write(folder, rows)
    with pytest.raises(error, match=rf"^{place(write, 1)} \(prompt 'math-017'\).*{message}"):
        open_saved("file:x", folder, vocabulary)


@BOTH
@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (lambda row: row[:-1], VocabularyError, "another vocabulary: got .* probabilities a position"),
        (lambda row: row + 0.1, DistributionError, r"not a distribution: got probabilities that sum to 1\.10517"),
        (lambda row: np.where(row == row.max(), np.nan, row), DistributionError, "not log-probabilities: got NaN"),
        (lambda row: np.where(row == row.max(), np.inf, row), DistributionError, r"got \+inf"),
    ],
)
def test_bad_full_rows_are_named(
    folder: Path,
    vocabulary: Vocabulary,
    logs: np.ndarray,
    write: Write,
    values: Callable[[np.ndarray], np.ndarray],
    error: type[ForetellError],
    message: str,
) -> None:
    rows = full_rows(logs)
    rows[2]["logprobs"] = values(logs[2]).tolist()
    write(folder, rows)
    with pytest.raises(error, match=rf"^{place(write, 2)} \(prompt 'b'\).*{message}"):
        open_saved("file:x", folder, vocabulary)


@BOTH
@pytest.mark.parametrize(
    "change", [{"prompt": None}, {"prompt": 3}, {"position": -1}, {"position": 1.5}, {"position": None}]
)
def test_rows_without_a_place(folder: Path, vocabulary: Vocabulary, write: Write, change: dict[str, Any]) -> None:
    write(folder, [few_rows()[0] | change])
    with pytest.raises(InputError, match=rf"^{place(write, 0)}: a row without its place"):
        open_saved("file:x", folder, vocabulary)


@BOTH
def test_missing_and_extra_positions(folder: Path, vocabulary: Vocabulary, write: Write) -> None:
    write(folder, few_rows()[1:])
    missing = open_saved("file:x", folder, vocabulary)
    with pytest.raises(DistributionError, match="missing positions: got prompt 'math-017' position 1, expected just"):
        missing.prepare(PROMPTS)
    write(folder, few_rows())
    extra = open_saved("file:x", folder, vocabulary)
    with pytest.raises(DistributionError, match="positions that were not asked: got prompt 'b' position 1"):
        extra.prepare(PROMPTS[:1])


@BOTH
def test_rows_of_two_forms(folder: Path, vocabulary: Vocabulary, logs: np.ndarray, write: Write) -> None:
    write(folder, [full_rows(logs)[0], few_rows()[1]])
    with pytest.raises(InputError, match=rf"^{place(write, 1)} \(prompt 'math-017'\): rows of two forms"):
        open_saved("file:x", folder, vocabulary)
    write(folder, [few_rows()[0], full_rows(logs)[1]])
    with pytest.raises(InputError, match=rf"^{place(write, 1)} \(prompt 'math-017'\): rows of two forms"):
        open_saved("file:x", folder, vocabulary)


@BOTH
def test_renormalising_is_done_and_recorded(folder: Path, vocabulary: Vocabulary, write: Write) -> None:
    write(folder, [row | {"rest": 0.2312} for row in few_rows()])
    forecaster = open_saved("file:x", folder, vocabulary, renormalise=True)
    assert forecaster.describe()["renormalise"] is True
    block = forecaster.forecast(PROMPTS[1])
    assert isinstance(block, TopKBlock)
    np.testing.assert_allclose(np.exp(block.rest_logprob), 0.2312 / 0.9312, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.jsonl", "", r"cannot read the rows: got no rows"),
        ("rows.jsonl", "{}\n", r"rows\.jsonl line 1: a row without its place"),
        ("rows.jsonl", '{"prompt"', r"rows\.jsonl line 1: cannot read the rows"),
        ("rows.jsonl", "[1]\n", r"rows\.jsonl line 1: cannot read the rows: got list"),
        ("rows.parquet", "no", r"rows\.parquet: cannot read the rows"),
        ("other.csv", "", r"no forecast: got none of these files, expected one of manifest\.json, rows\.parquet"),
    ],
)
def test_unreadable_folders(folder: Path, vocabulary: Vocabulary, name: str, content: str, message: str) -> None:
    folder.mkdir()
    (folder / name).write_text(content)
    with pytest.raises(InputError, match=message):
        open_saved("file:x", folder, vocabulary)


def test_two_files_of_rows(folder: Path, vocabulary: Vocabulary) -> None:
    write_jsonl(folder, few_rows())
    write_parquet(folder, few_rows())
    with pytest.raises(InputError, match=r"no forecast: got rows\.parquet and rows\.jsonl"):
        open_saved("file:x", folder, vocabulary)


@pytest.fixture
def distributions(folder: Path, vocabulary: Vocabulary, logs: np.ndarray) -> Path:
    facts = {"role": "forecast", "source": {"name": "theirs"}}
    writer = DistributionWriter(folder, PROMPTS, [[1], [0]], vocabulary, facts)
    writer.write(0, DenseBlock(logs[2:].astype(np.float32)))
    writer.write(1, DenseBlock(logs[:2].astype(np.float32)))
    writer.finish()
    return folder


def test_distributions_are_found_by_prompt(distributions: Path, vocabulary: Vocabulary, logs: np.ndarray) -> None:
    forecaster = open_saved("file:x", distributions, vocabulary)
    forecaster.prepare(PROMPTS[::-1])
    block = forecaster.forecast(PROMPTS[1])
    assert isinstance(block, DenseBlock)
    np.testing.assert_array_equal(block.logprobs, logs[2:].astype(np.float32))
    assert forecaster.describe()["source"] == {"name": "theirs"}


def test_distributions_for_other_questions(
    distributions: Path, vocabulary: Vocabulary, bare_vocabulary: Vocabulary
) -> None:
    with pytest.raises(VocabularyError, match="a forecast for another vocabulary"):
        open_saved("file:x", distributions, bare_vocabulary)
    forecaster = open_saved("file:x", distributions, vocabulary)
    with pytest.raises(DistributionError, match="positions that were not asked: got prompt 'b' position 1"):
        forecaster.prepare(PROMPTS[:1])
    more = TokenizedPrompt("c", "all", 1.0, "c", "z", (0,), (0,))
    with pytest.raises(DistributionError, match="missing positions: got prompt 'c' position 0"):
        forecaster.prepare([*PROMPTS, more])
    other = TokenizedPrompt("b", "all", 1.0, "b", "y", (0, 8), (1,))
    with pytest.raises(DistributionError, match=r"\(prompt 'b'\): another prompt under the same id"):
        forecaster.prepare([PROMPTS[0], other])


def test_a_damaged_shard_is_found(distributions: Path, vocabulary: Vocabulary) -> None:
    shard = distributions / "shards" / "00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x01")
    with pytest.raises(DamageError, match="damaged file"):
        open_saved("file:x", distributions, vocabulary).forecast(PROMPTS[1])
