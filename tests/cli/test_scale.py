"""`foretell scale` as people call it: one ladder in words, as JSON and as a picture; what is wrong is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import ForetellError, InputError, VocabularyError
from foretell.cli.app import app
from foretell.cli.scale import neighbours
from foretell.distributions import Vocabulary
from foretell.organisms.recipes import load_recipe
from foretell.organisms.training import RECORD
from foretell.suites import Prompt, Suite, save_suite
from foretell.targets.cache import models_cache
from foretell.targets.tiny import checkpoint_folder

TEXT = "The lamp in the hall was lit. Nobody said why; nobody asked, and the lamp went out at 12.\n"
OWN = "import math\n\n\ndef predict(token_ids):\n    return [token_ids[-1]], [math.log(0.2)]\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with practice prompts, a text, and a forecaster."""
    folder = tmp_path_factory.mktemp("scale")
    prompts = (Prompt(f"q-{i}", f"The lamp number {i} in the", scored="all") for i in range(5))
    save_suite(Suite("practice", tuple(prompts)), folder / "practice.jsonl")
    (folder / "lamp.txt").write_text(TEXT * 5)
    (folder / "mine.py").write_text(OWN)
    return folder


def scale(place: Path, suite: Path, *arguments: str | Path, target: str = "tiny@192") -> Result:
    common = ["--target", target, "--suite", suite, "--corpus", place / "lamp.txt"]
    return CliRunner().invoke(app, ["scale", *map(str, [*common, *arguments])])


