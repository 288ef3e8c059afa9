"""The workshop on the shipped model: each step is made once, found again, and counted with what it took."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foretell.distributions import Distributions
from foretell.forecasters.uniform import UniformForecaster
from foretell.scoring.summary import weighted_mean
from foretell.studies.texts import TextPanel, part_of
from foretell.studies.workshop import QUICK_PROMPTS, Rung, Workshop
from foretell.suites import Suite
from tests.studies.conftest import LAMPS


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*.safetensors"))}


def test_steps_are_found_again_and_say_the_same(small_suite: Suite, tmp_path: Path) -> None:
    def steps(workshop: Workshop) -> tuple[Distributions, dict[str, float]]:
        truth = workshop.truth("tiny@96", small_suite)
        made = [workshop.forecast(spec, truth) for spec in ("uniform", "unigram:tiny")]
        score = workshop.score(truth, made)
        for entry in score["forecasts"]:
            losses = workshop.losses(truth, made, entry["name"])
            assert weighted_mean(losses.lo, losses.weights) == pytest.approx(entry["kl_nats"]["mean"], abs=1e-6)
        return truth, {entry["name"]: entry["kl_nats"]["mean"] for entry in score["forecasts"]}

    first = Workshop(tmp_path)
    truth, losses = steps(first)
    before = stamps(tmp_path)
    again = Workshop(tmp_path)
    assert steps(again)[1] == losses
    assert stamps(tmp_path) == before
    assert losses["unigram:tiny"] < losses["uniform"]
    assert first.made == again.made
    assert any("Truth of tiny@96 on small: 8 prompts" in line for line in first.made)
    assert truth.name == "tiny@96"


def test_steps_of_an_earlier_run_count_with_what_they_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.cumsum([0.0, 0.0, 600.0, 0.0, 0.0, 0.0, 1.0, 0.0]).tolist())
    monkeypatch.setattr("foretell.studies.workshop.time.monotonic", lambda: next(clock))
    first = Workshop(tmp_path)
    with first.timed("work"):
        pass
    assert first.minutes == pytest.approx(10)
    again = Workshop(tmp_path)
    with again.timed("work"):
        pass
    assert again.minutes == pytest.approx(10)


def test_a_text_that_changes_is_another_step(small_suite: Suite, tmp_path: Path) -> None:
    folders = []
    for line in ("Text: one.", "Text: two."):
        workshop = Workshop(tmp_path)
        workshop.uses(line)
        folders.append(workshop.forecast("uniform", workshop.truth("tiny@96", small_suite)).folder)
    assert folders[0] != folders[1]


def test_a_named_opener_is_opened_once_in_a_run(small_suite: Suite, tmp_path: Path) -> None:
    workshop, opened = Workshop(tmp_path), []

    def opener() -> UniformForecaster:
        opened.append(1)
        return UniformForecaster(2048)

    truth = workshop.truth("tiny@96", small_suite)
    made = [workshop.named_forecast(("uniform", opener), truth) for _ in range(2)]
    assert (len(opened), made[0].name) == (1, "uniform")


def test_a_quick_suite_is_small_and_drawn_the_same_again(tmp_path: Path) -> None:
    quick, full = Workshop(tmp_path, quick=True), Workshop(tmp_path)
    assert len(quick.suite()) == QUICK_PROMPTS == len(quick.suite(60))
    assert quick.suite().digest == quick.suite().digest
    assert len(full.suite(60)) == 60
    assert len(full.suite()) > 300
    assert f"{QUICK_PROMPTS} prompts drawn" in quick.made[0]


def test_a_scale_is_found_again_and_its_losses_are_those_it_tells(small_suite: Suite, tmp_path: Path) -> None:
    panel = TextPanel(LAMPS, Workshop(tmp_path).target("tiny@192").vocabulary)
    rungs: list[Rung] = ["model:tiny@96", panel.ngram(2)]
    scales = [Workshop(tmp_path), Workshop(tmp_path)]
    placed = [workshop.scale("tiny@192", small_suite, ("tiny",), rungs) for workshop in scales]
    assert placed[0] == placed[1]
    kinds = {rung["name"]: rung["text_only"] for rung in placed[0]["rungs"] if rung["kind"] == "rung"}
    assert kinds == {"model:tiny@96": False, "ngram:2:lamps": True}
    for workshop, scale in zip(scales, placed, strict=True):
        losses = workshop.scale_losses(scale, "ngram:2:lamps")
        told = next(rung["kl_nats"]["mean"] for rung in scale["rungs"] if rung["name"] == "ngram:2:lamps")
        assert weighted_mean(losses.lo, losses.weights) == pytest.approx(told, abs=1e-6)


def test_shares_of_a_text_lie_within_each_other() -> None:
    shares = [{document.name for document in part_of(LAMPS, share).documents()} for share in (1 / 16, 1 / 4, 1)]
    assert shares[0] < shares[1] < shares[2]
    assert 60 < len(shares[1]) < 140
    assert part_of(LAMPS, 1 / 4).name == "lamps/4"
