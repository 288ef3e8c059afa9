"""Tests of blind programs that mean well: the same answers as in this process, once, in order, and read back."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from foretell.base.canonical import canonical_json
from foretell.base.errors import ForetellError, InputError, ProgramError, StorageError
from foretell.distributions import DenseBlock, TokenizedPrompt, TopKBlock, Vocabulary, check_block
from foretell.forecasters.program import Limits, ProgramForecaster, load_program
from foretell.forecasters.program_answers import AnswerStore, row_bytes, row_of
from foretell.forecasters.program_questions import ALONE, Questions
from foretell.forecasters.python_function import PythonForecaster
from foretell.forecasters.rows import RowRules
from foretell.forecasters.specs import open_forecaster
from foretell.targets.target import Target

Ask = Callable[..., TokenizedPrompt]
Program = Callable[..., Path]
EXAMPLE = Path(__file__).parents[2] / "examples" / "blind_bigram"
VOCABULARY = 5
SOURCE = """
import math
import numpy as np

def shares(ids):
    weights = np.array([1.0 + token * len(ids) + ids[-1] for token in range(5)])
    return weights / weights.sum()

def as_list(ids): return np.log(shares(ids)).tolist()
def as_numbers(ids): return list(np.log(shares(ids)))
def as_float64(ids): return np.log(shares(ids))
def as_float32(ids): return np.log(shares(ids)).astype(np.float32)
def as_float32_list(ids): return list(np.log(shares(ids)).astype(np.float32))
def as_float16(ids): return np.log(shares(ids)).astype(np.float16)
def as_big_endian(ids): return np.log(shares(ids)).astype(">f8")
def as_whole_numbers(ids): return [0, -math.inf, -math.inf, -math.inf, -math.inf]
def with_zero(ids): return [-math.inf] + [math.log(0.25)] * 4
def listed(ids): return [ids[-1], (ids[-1] + 1) % 5][:len(ids)], [math.log(0.5), math.log(0.25)][:len(ids)]
def listed_arrays(ids): return np.array([ids[-1], 4 - ids[-1] + 5 * (ids[-1] == 2)])[:1], np.log([0.5])
def with_rest(ids): return [ids[0]], np.log(np.float32([0.5])), np.float32(math.log(0.5))
def half_listed(ids): return [ids[0]], np.log(np.array([0.3], np.float16)), math.log(0.7)
def nothing_listed(ids): return [], [], 0.0
def unnormalised(ids): return [math.log(0.1)] * 5
def too_short(ids): return [0.0]
def unknown(ids): return [9], [0.0]
def broken(ids): return [math.nan] * 5
def twice(ids): return [1, 1], [math.log(0.5)] * 2
def lengths(ids): return [1, 2], [0.0]
"""
GOOD = [
    *("as_list", "as_numbers", "as_float64", "as_float32", "as_float32_list", "as_float16", "as_big_endian"),
    *("as_whole_numbers", "with_zero", "listed", "listed_arrays", "with_rest", "half_listed", "nothing_listed"),
]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A folder with mine.py."""

    def build(source: str, entry: str = "python:mine:f", file: str = "mine.py") -> Path:
        folder = tmp_path / "program"
        folder.mkdir(exist_ok=True)
        (folder / "program.toml").write_text(f'name = "mine"\nentry = "{entry}"\nhelpers = ["a model"]\n')
        (folder / file).write_text(source)
        return folder

    return build


def same(one: object, other: object) -> None:
    assert type(one) is type(other)
    if isinstance(one, TopKBlock) and isinstance(other, TopKBlock):
        np.testing.assert_array_equal(one.token_ids, other.token_ids)
        np.testing.assert_array_equal(one.rest_logprob, other.rest_logprob)
    assert isinstance(one, TopKBlock | DenseBlock)
    assert isinstance(other, TopKBlock | DenseBlock)
    assert one.logprobs.dtype == other.logprobs.dtype
    np.testing.assert_array_equal(one.logprobs, other.logprobs)


@pytest.mark.parametrize("function", GOOD)
def test_answers_are_those_of_the_function_here(program: Program, ask: Ask, function: str) -> None:
    folder = program(SOURCE, f"python:mine:{function}")
    prompts = [ask([0, 3, 1], (0, 2), "a"), ask([4, 4], (0, 1), "b"), ask([2], (0,), "c")]
    there = ProgramForecaster(load_program(folder), VOCABULARY, unsafe_unsandboxed=function != GOOD[0])
    here = PythonForecaster(str(folder / "mine.py"), function, RowRules(VOCABULARY))
    there.prepare(prompts)
    for prompt in reversed(prompts):
        same(there.forecast(prompt), here.forecast(prompt))


