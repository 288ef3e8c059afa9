"""The commands in the order of the flow, as a newcomer types them: suite → collect → forecast → score → report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import ForetellError
from foretell.cli.app import app
from foretell.distributions import Distributions
from foretell.suites import Prompt, Suite, load_suite, save_suite
from foretell.targets.tiny import steps

Foretell = Callable[..., "subprocess.CompletedProcess[str]"]
Read = Callable[[Path], dict[str, bytes]]


def run(*arguments: str | Path) -> Result:
    """The command in this process: quick, errors as exceptions."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def done(*arguments: str | Path) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def refused(message: str, code: int, *arguments: str | Path) -> ForetellError:
    result = run(*arguments)
    assert isinstance(result.exception, ForetellError), (result.output, result.exception)
    assert message in str(result.exception)
    assert result.exception.exit_code == code
    return result.exception


@pytest.fixture(scope="module")
def made(small_suite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a truth and two forecasts, made by the commands."""
    folder = tmp_path_factory.mktemp("flow")
    done("collect", "--target", "tiny", "--suite", small_suite_file, "--out", folder / "truth")
    for name, spec in (("uniform", "uniform"), ("copy", "model:tiny")):
        done(
            "forecast", "--with", spec, "--suite", small_suite_file, "--like", folder / "truth", "--out", folder / name
        )
    return folder


def score(made: Path, *arguments: str | Path, forecasts: tuple[str, ...] = ("uniform", "copy")) -> Result:
    named = [part for name in forecasts for part in ("--forecast", str(made / name))]
    return run("score", "--truth", made / "truth", *named, *arguments)


def test_a_whole_flow(small_suite_file: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "one.txt").write_text(
        "\n\n".join(f"Paragraph {i} of a text that is long enough to keep." for i in range(9))
    )
    shown = done("suite", "make", texts, "--scored=-2,-1", "--out", tmp_path / "pool.jsonl")
    assert "9 prompts of 1 documents" in shown.output
    done("suite", "draw", tmp_path / "pool.jsonl", "-n", "4", "--seed", "1", "--out", tmp_path / "a.jsonl")
    done("suite", "draw", tmp_path / "pool.jsonl", "-n", "4", "--seed", "1", "--exclude", tmp_path / "a.jsonl",
         "--out", tmp_path / "b.parquet")  # fmt: skip
    first, second = load_suite(tmp_path / "a.jsonl"), load_suite(tmp_path / "b.parquet")
    assert not {p.id for p in first} & {p.id for p in second}
    assert {p.scored for p in first} == {(-2, -1)}
    truth, run_folder, page = tmp_path / "truth", tmp_path / "run", tmp_path / "report.html"
    done("collect", "--target", "tiny", "--suite", tmp_path / "a.jsonl", "--out", truth)
    done(
        "forecast", "--with", "ngram:2:tiny", "--suite", tmp_path / "a.jsonl", "--like", truth, "--out", tmp_path / "f"
    )
    printed = done("score", "--truth", truth, "--forecast", tmp_path / "f", "--out", run_folder)
    assert "ngram:2:tiny" in printed.output
    done("report", run_folder, "-o", page)
    assert "ngram:2:tiny" in page.read_text(encoding="utf-8")


def test_the_json_follows_its_schema(made: Path) -> None:
    result = json.loads(score(made, "--json", "-", "--tolerance", "1").stdout)
    assert result["schema"] == "foretell.score/1"
    assert {"truth", "settings", "forecasts", "differences"} <= set(result)
    for entry in result["forecasts"]:
        assert {"name", "kl_nats", "within_tolerance", "slices", "verdict"} <= set(entry)
        for bounds in (entry["kl_nats"], *(part["kl_nats"] for part in entry["slices"])):
            assert set(bounds) == {"mean", "lo", "hi", "level", "method"}
            assert 0 <= bounds["lo"] <= bounds["mean"] <= bounds["hi"]
        assert {"lo", "hi", "level", "method", "count", "of"} <= set(entry["within_tolerance"])
        assert entry["verdict"]["decision"] in ("pass", "fail", "inconclusive")
    assert [entry["name"] for entry in result["forecasts"]] == ["model:tiny", "uniform"]


def test_json_to_a_file_leaves_the_table_on_the_screen(made: Path, tmp_path: Path) -> None:
    result = score(made, "--json", tmp_path / "score.json")
    assert "model:tiny" in result.stdout
    assert json.loads((tmp_path / "score.json").read_text())["schema"] == "foretell.score/1"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough prompts for bounds that decide: a truth, a copy and a uniform forecast of 150 one-token prompts."""
    folder = tmp_path_factory.mktemp("many")
    suite = Suite("many", tuple(Prompt(f"p{i}", f"x{i} =", "ab"[i % 2]) for i in range(150)))
    save_suite(suite, folder / "many.jsonl")
    done("collect", "--target", "tiny", "--suite", folder / "many.jsonl", "--out", folder / "truth")
    for name, spec in (("uniform", "uniform"), ("copy", "model:tiny")):
        done(
            "forecast",
            "--with",
            spec,
            "--suite",
            folder / "many.jsonl",
            "--like",
            folder / "truth",
            "--out",
            folder / name,
        )
    return folder


def test_exit_codes_are_the_verdict(many: Path) -> None:
    only = ("uniform",)
    kl = json.loads(score(many, "--json", "-", forecasts=only).stdout)["forecasts"][0]["kl_nats"]
    assert score(many, forecasts=only).exit_code == 0  # unjudged
    assert score(many, "--tolerance", "1", forecasts=("copy",)).exit_code == 0
    assert score(many, "--tolerance", "1").exit_code == 0  # the best passes
    assert score(many, "--tolerance", str(kl["lo"] * 0.9), forecasts=only).exit_code == 10
    undecided = score(many, "--tolerance", str((kl["lo"] + kl["hi"]) / 2), forecasts=only)
    assert undecided.exit_code == 11
    assert "INCONCLUSIVE" in undecided.output
    assert score(many, "--tolerance", "1", "--judge-slice", "all", forecasts=("copy",)).exit_code == 0


def test_a_process_ends_with_the_same_codes(
    foretell: Foretell, made: Path, small_suite_file: Path, tmp_path: Path
) -> None:
    copy = ("score", "--truth", made / "truth", "--forecast", made / "copy")
    assert foretell(*copy).returncode == 0
    assert foretell("score", "--truth", made / "truth").returncode == 2  # usage
    refusal = foretell(*copy, "--tolerance", "-1")
    assert refusal.returncode == 2
    assert refusal.stderr.startswith("ToleranceError ")
    assert refusal.stderr.count("\n") == 1
    assert refusal.stdout == ""
    as_json = foretell(
        "collect", "--target", "nonsense", "--suite", small_suite_file, "--out", tmp_path / "t", "--json", "-"
    )
    assert as_json.returncode == 2
    assert json.loads(as_json.stderr)["error"] == "InputError"
    shard = next((made / "truth" / "shards").iterdir())
    damaged = tmp_path / "damaged"
    subprocess.run(["cp", "-r", str(made / "truth"), str(damaged)], check=True)
    (damaged / "shards" / shard.name).write_bytes(b"x")
    broken = foretell("score", "--truth", damaged, "--forecast", made / "copy", "--out", tmp_path / "run")
    assert broken.returncode == 3
    assert "DamageError" in broken.stderr
    assert not (tmp_path / "run").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged"]


BAD_SUITES: dict[str, tuple[Any, str]] = {
    "empty": ("", "empty suite"),
    "empty prompt": ('{"id": "a", "text": ""}', "empty prompt"),
    "bad row": ('{"id": "a"}', "bad.jsonl line 1: not a prompt"),
    "too long": (
        json.dumps({"id": "long", "text": "word " * 3000}),
        "prompt 'long': a prompt that the target cannot read",
    ),
    "far position": ('{"id": "a", "text": "x", "scored": [99]}', "prompt 'a': scored positions do not fit the prompt"),
}


@pytest.mark.parametrize("name", BAD_SUITES)
def test_a_bad_suite_writes_nothing(name: str, tmp_path: Path) -> None:
    text, message = BAD_SUITES[name]
    (tmp_path / "bad.jsonl").write_text(text)
    refused(message, 2, "collect", "--target", "tiny", "--suite", tmp_path / "bad.jsonl", "--out", tmp_path / "truth")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("collect", "--target", "gpt", "--suite", "SUITE"), "unknown target: got 'gpt'"),
        (("collect", "--target", "tiny@5", "--suite", "SUITE"), "no such checkpoint"),
        (("collect", "--target", "tiny", "--suite", "nowhere"), "cannot read the suite"),
        (
            ("collect", "--target", "tiny", "--suite", "SUITE", "--kind", "sparse"),
            "a kind that this target does not give",
        ),
        (("collect", "--target", "tiny", "--suite", "SUITE", "--dtype", "int8"), "unknown precision"),
        (("forecast", "--with", "oracle", "--suite", "SUITE", "--like", "TRUTH"), "unknown forecaster: got 'oracle'"),
        (("forecast", "--with", "ngram:x:tiny", "--suite", "SUITE", "--like", "TRUTH"), "unknown forecaster"),
        (("forecast", "--with", "ngram:3:nowhere", "--suite", "SUITE", "--like", "TRUTH"), "no such corpus"),
        (("forecast", "--with", "uniform", "--suite", "SUITE", "--like", "nowhere"), "cannot read the tokenizer"),
        (("score", "--truth", "nowhere", "--forecast", "TRUTH"), "no manifest: got no such folder"),
        (("score", "--truth", "TRUTH", "--forecast", "TRUTH", "--judge-slice", "maths"), "no such slice: got 'maths'"),
        (("score", "--truth", "TRUTH", "--forecast", "TRUTH", "--floor", "2"), "bad score settings"),
        (("score", "--truth", "TRUTH", "--forecast", "TRUTH", "--cap", "inf"), "bad cap"),
        (
            ("score", "--truth", "TRUTH", "--forecast", "TRUTH", "--tolerance", "inf"),
            "a tolerance that cannot be judged",
        ),
        (("score", "--truth", "TRUTH", "--forecast", "TRUTH", "--forecast", "TRUTH"), "the same folder twice"),
    ],
)
def test_bad_input_is_one_error_and_writes_nothing(
    arguments: tuple[str, ...], message: str, made: Path, small_suite_file: Path, tmp_path: Path
) -> None:
    places = {"SUITE": str(small_suite_file), "TRUTH": str(made / "truth")}
    refused(message, 2, *(places.get(argument, argument) for argument in arguments), "--out", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_another_vocabulary_is_refused(made: Path, small_suite_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "tokenizer.json"
    other.write_text((made / "truth" / "tokenizer.json").read_text() + "\n")
    done("forecast", "--with", "uniform", "--suite", small_suite_file, "--like", other, "--out", tmp_path / "f")
    refused("another vocabulary", 2, "score", "--truth", made / "truth", "--forecast", tmp_path / "f")
    refused("tokenizer", 2, "forecast", "--with", "ngram:2:tiny", "--suite", small_suite_file, "--like", other,
            "--out", tmp_path / "g")  # fmt: skip
    assert not (tmp_path / "g").exists()


def test_the_report_of_what_is_no_run(made: Path, tmp_path: Path) -> None:
    refused("a folder of another kind", 2, "report", made / "truth", "-o", tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_diff_of_a_model_and_its_checkpoint(small_suite_file: Path, tmp_path: Path) -> None:
    step = steps()[0]
    printed = done("diff", "tiny", f"tiny@{step}", "--suite", small_suite_file, "--out", tmp_path / "d")
    assert f"tiny@{step}" in printed.output
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["a", "b", "run"]
    same = run("diff", "tiny", "tiny", "--suite", small_suite_file, "--json", "-")
    entry = json.loads(same.stdout)["forecasts"][0]
    assert entry["metrics"]["top1_agreement"] == 1
    assert entry["kl_nats"]["mean"] < 1e-4


@pytest.mark.parametrize(
    "verb", ["demo", "collect", "forecast", "score", "diff", "report", "table", "suite", "suite make"]
)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    result = done(*verb.split(), "--help")
    assert "Usage" in result.output
    assert verb == "suite" or "Example" in result.output


def test_version_and_unknown_verbs() -> None:
    assert done("--version").output.startswith("foretell ")
    assert run("conjure").exit_code == 2


def test_a_full_disk_is_one_error(small_disk: Path, small_suite_file: Path) -> None:
    asked = ("--target", "tiny", "--kind", "dense", "--suite", small_suite_file)
    error = refused("the disk is full", 4, "collect", *asked, "--out", small_disk / "truth")
    assert "the same command goes on from there" in error.fix
    left = [path.name for path in small_disk.rglob("*") if path.is_file()]
    assert left == [".plan.json"]


@pytest.fixture(scope="module")
def long_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts of hundreds of tokens, so that a truth takes several shards."""
    path = tmp_path_factory.mktemp("long") / "long.jsonl"
    prompts = (Prompt(f"p{i}", f"value_{i} = [" + ", ".join(str(j * i) for j in range(60))) for i in range(100))
    save_suite(Suite("long", tuple(prompts)), path)
    return path


def test_killed_and_run_again_is_the_same_to_the_byte(long_suite: Path, tmp_path: Path, folder_bytes: Read) -> None:
    def collect(out: Path) -> list[str]:
        program = "from foretell.cli import main; main()"
        return [
            sys.executable,
            "-c",
            program,
            "collect",
            "--target",
            "tiny",
            "--suite",
            str(long_suite),
            "--out",
            str(out),
        ]

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    subprocess.run(collect(whole), check=True, capture_output=True)
    assert len(list((whole / "shards").iterdir())) > 3
    process = subprocess.Popen(collect(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (killed / "shards" / "00001.safetensors").exists() and process.poll() is None:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = {path.name: path.stat().st_mtime_ns for path in (killed / "shards").glob("0*.safetensors")}
    assert 2 <= len(before) < len(list((whole / "shards").iterdir()))
    subprocess.run(collect(killed), check=True, capture_output=True)
    after = {path.name: path.stat().st_mtime_ns for path in (killed / "shards").iterdir()}
    assert {name: after[name] for name in before} == before  # what was there was kept
    assert folder_bytes(killed) == folder_bytes(whole)
    assert len(Distributions(killed).prompts) == 100


def heed_interrupts() -> None:
    """A shell that starts the tests in the background makes its children ignore the signal; this one must not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted_says_how_to_go_on(long_suite: Path, tmp_path: Path) -> None:
    program = "from foretell.cli import main; main()"
    command = [sys.executable, "-c", program, "collect", "--target", "tiny", "--suite", str(long_suite)]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "t")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    while not (tmp_path / "t" / ".plan.json").exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "Run the same command again to go on" in stderr
