"""Tests of spec strings: each opens what it says, from every kind of corpus, and unknown ones list the known."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretell.base.errors import InputError, VocabularyError
from foretell.distributions import DenseBlock, TokenizedPrompt, Vocabulary, check_block
from foretell.forecasters import specs
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.infinigram import InfinigramForecaster
from foretell.forecasters.pool import PoolForecaster
from foretell.forecasters.specs import KNOWN, build_table, open_forecaster, tiny_counts_path
from foretell.targets.target import Target

Ask = Callable[..., TokenizedPrompt]
TEXT = "one two three two one\nthree two one, one two three.\n" * 3


def no_target(name: str) -> Target:
    raise AssertionError(f"target {name} opened")


@pytest.fixture
def text(tmp_path: Path) -> str:
    (tmp_path / "notes.txt").write_text(TEXT)
    return str(tmp_path / "notes.txt")


@pytest.fixture
def opened(vocabulary: Vocabulary) -> Callable[..., Forecaster]:
    def build(spec: str, **options: Any) -> Forecaster:
        return open_forecaster(spec, vocabulary, open_target=no_target, **options)

    return build


def rows(forecaster: Forecaster, prompt: TokenizedPrompt, size: int) -> np.ndarray:
    forecaster.prepare([prompt])
    block = forecaster.forecast(prompt)
    check_block(block, size, forecaster.name)
    assert isinstance(block, DenseBlock)
    return np.asarray(block.logprobs)


@pytest.mark.parametrize(
    "spec",
    [
        "uniform",
        "unigram:{text}",
        "ngram:3:{text}",
        "infinigram:{text}",
        "pool:uniform+ngram:2:{text}",
        "pool:log:uniform+unigram:{text}+infinigram:{text}",
    ],
)
def test_each_spec_forecasts_under_its_own_name(
    opened: Callable[..., Forecaster], vocabulary: Vocabulary, ask: Ask, text: str, spec: str
) -> None:
    spec = spec.format(text=text)
    forecaster = opened(spec)
    assert forecaster.name == spec
    prompt = ask(vocabulary.encode("one two"), range(2))
    got = rows(forecaster, prompt, vocabulary.size)
    assert got.shape == (2, vocabulary.size)
    assert np.isfinite(got).all()


def test_references_get_better_with_context(
    opened: Callable[..., Forecaster], vocabulary: Vocabulary, ask: Ask, text: str
) -> None:
    ids = vocabulary.encode("three two one")
    prompt = ask(ids, range(len(ids) - 1))
    log_likelihood = {}
    for name in ("uniform", f"unigram:{text}", f"ngram:2:{text}", f"infinigram:{text}"):
        table = rows(opened(name), prompt, vocabulary.size)
        log_likelihood[name.partition(":")[0]] = float(sum(table[i, ids[i + 1]] for i in range(len(ids) - 1)))
    assert log_likelihood["uniform"] < log_likelihood["unigram"] < log_likelihood["ngram"]
    assert log_likelihood["unigram"] < log_likelihood["infinigram"]


def test_the_unigram_is_raw_frequency(
    opened: Callable[..., Forecaster], vocabulary: Vocabulary, ask: Ask, text: str
) -> None:
    tokens = vocabulary.encode(TEXT)[1:]
    row = np.exp(rows(opened(f"unigram:{text}"), ask([0, 9]), vocabulary.size)[0])
    counts = np.bincount(tokens, minlength=vocabulary.size)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    cut = once / (once + 2 * twice) if once and twice else (once + 1) / (once + 1 + 2 * (twice + 1))
    expected = np.maximum(counts - cut, 0) / len(tokens) + cut * (counts > 0).sum() / len(tokens) / vocabulary.size
    np.testing.assert_allclose(row, expected, rtol=1e-5)


def test_a_built_table_is_a_corpus(
    opened: Callable[..., Forecaster], vocabulary: Vocabulary, ask: Ask, text: str, tmp_path: Path
) -> None:
    table = tmp_path / "table.safetensors"
    built = build_table(text, vocabulary, 3, table)
    prompt = ask(vocabulary.encode("two one"), range(3))
    for spec in ("unigram:{}", "ngram:1:{}", "ngram:2:{}", "ngram:3:{}"):
        from_table, from_text = opened(spec.format(table)), opened(spec.format(text))
        np.testing.assert_array_equal(
            rows(from_table, prompt, vocabulary.size), rows(from_text, prompt, vocabulary.size)
        )
        assert from_table.describe() == from_text.describe()
    assert built.facts["tokenizer"] == vocabulary.digest
    with pytest.raises(InputError, match="the table is too short: got order 4"):
        opened(f"ngram:4:{table}")
    with pytest.raises(InputError, match="counts are no text: got a built table"):
        opened(f"infinigram:{table}")


def test_tiny_is_the_shipped_table(
    opened: Callable[..., Forecaster],
    vocabulary: Vocabulary,
    bare_vocabulary: Vocabulary,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert tiny_counts_path().parts[-3:] == ("shipped", "tiny", "ngram-counts.safetensors")
    shipped = tmp_path / "shipped.safetensors"
    build_table(text, vocabulary, 2, shipped)
    monkeypatch.setattr(specs, "tiny_counts_path", lambda: shipped)
    assert opened("ngram:2:tiny").describe() == opened(f"ngram:2:{shipped}").describe()
    with pytest.raises(VocabularyError, match="a table for another tokenizer"):
        open_forecaster("unigram:tiny", bare_vocabulary, open_target=no_target)
    with pytest.raises(InputError, match="counts are no text"):
        opened("infinigram:tiny")


def test_models_functions_and_files_are_opened(
    opened: Callable[..., Forecaster], vocabulary: Vocabulary, tmp_path: Path
) -> None:
    asked: list[str] = []

    def refuse(name: str) -> Target:
        asked.append(name)
        raise LookupError("stop here")

    with pytest.raises(LookupError, match="stop here"):
        open_forecaster("model:hf:a/b:c", vocabulary, open_target=refuse)
    assert asked == ["hf:a/b:c"]
    (tmp_path / "mine.py").write_text("def next_token(ids):\n    return [0, 1], [-0.7, -0.7]\n")
    spec = f"python:{tmp_path}/mine.py:next_token"
    forecaster = opened(spec, renormalise=True)
    assert (forecaster.name, forecaster.describe()["renormalise"]) == (spec, True)
    with pytest.raises(InputError, match="no forecast: got none of these files"):
        opened(f"file:{tmp_path}/absent")


def test_progress_reaches_the_tokenizer(opened: Callable[..., Forecaster], text: str) -> None:
    calls: list[tuple[int, int]] = []
    opened(f"unigram:{text}", progress=lambda done, total: calls.append((done, total)))
    assert calls == [(len(TEXT), len(TEXT))]


def test_a_pool_opens_its_members(opened: Callable[..., Forecaster], text: str) -> None:
    pool = opened(f"pool:log:uniform+infinigram:{text}")
    assert isinstance(pool, PoolForecaster)
    assert pool.kind == "log"
    assert isinstance(pool.members[1], InfinigramForecaster)
    with pytest.raises(InputError, match="a pool in a pool"):
        opened("pool:uniform+pool:log:uniform")
    with pytest.raises(InputError, match="bad pool: got 1 members"):
        opened("pool:uniform")


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "unifrom",
        "uniform:x",
        "unigram",
        "unigram:",
        "ngram:stdlib",
        "ngram:x:stdlib",
        "ngram:3:",
        "python:mine",
        "python::f",
        "file:",
        "pool:",
        "pool:uniform+",
        "pool:log:",
    ],
)
def test_unknown_specs_list_the_known_ones(opened: Callable[..., Forecaster], spec: str) -> None:
    with pytest.raises(InputError, match=f"unknown forecaster: got .*{re.escape(', '.join(KNOWN))}"):
        opened(spec)


@pytest.mark.parametrize("order", ["0", "9", "99"])
def test_orders_out_of_range(opened: Callable[..., Forecaster], order: str) -> None:
    with pytest.raises(InputError, match=f"bad order: got {order}"):
        opened(f"ngram:{order}:stdlib")