@pytest.mark.parametrize("function", ["unnormalised", "too_short", "unknown", "broken", "twice", "lengths"])
def test_answers_are_refused_as_of_the_function_here(program: Program, ask: Ask, function: str) -> None:
    folder = program(SOURCE, f"python:mine:{function}")
    prompt = ask([0, 3, 1])
    with pytest.raises(ForetellError, match=r"\(prompt 'p' position 2\)") as here:
        PythonForecaster(str(folder / "mine.py"), function, RowRules(VOCABULARY)).forecast(prompt)
    there = ProgramForecaster(load_program(folder), VOCABULARY, unsafe_unsandboxed=True)
    with pytest.raises(ProgramError, match=r"^program:mine \(prompt 'p' position 2\)") as caught:
        there.prepare([prompt])
    assert (caught.value.what, caught.value.got) == (here.value.what, here.value.got)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return {1: 'one'}[ids[-1]]", r"the program failed: got \"?'?KeyError: 3 \(mine\.py line 2: return"),
        ("return 'words'", "the program failed: got 'no flat list of log-probabilities: str"),
        ("return [[0.0], [0.0, 1.0]]", "the program failed: got 'no flat list of log-probabilities: list"),
        ("return 1, 2, 3, 4", "the program failed: got 'an answer that cannot be read: a tuple of 4"),
        ("return [0], 'words'", "the program failed: got 'no flat list of log-probabilities: str"),
        ("return ['x'], [0.0]", "no list of token ids"),
        ("return ([0.0] + [-1e9] * 4) if len(ids) % 2 else ([0], [0.0])", "answers of two forms"),
        ("import sys; sys.exit('enough')", "it failed: got exit code 1, .* It said: .*enough"),
        ("raise MemoryError", "too much memory: got 'MemoryError"),
    ],
)
def test_functions_that_fail(program: Program, ask: Ask, body: str, message: str) -> None:
    folder = program(f"def f(ids):\n    {body}\n")
    forecaster = ProgramForecaster(load_program(folder), VOCABULARY, unsafe_unsandboxed=True)
    with pytest.raises(ProgramError, match=message):
        forecaster.prepare([ask([0, 3], (0, 1))])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0\n", "it failed: got exit code 1.*ZeroDivisionError"),
        ("g = 3\n", "it failed: got exit code 1.*has no attribute 'f'"),
        ("def f(:\n", "it failed: got exit code 1.*SyntaxError"),
    ],
)
def test_modules_that_cannot_be_loaded(program: Program, ask: Ask, source: str, message: str) -> None:
    forecaster = ProgramForecaster(load_program(program(source)), VOCABULARY)
    with pytest.raises(ProgramError, match=message):
        forecaster.prepare([ask([0, 3])])


def test_it_sees_prefixes_its_own_folder_and_what_print_says(program: Program, ask: Ask) -> None:
    source = """
import os
print("loading")

def f(ids):
    print("thinking")
    assert os.listdir(".") == os.listdir(os.path.dirname(__file__))
    assert ids in ([0], [0, 3, 1], [4, 4]), ids
    return [len(ids)], [0.0]
"""
    forecaster = ProgramForecaster(load_program(program(source)), VOCABULARY)
    prompts = [ask([0, 3, 1, 2], (0, 2), "a"), ask([4, 4, 4], (1,), "b")]
    forecaster.prepare(prompts)
    told = [forecaster.forecast(prompt) for prompt in prompts]
    assert [block.token_ids.tolist() for block in told if isinstance(block, TopKBlock)] == [[[1], [3]], [[2]]]


def test_a_command_needs_no_python(program: Program, ask: Ask) -> None:
    source = """#!/bin/sh
read opening
number=0
while read question; do
    echo "{\\"question\\": $number, \\"top\\": {\\"token_ids\\": [$1], \\"logprobs\\": [0.0]}}"
    number=$((number + 1))
done
"""
    folder = program(source, "command: ./run 3", "run")
    forecaster = ProgramForecaster(load_program(folder), VOCABULARY)
    forecaster.prepare([ask([0, 3], (0, 1))])
    block = forecaster.forecast(ask([0, 3], (0, 1)))
    assert isinstance(block, TopKBlock)
    assert block.token_ids.tolist() == [[3], [3]]


def test_what_it_says_of_itself(program: Program, ask: Ask) -> None:
    loaded = load_program(program(SOURCE, "python:mine:as_list"))
    described = ProgramForecaster(loaded, VOCABULARY, Limits(seconds=9), seed=3).describe()
    assert described["program"] == loaded.digest
    assert described["size_bits"] == 8 * described["size_bytes"] == 8 * loaded.size_bytes
    assert described["helpers"] == ["a model"]
    assert described["sandbox"].startswith("bubblewrap ")
    assert described["seed"] == 3
    assert described["limits"]["seconds"] == 9
    assert described["runtime"] == f"python {platform.python_version()}, numpy {np.__version__}"
    canonical_json(described)
    unsafe = ProgramForecaster(loaded, VOCABULARY, unsafe_unsandboxed=True).describe()
    assert unsafe["sandbox"] == "none (unsafe)"