def test_organisms_of_the_cache_stand_beside_their_checkpoint(
    place: Path, small_suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped checkpoint plays the twin here: what is asked is whether it is found, placed and named."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = models_cache() / "organisms" / load_recipe("twin").name
    shutil.copytree(checkpoint_folder(), folder)
    assert neighbours("tiny@384") == {}
    (folder / RECORD).write_text("{}")
    assert neighbours("tiny@384") == {"twin": folder}
    assert neighbours("tiny@192") == neighbours("hf:x") == {}
    told = scale(place, small_suite_file, "--practice", place / "practice.jsonl", "--json", "-", target="tiny@384")
    assert told.exit_code == 0, (told.output, told.exception)
    record = json.loads(told.stdout)
    assert "model:twin" in [rung["name"] for rung in record["rungs"]]
    assert record["notes"] == ["a sibling; --rung model:TARGET places one"]


def test_a_scale_in_words_json_and_pictures_and_again(place: Path, small_suite_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("--practice", place / "practice.jsonl", "--rung", "ngram:2:tiny", "--tolerance", "1", "--out", out)
    first = scale(place, small_suite_file, *arguments)
    assert first.exit_code == 0, (first.output, first.exception)
    words = " ".join(first.output.split())
    assert "Noise floor: " in words
    assert "A tolerance of 1 nats lies between" in words
    assert "Not on this scale: a sibling, a twin; --rung model:TARGET places one." in words
    assert "model:int8:tiny@192" in words
    rows = [line.split()[0] for line in first.output.splitlines() if line.strip()]
    assert rows.index("uniform") < rows.index("model:tiny@96") < rows.index("noise")
    record = json.loads((out / "scale.json").read_text())
    assert record["schema"] == "foretell.scale/1"
    assert record == json.loads((out / "run" / "scale.json").read_text())
    assert ElementTree.fromstring((out / "scale.svg").read_text()).tag.endswith("svg")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "foretell scale --target tiny@192" in page
    assert f"--practice {place / 'practice.jsonl'}" in page
    collected = {path: path.stat().st_mtime_ns for path in out.glob("*-truth/shards/*")}
    again = scale(place, small_suite_file, *arguments, "--json", "-")
    assert again.exit_code == 0, (again.output, again.exception)
    numbers = json.loads(again.stdout)
    for one, other in zip(numbers["rungs"], record["rungs"], strict=True):
        assert one["name"] == other["name"]
        assert one["kl_nats"]["mean"] == pytest.approx(other["kl_nats"]["mean"], abs=1e-6)
    assert {path: path.stat().st_mtime_ns for path in out.glob("*-truth/shards/*")} == collected


def test_a_forecast_of_the_whole_suite_is_cut_into_practice_and_judged(
    place: Path, small_suite_file: Path, tmp_path: Path
) -> None:
    truth, mine = tmp_path / "truth", tmp_path / "mine"
    spec = f"python:{place / 'mine.py'}:predict"
    for command in (
        ["collect", "--target", "tiny", "--suite", small_suite_file, "--out", truth],
        ["forecast", "--with", spec, "--suite", small_suite_file, "--like", truth, "--out", mine],
    ):
        done = CliRunner().invoke(app, list(map(str, command)))
        assert done.exit_code == 0, (done.output, done.exception)
    made = scale(place, small_suite_file, "--no-own", "--forecast", mine, "--json", "-")
    assert made.exit_code == 0, (made.output, made.exception)
    record = json.loads(made.stdout)
    found = next(one for one in record["rungs"] if one["kind"] == "forecast")
    assert (found["name"], found["text_only"]) == (spec, False)
    assert "gain_nats" in found["encompassing"]
    assert record["truth"]["prompts"] + record["pool"]["practice"]["prompts"] == 8
    assert not any(one["name"].startswith("model:") for one in record["rungs"])


def refused(made: Result, kind: type[ForetellError], message: str) -> None:
    assert isinstance(made.exception, kind), (made.output, made.exception)
    assert message in str(made.exception)


def test_what_is_wrong_is_refused(place: Path, small_suite_file: Path, tmp_path: Path) -> None:
    def tried(*arguments: str | Path) -> Result:
        return scale(place, small_suite_file, "--no-own", *arguments)

    refused(tried("--practice", small_suite_file), InputError, "8 judged prompts that were practised on: 'code-0' (")
    refused(tried("--rung", "ngram:0:tiny"), InputError, "order")
    refused(tried("--corpus", place / "lamp.txt"), InputError, "a corpus twice")
    refused(tried("--forecast", tmp_path), InputError, "no manifest")
    refused(tried("--rung", "uniform"), InputError, "uniform, which is on the scale already (reference)")


def test_a_forecast_that_misses_prompts_or_speaks_otherwise_is_refused(
    place: Path, small_suite_file: Path, tmp_path: Path
) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    original = json.loads((Vocabulary.load(checkpoint_folder()).path).read_text())
    original["truncation"] = None
    tokenizer.write_text(json.dumps(original, indent=3))
    for name, spec, like, suite in (
        ("other", "uniform", tokenizer, small_suite_file),
        ("missing", "ngram:2:tiny", checkpoint_folder(), place / "practice.jsonl"),
    ):
        command = ["forecast", "--with", spec, "--suite", suite, "--like", like, "--out", tmp_path / name]
        done = CliRunner().invoke(app, list(map(str, command)))
        assert done.exit_code == 0, (done.output, done.exception)
    refused(
        scale(place, small_suite_file, "--no-own", "--forecast", tmp_path / "other"),
        VocabularyError,
        "a forecast for another vocabulary",
    )
    refused(scale(place, small_suite_file, "--no-own", "--forecast", tmp_path / "missing"), InputError, "no answer to")


def test_a_pool_is_not_fitted_on_what_it_forecasts(place: Path, small_suite_file: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    pool = ["forecast", "--with", "pool:uniform+unigram:tiny", "--like", truth, "--practice", truth]
    collect = ["collect", "--target", "tiny", "--suite", place / "practice.jsonl", "--out", truth]
    assert CliRunner().invoke(app, list(map(str, collect))).exit_code == 0
    other = [*pool, "--suite", small_suite_file, "--out", tmp_path / "fresh"]
    assert CliRunner().invoke(app, list(map(str, other))).exit_code == 0
    same = CliRunner().invoke(
        app, list(map(str, [*pool, "--suite", place / "practice.jsonl", "--out", tmp_path / "x"]))
    )
    refused(same, InputError, "5 judged prompts that were practised on: 'q-0' (same id)")
