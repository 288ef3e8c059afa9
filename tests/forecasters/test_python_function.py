"""Tests of functions as forecasters: the three forms of an answer, and each way to go wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import DistributionError, InputError, VocabularyError
from foretell.distributions import DenseBlock, TokenizedPrompt, TopKBlock
from foretell.forecasters.python_function import PythonForecaster
from foretell.forecasters.rows import RowRules

SOURCE = """
import math

def full(ids):
    assert isinstance(ids, list)
    rest = math.log(0.4 / 3)
    return [math.log(0.6) if token == ids[-1] else rest for token in range(4)]

def listed(ids):
    return [ids[-1], (ids[-1] + 1) % 4][:len(ids)], [math.log(0.5), math.log(0.25)][:len(ids)]

def with_rest(ids):
    return [ids[0]], [math.log(0.5)], math.log(0.5)

def two_forms(ids):
    return full(ids) if len(ids) == 1 else listed(ids)

def fails(ids):
    table = {1: "one"}
    return table[ids[-1]]

def unnormalised(ids):
    return [math.log(0.2)] * 4

def short(ids):
    return [0.0]

def unknown(ids):
    return [9], [0.0]

def broken(ids):
    return [math.nan] * 4

def four(ids):
    return 1, 2, 3, 4

number = 3
"""
Ask = Callable[..., TokenizedPrompt]


@pytest.fixture
def module(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(SOURCE)
    return str(tmp_path / "mine.py")


def test_a_full_vector(module: str, ask: Ask) -> None:
    block = PythonForecaster(module, "full", RowRules(4)).forecast(ask([0, 3, 1], (0, 2)))
    assert isinstance(block, DenseBlock)
    rest = 0.4 / 3
    np.testing.assert_allclose(np.exp(block.logprobs), [[0.6, rest, rest, rest], [rest, 0.6, rest, rest]], rtol=1e-6)


def test_listed_tokens(module: str, ask: Ask) -> None:
    block = PythonForecaster(module, "listed", RowRules(4)).forecast(ask([0, 3], (0, 1)))
    assert isinstance(block, TopKBlock)
    assert block.token_ids.tolist() == [[0, -1], [3, 0]]
    np.testing.assert_allclose(np.exp(block.rest_logprob), [0.5, 0.25], rtol=1e-6)


def test_listed_tokens_and_the_rest(module: str, ask: Ask) -> None:
    block = PythonForecaster(module, "with_rest", RowRules(4)).forecast(ask([2, 3]))
    assert isinstance(block, TopKBlock)
    assert block.token_ids.tolist() == [[2]]


def test_an_importable_module(tmp_path: Path, module: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    forecaster = PythonForecaster("mine", "full", RowRules(4))
    by_path = PythonForecaster(module, "full", RowRules(4))
    assert forecaster.name == "python:mine:full"
    assert forecaster.describe() == by_path.describe()
    assert str(forecaster.describe()["source"]).startswith("sha256:")


def test_a_failure_names_the_prompt_and_the_line(module: str, ask: Ask) -> None:
    message = (
        r"mine\.py:fails \(prompt 'math-017' position 1\): the function failed: got KeyError: 3 "
        r"\(mine\.py line 20: return table\[ids\[-1\]\]\)"
    )
    with pytest.raises(InputError, match=message):
        PythonForecaster(module, "fails", RowRules(4)).forecast(ask([0, 3], name="math-017"))


def test_two_forms_are_refused(module: str, ask: Ask) -> None:
    with pytest.raises(InputError, match="answers of two forms"):
        PythonForecaster(module, "two_forms", RowRules(4)).forecast(ask([0, 3], (0, 1)))
    forecaster = PythonForecaster(module, "two_forms", RowRules(4))
    forecaster.forecast(ask([0]))
    with pytest.raises(InputError, match="answers of two forms"):
        forecaster.forecast(ask([0, 1]))


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("unnormalised", DistributionError, r"\(prompt 'p' position 0\): not a distribution: .* sum to 0\.8"),
        ("short", VocabularyError, r"\(prompt 'p' position 0\): another vocabulary: got 1 "),
        ("unknown", VocabularyError, r"\(prompt 'p' position 0\): unknown token id: got 9"),
        ("broken", DistributionError, r"\(prompt 'p' position 0\), entry 0: not log-probabilities: got NaN"),
        ("four", InputError, "an answer that cannot be read: got a tuple of 4"),
    ],
)
def test_bad_answers(module: str, ask: Ask, function: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PythonForecaster(module, function, RowRules(4)).forecast(ask([0]))


def test_renormalising_is_recorded(module: str, ask: Ask) -> None:
    forecaster = PythonForecaster(module, "unnormalised", RowRules(4, renormalise=True))
    block = forecaster.forecast(ask([0]))
    assert isinstance(block, DenseBlock)
    np.testing.assert_allclose(np.exp(block.logprobs), 0.25, rtol=1e-6)
    assert forecaster.describe()["renormalise"] is True


@pytest.mark.parametrize("name", ["absent", "number"])
def test_no_such_function(module: str, name: str) -> None:
    with pytest.raises(InputError, match=f"no such function: got nothing callable named '{name}'"):
        PythonForecaster(module, name, RowRules(4))


def test_modules_that_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot load the module: got ModuleNotFoundError: No module named 'absent_x'"):
        PythonForecaster("absent_x", "f", RowRules(4))
    with pytest.raises(InputError, match="cannot load the module: got FileNotFoundError"):
        PythonForecaster(str(tmp_path / "absent.py"), "f", RowRules(4))
    (tmp_path / "wrong.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match="got ZeroDivisionError: division by zero"):
        PythonForecaster(str(tmp_path / "wrong.py"), "f", RowRules(4))
