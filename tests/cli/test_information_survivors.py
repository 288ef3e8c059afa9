"""`foretell information survivors` as people call it, on the shipped target, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from typer.testing import CliRunner, Result

from foretell.cli.app import app

MEMBERS = [f"--member={spec}" for spec in ("tiny@96", "tiny@1536", "float16:tiny", "bits:8:tiny", "nudged:1:0.3:tiny")]


def survivors(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["information", "survivors", "--target", "tiny", *map(str, arguments)])


def test_a_table_in_words_json_and_a_picture(small_suite_file: Path, tmp_path: Path) -> None:
    asked: list[str | Path] = ["--suite", small_suite_file, *MEMBERS, "--out", tmp_path / "out", "--draws", "100"]
    plot, record = tmp_path / "s.svg", tmp_path / "s.json"
    made = survivors(*asked, "--plot", plot, "--json", record)
    assert made.exit_code == 0, (made.output, made.exception)
    words = " ".join(made.output.split())
    assert "tiny on small: 8 prompts of 4 documents; KL divergence (nats); noise 5e-09" in words
    assert "Models that remain (bits won), and below the middle 95% of draws, by tolerance" in words
    assert (
        "A family of 6: the target and 2 of kind 'checkpoint', 2 of kind 'quantised', 1 of kind 'random nudge'; 2.58"
        in words
    )
    assert "so never told from it, and counted with it: float16:tiny. At most 1.58 bits can be had." in words
    assert "ngram:5:tiny, which knows text only, scores" in words
    assert "N = 10, 20, 50, 100, 200, 500, 1,000: not determined: the suite has" in words
    assert max(len(line) for line in made.output.splitlines()) <= 250
    assert ElementTree.fromstring(plot.read_text()).tag.endswith("svg")
    found = json.loads(record.read_text())
    assert found["schema"] == "foretell.survivors/1"
    assert [one["name"] for one in found["members"]] == [member.removeprefix("--member=") for member in MEMBERS]
    assert found["curves"][-1]["points"][0]["remaining"]["mean"] >= 2
    # Stopped or not, the same command gives the same numbers.
    assert json.loads(survivors(*asked, "--json", "-").stdout) == found


def test_rules_numbers_and_tolerances_of_ones_own(small_suite_file: Path) -> None:
    made = survivors(
        *("--suite", str(small_suite_file), "--member", "tiny@1536", "--draws", "100", "--rule", "every"),
        *("-n", "1", "-n", "3", "--tolerance", "0.3", "--tolerance", "1e-12", "--json", "-"),
    )
    found = json.loads(made.stdout)
    assert found["rule"] == "every"
    under, above = found["curves"]
    assert under["not_determined"] == "the tolerance is under the noise of the truth, 5e-09"
    assert [point["prompts"] for point in above["points"]] == [1, 3]


def test_one_member_only(small_suite_file: Path) -> None:
    made = survivors("--suite", small_suite_file, "--tolerance", "0.5", "--draws", "100")
    assert made.exit_code == 0, (made.output, made.exception)
    assert "Tolerance 0.5: not determined: no member beside the target." in " ".join(made.output.split())


def test_what_is_refused(small_suite_file: Path) -> None:
    unknown = survivors("--suite", small_suite_file, "--family", "giants")
    assert "no such family: got 'giants', expected one of tiny, copies" in str(unknown.exception)
    other = CliRunner().invoke(
        app,
        ["information", "survivors", "--target", "tiny", "--suite", str(small_suite_file), "--member", "tiny"],
    )
    assert "the target itself" in str(other.exception)