def test_only_what_was_prepared_can_be_read(program: Program, ask: Ask) -> None:
    forecaster = ProgramForecaster(load_program(program(SOURCE, "python:mine:as_list")), VOCABULARY)
    with pytest.raises(InputError, match=r"program:mine \(prompt 'p'\): a prompt that the program was not asked"):
        forecaster.forecast(ask([0, 3]))
    forecaster.prepare([ask([0, 3])])
    for prompt in (ask([0, 4]), ask([0, 3], (0,)), ask([0, 3], name="q")):
        with pytest.raises(InputError, match="a prompt that the program was not asked"):
            forecaster.forecast(prompt)


def test_nothing_is_left_in_the_temporary_folder(
    program: Program, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    calls: list[tuple[str, int, int]] = []
    forecaster = ProgramForecaster(
        load_program(program(SOURCE, "python:mine:as_list")), VOCABULARY, progress=lambda *call: calls.append(call)
    )
    forecaster.prepare([ask(list(range(5)) * 4, range(20))])
    assert list((tmp_path / "temporary").iterdir()) == []
    assert [call for call in calls if call[1] == call[2]] == [
        ("asking the program", 20, 20),
        ("asking it again", 20, 20),
        *[("asking it alone", 1, 1)] * ALONE,
    ]


def test_a_full_disk_is_named(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    store, row = AnswerStore(100), DenseBlock(np.zeros((1, 10_000), np.float32))
    store.put(0, row)

    def fill() -> None:
        for number in range(1, 100):
            store.put(number, row)

    with pytest.raises(StorageError, match="disk: cannot write: got the disk is full"):
        fill()
    same(store.get(0), row)


def test_the_order_of_questions_cannot_be_foreseen(ask: Ask) -> None:
    prompts = [ask(list(range(5)) * 4, range(20), name) for name in "abc"]
    questions = Questions(prompts)
    order, alone = questions.orders(7, "sha256:x")
    assert len(questions) == 60
    assert sorted(order.tolist()) == list(range(60))
    assert order.tolist() == Questions(prompts).orders(7, "sha256:x")[0].tolist()
    assert len(set(alone.tolist())) == ALONE
    others = [
        questions.orders(8, "sha256:x"),
        questions.orders(7, "sha256:y"),
        Questions([*prompts[:2], ask([*range(5), *[4] * 15], range(20), "c")]).orders(7, "sha256:x"),
    ]
    assert all(order.tolist() != other[0].tolist() for other in others)
    assert (questions.tokens(41), questions.place(41)) == ([0, 1], "prompt 'c' position 1")
    assert (questions.tokens(0), questions.place(59)) == ([0], "prompt 'c' position 19")


def test_rows_are_kept_apart() -> None:
    dense = DenseBlock(np.array([[-1.0, -np.inf, 0.5]], np.float32))
    listed = TopKBlock(np.array([[4, 2]], np.int32), np.array([[-1.0, -2.0]], np.float32), np.array([-3.0], np.float32))
    store = AnswerStore(3)
    for number, row in ((2, dense), (0, listed), (1, dense)):
        store.put(number, row)
    same(store.get(0), listed)
    same(store.get(1), dense)
    assert store.same(1, dense)
    assert not store.same(1, DenseBlock(np.nextafter(dense.logprobs, np.float32(9))))
    assert not store.same(0, dense)
    same(row_of(row_bytes(listed)), listed)


def test_a_spec_opens_it(program: Program, vocabulary: Vocabulary) -> None:
    def no_target(name: str) -> Target:
        raise AssertionError(name)

    forecaster = open_forecaster(f"program:{program(SOURCE, 'python:mine:as_list')}", vocabulary, open_target=no_target)
    assert forecaster.name == "program:mine"
    assert forecaster.describe()["vocabulary"] == vocabulary.size


def test_the_example_predicts_better_than_frequency(tiny: Target, ask: Ask, tmp_path: Path, cache: Path) -> None:
    folder, text = tmp_path / "example", tmp_path / "notes.txt"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("table.npz", "__pycache__"))
    text.write_text("import os\nimport sys\n\n\ndef run(path):\n    return os.path.join(path, 'a')\n" * 20)
    done = subprocess.run(
        [sys.executable, "-B", folder / "build.py", "tiny", text], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    program = load_program(folder)
    assert program.size_bytes < 200_000
    forecaster = ProgramForecaster(program, tiny.vocabulary.size, Limits(seconds=60))
    ids = tiny.vocabulary.encode("import os\nimport sys\n")
    prompt = ask(ids, range(1, len(ids) - 1))
    forecaster.prepare([prompt])
    block = forecaster.forecast(prompt)
    check_block(block, tiny.vocabulary.size, "the example")
    assert isinstance(block, DenseBlock)
    said = np.exp([block.logprobs[i, ids[position + 1]] for i, position in enumerate(prompt.positions)])
    assert said.min() > 1 / tiny.vocabulary.size
    assert np.median(said) > 0.2
