"""`foretell information release` as people call it: a table, a picture, a published truth, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import ForetellError, InputError, ToleranceError
from foretell.cli.app import app
from foretell.distributions import Distributions
from foretell.evaluation import collect
from foretell.suites import Suite, load_suite
from foretell.targets.specs import open_target

PANEL = ("--with", "uniform", "--with", "ngram:2:tiny", "--with", "model:tiny@1536")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def release(*arguments: str | Path) -> Result:
    return run("information", "release", *arguments)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped target on 53 prompts: 424 positions, more than twice its width of 128."""
    folder = tmp_path_factory.mktemp("release") / "truth"
    collect(open_target("tiny"), Suite("fifty", load_suite("foretell-300").prompts[::6]), folder)
    return folder


def rules_of(result: Result) -> dict[str, dict[str, Any]]:
    assert result.exit_code == 0, (result.output, result.exception)
    return {one["rule"]: one for one in json.loads(result.stdout)["rules"]}


def test_rules_side_by_side(truth: Path, tmp_path: Path) -> None:
    specs = ("exact", "round:1", "noise:1", "topk:5")
    asked = [part for spec in specs for part in ("--rule", spec)]
    found = rules_of(release("--truth", truth, *asked, *PANEL, "--plot", tmp_path / "r.svg", "--json", "-"))
    assert list(found) == list(specs)
    bits = [found[spec]["state_bits"] for spec in specs]
    assert all(one["lo"] <= one["at_most"] <= one["hi"] for one in bits)
    exact, rounded, noisy, listed = (one["at_most"] for one in bits)
    # A width of 128, and 24 bits of float32: no direction can tell more than its range over that precision.
    assert 128 * 16 < exact < 128 * 32
    assert exact > rounded > noisy > 0
    assert listed < rounded
    recovered = [found[spec]["recovered"].get("total") for spec in specs]
    assert recovered[3] is None
    assert recovered[0] > recovered[1] > recovered[2]
    # No attack has more than the channel lets through.
    assert all(recovered[i] < found[specs[i]]["layer_bits"]["hi"] for i in range(3))
    assert found["exact"]["error_nats"] == 0
    assert found["exact"]["told"]["bits_a_prompt"] == 1
    assert [found[spec]["rank"]["rank"] for spec in specs] == [128, 128, None, None]
    assert found["topk:5"]["layer_bits"]["unscored"].startswith("a list shows other tokens")
    drawn = (tmp_path / "r.svg").read_text()
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "round:1" in drawn
    assert "exact (moves none)" in drawn


def test_the_table_for_people(tiny_truth: Distributions) -> None:
    words = release("--truth", tiny_truth.folder, "--rule", "round:2", "--rule", "temperature:2", *PANEL)
    assert words.exit_code == 0, (words.output, words.exception)
    told = " ".join(words.output.split())
    assert f"tiny: 8 prompts, {len(tiny_truth)} positions, 2,048 tokens" in told
    assert "Bits not determined: the lower half of the" in told
    assert "A tolerance can be judged if no score within it is off by more than 10% of it" in told


def test_the_default_panel_is_references_and_earlier_checkpoints(tiny_truth: Distributions) -> None:
    found = rules_of(release("--truth", tiny_truth.folder, "--rule", "float16", "--json", "-"))
    names = [one["forecast"] for one in found["float16"]["forecasts"]]
    assert names[:4] == ["the target itself", "uniform", "unigram:tiny", "ngram:5:tiny"]
    assert {f"model:tiny@{step}" for step in (96, 192, 384, 768, 1536)} <= set(names)
    assert "fewer positions than twice the width" in found["float16"]["state_bits"]["unscored"]


def test_a_truth_is_published_and_judged_by_what_it_can_bear(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions], tmp_path: Path
) -> None:
    out = tmp_path / "published"
    made = release("--truth", tiny_truth.folder, "--rule", "noise:0.5", *PANEL, "--out", out)
    assert made.exit_code == 0, (made.output, made.exception)
    assert "tiny released by noise:0.5; noise floor" in " ".join(made.output.split())
    published = Distributions(out)
    floor = published.manifest["noise_floor"]["kl_nats"]
    # σ²/2 = 0.125 nats, less what peaked distributions take off.
    assert 0.05 < floor < 0.2
    assert published.manifest["measured"]["release"]["rule"] == "noise:0.5"
    forecast = tiny_forecasts["model:tiny"].folder
    refused = run("score", "--truth", out, "--forecast", forecast, "--tolerance", "0.01")
    assert isinstance(refused.exception, ToleranceError)
    judged = run("score", "--truth", out, "--forecast", forecast, "--tolerance", "2.5")
    assert judged.exit_code == 11, (judged.output, judged.exception)  # eight prompts decide nothing
    assert "tiny released by noise:0.5" in judged.output


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("--rule", "rounded"), InputError, "unknown release rule"),
        (("--rule", "noise:-1"), InputError, "a standard deviation that cannot be"),
        (("--rule", "round:2", "--rule", "round:2"), InputError, "a rule twice"),
        (("--rule", "topk:4096", "--with", "uniform"), InputError, "more tokens than there are"),
        (("--out", "never"), InputError, "no single rule: got 13 rules"),
        (("--rule", "exact", "--with", "uniform", "--out", "never"), InputError, "nothing to alter"),
    ],
)
def test_what_is_refused(truth: Path, arguments: tuple[str, ...], error: type[ForetellError], words: str) -> None:
    with pytest.raises(error, match=words):
        raise release("--truth", truth, *arguments).exception or AssertionError("nothing was refused")


def test_a_list_is_not_released_again(tiny_truth: Distributions, tmp_path: Path) -> None:
    truth = tiny_truth.folder
    assert release("--truth", truth, "--rule", "topk:5", "--with", "uniform", "--out", tmp_path / "l").exit_code == 0
    with pytest.raises(InputError, match="a truth that was cut already: got its likeliest tokens only"):
        raise release("--truth", tmp_path / "l", "--rule", "topk:2").exception or AssertionError("not refused")
