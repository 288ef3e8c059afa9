"""`foretell inspect` on the shipped target: a hidden checkpoint is told, honest text is not, bad input is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import DistributionError, ForetellError, InputError, VocabularyError
from foretell.cli.app import app
from foretell.distributions import DenseBlock, Distributions, DistributionWriter
from foretell.distributions.combining import linear_pool
from foretell.evaluation import collect
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.specs import open_forecaster
from foretell.suites import Suite, load_suite
from foretell.targets.specs import open_target

TEXTS = [part for spec in ("unigram:tiny", "ngram:2:tiny", "ngram:5:tiny") for part in ("--known", spec)]


def inspected(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def found(*arguments: str | Path) -> dict[str, Any]:
    result = inspected(*arguments, "--json", "-")
    assert result.exit_code == 0, (result.output, result.exception)
    return dict(json.loads(result.stdout))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A truth on 53 prompts, and anonymous forecasts: 5-grams with a fifth of a checkpoint, it alone, 4-grams."""
    folder = tmp_path_factory.mktemp("inspect")
    suite = Suite("fifty", load_suite("foretell-300").prompts[::6])
    truth = collect(open_target("tiny"), suite, folder / "truth")
    spec = {"hidden": ("ngram:5:tiny", "model:tiny@1536"), "copy": ("model:tiny@1536",), "honest": ("ngram:4:tiny",)}
    for name, members in spec.items():
        opened = [open_forecaster(one, truth.vocabulary, open_target=open_target) for one in members]
        shares = [0.8, 0.2] if len(opened) == 2 else [1.0]
        plan = [range(len(truth.prompts))]
        facts = {"role": "forecast", "source": {"name": name}, "suite": truth.manifest["suite"], "dtype": "float32"}
        writer = DistributionWriter(folder / name, truth.prompts, plan, truth.vocabulary, facts)
        logs = [[dense_logprobs(one.forecast(p), truth.vocabulary.size) for one in opened] for p in truth.prompts]
        writer.write(0, joined([linear_pool(own, shares) for own in logs]))
        writer.finish()
    return folder


def joined(parts: list[Any]) -> DenseBlock:
    return DenseBlock(np.concatenate(parts).astype(np.float32))


def test_a_hidden_checkpoint_is_told(folders: Path) -> None:
    told = found(folders / "hidden", "--truth", folders / "truth", *TEXTS, "--known", "tiny@1536")
    assert told["schema"] == "foretell.inspection/1"
    assert told["finding"]
    (one,) = told["tracking"]
    assert (one["model"], one["status"], one["with_truth"]) == ("model:tiny@1536", "found", True)
    assert one["partial_correlation"]["lo"] > one["bar"] >= 0.3
    assert set(one["yardsticks"]) == {"unigram:tiny", "ngram:2:tiny", "ngram:5:tiny"}
    assert told["width"]["status"] == "not found"
    assert told["sampled"]["positions"] == 424


def test_honest_text_is_not(folders: Path) -> None:
    told = found(folders / "honest", "--truth", folders / "truth", *TEXTS, "--known", "tiny@1536")
    assert not told["finding"]
    assert told["tracking"][0]["status"] == "not found"


def test_a_copy_shows_its_width(folders: Path) -> None:
    told = found(folders / "copy")
    assert (told["width"]["status"], told["width"]["width"]) == ("found", 128)
    assert told["finding"]
    assert told["tracking"] == []


def test_what_is_printed_is_careful(folders: Path, tmp_path: Path) -> None:
    result = inspected(folders / "hidden", *TEXTS, "--known", "tiny@1536", "--json", tmp_path / "found.json")
    words = " ".join(result.output.split())
    assert "consistent with help by model:tiny@1536 or a relative of it, or with knowing the target itself" in words
    assert "It is evidence to ask about, no proof" in words
    assert json.loads((tmp_path / "found.json").read_text())["sentences"][-1].startswith("Finding")


def test_a_named_model_explains(tiny_forecasts: dict[str, Distributions]) -> None:
    told = found(tiny_forecasts["model:tiny"].folder, "--known", "tiny")
    assert told["width"]["status"] == "stated"
    assert not told["finding"]
    assert any("is named in the forecast's record" in line for line in told["sentences"])


def test_folders_of_answers_serve_as_known(folders: Path) -> None:
    told = found(folders / "hidden", "--known", folders / "copy", *TEXTS, "--truth", folders / "truth")
    assert (told["tracking"][0]["model"], told["tracking"][0]["status"]) == ("copy", "found")


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("nowhere",), InputError, "no manifest"),
        (("HIDDEN", "--known", "nonsense"), InputError, "unknown target: got 'nonsense'"),
        (("HIDDEN", "--known", "ngram:x:tiny"), InputError, "unknown forecaster"),
        (("HIDDEN", "--truth", "OTHER"), DistributionError, "other prompts"),
        (("HIDDEN", "--known", "OTHER"), DistributionError, "other prompts"),
    ],
)
def test_bad_input(
    folders: Path,
    tiny_truth: Distributions,
    arguments: tuple[str, ...],
    kind: type[ForetellError],
    message: str,
) -> None:
    places = {"HIDDEN": str(folders / "hidden"), "OTHER": str(tiny_truth.folder)}
    result = inspected(*(places.get(one, one) for one in arguments))
    assert isinstance(result.exception, kind), result.exception
    assert message in str(result.exception)
    assert result.exception.exit_code == 2
    assert not isinstance(result.exception, VocabularyError)


def test_help_has_an_example() -> None:
    assert "Example: foretell inspect" in " ".join(inspected("--help").output.split())
