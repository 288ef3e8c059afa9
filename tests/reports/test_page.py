"""The page: whole, alone, escaped, and with the numbers of the score."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell.base.errors import DamageError, InputError
from foretell.reports import write_report
from foretell.reports.figures import percent, plain

from .conftest import HOSTILE, PLANS
from .markup import Page
from .run_folder import WEIRD, build_run, sentences
from .run_score import Plan

Get = Callable[[str], Path]


@pytest.mark.parametrize("variant", PLANS)
def test_every_variant_is_one_well_nested_page_that_loads_nothing(page_of: Get, variant: str) -> None:
    page = Page.read(page_of(variant))
    assert page.source.lstrip().startswith("<!doctype html>")
    for tag, attributes in page.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}, tag
        assert "src" not in attributes, tag
        assert attributes.get("href", "#").startswith("#"), attributes
        assert not any(name.startswith("on") for name in attributes), attributes
    style = "".join(page.styles)
    assert "url(" not in style
    assert "@import" not in style
    assert "var(--" in page.source
    assert not re.search(r"#a1000\d", page.source), "a stand-in colour was left in a plot"


@pytest.mark.parametrize("variant", PLANS)
def test_ids_are_unique_and_labels_point_to_them(page_of: Get, variant: str) -> None:
    page = Page.read(page_of(variant))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes}
    assert named <= set(ids)
    assert [a["aria-label"] for a in page.attributes("div") if a.get("role") == "img"]


def test_only_the_pages_own_script_may_run(page_of: Get) -> None:
    page = Page.read(page_of("weird"))
    policy = next(a["content"] for a in page.attributes("meta") if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert len(page.scripts) == 2


def test_hostile_text_stays_text(page_of: Get) -> None:
    page = Page.read(page_of("weird"))
    assert "hacked" not in "".join(page.scripts[1:] + page.styles)
    assert HOSTILE in page.text
    assert "{{ 7*7 }}" in "".join(page.words).replace("␣", " ")
    assert page.data["names"][0] == HOSTILE
    assert "\u202e" not in page.source
    assert "⟨U+202E⟩" in page.source
    assert "⟨FF⟩" in page.source
    assert len(WEIRD) == len(page.attributes("article"))


def numbers_of(score: dict[str, Any]) -> list[str]:
    """What the page must show of a score, in its own spelling of numbers."""
    found = []
    for forecast in score["forecasts"]:
        found += [forecast["name"], forecast["verdict"]["decision"]]
        kl, metrics, tail = forecast["kl_nats"], forecast["metrics"], forecast["tail"]
        found += [plain(kl["mean"]), f"{plain(kl['lo'])} to {plain(kl['hi'])}", percent(metrics["top1_agreement"])]
        found += [plain(value) for name, value in metrics.items() if name != "top1_agreement"]
        found += [plain(tail["q90"]), plain(tail["q99"]), plain(tail["worst"]["kl_nats"]), tail["worst"]["prompt"]]
        found += [plain(forecast["approximate"]["standard_error"])]
        within = forecast["within_tolerance"]
        found += [percent(within["fraction"]), f"{percent(within['lo'])} to {percent(within['hi'])}"]
        found += [f"{within['count']} of {within['of']}"]
        for part in forecast["slices"]:
            found += [part["slice"], plain(part["kl_nats"]["mean"])]
            found += [f"{plain(part['kl_nats']['lo'])} to {plain(part['kl_nats']['hi'])}"]
    for pair in score["differences"]:
        found += [plain(pair["mean"]), f"{plain(pair['lo'])} to {plain(pair['hi'])}"]
    truth, settings = score["truth"], score["settings"]
    found += [truth[key] for key in ("name", "weights", "tokenizer", "engine", "dtype")]
    found += [truth["suite"]["name"], truth["suite"]["digest"], truth["noise_floor"]["method"]]
    found += [plain(truth["noise_floor"]["kl_nats"]), plain(truth["noise_floor"]["max_kl_nats"])]
    found += [plain(truth["entropy_nats"]), plain(truth["max_kl_nats"]), plain(settings["cap_nats"])]
    return found


def test_the_numbers_of_the_score_are_on_the_page(run_of: Get, page_of: Get) -> None:
    text = Page.read(page_of("full")).text
    expected = numbers_of(json.loads((run_of("full") / "score.json").read_text(encoding="utf-8")))
    assert len(expected) > 200
    assert [number for number in expected if number not in text] == []


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("full", "meets the tolerance of 0.5 nats"),
        ("fail", "does not meet the tolerance of 0.01 nats"),
        ("top-k truth", "cannot be judged yet"),
        ("no tolerance", "No tolerance was set, so nothing was judged."),
        ("one forecast", "No reference was scored beside it"),
        ("one forecast", "knowing nothing (uniform)"),
        ("references only", "Every row is a reference"),
        ("top-k truth", "needs the whole distribution"),
        ("top-k truth", "Intervals in place of a loss"),
    ],
)
def test_what_a_variant_says(page_of: Get, variant: str, words: str) -> None:
    page = Page.read(page_of(variant))
    assert words in page.text


@pytest.mark.parametrize("variant", PLANS)
def test_limits_are_said_and_nothing_is_promised(page_of: Get, variant: str) -> None:
    text = Page.read(page_of(variant)).text
    assert "running the model in secret cannot be excluded" in text
    assert "one eval among many" in text
    assert not re.search(r"\bsafe", text, re.IGNORECASE)


def test_300_prompts_by_8_positions_by_8_forecasts_stay_under_6_megabytes(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", Plan(sentences(300), vocabulary=400, opened=300))
    write_report(run, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 6_000_000
    page = Page.read(tmp_path / "report.html")
    assert len(page.attributes("article")) == 300
    assert all(all(own) for own in page.data["tops"])


def test_a_smaller_page_says_what_it_leaves_out(run_of: Get, tmp_path: Path) -> None:
    write_report(run_of("full"), tmp_path / "small.html", max_panels=8 * 8 * 15)
    page = Page.read(tmp_path / "small.html")
    shown = len(page.attributes("article"))
    assert 0 < shown <= 15
    assert f"{shown} of 40 prompts are in it" in page.text


def test_a_run_that_keeps_few_tokens_is_said_to(page_of: Get) -> None:
    assert "Tokens can be opened in the 12 worst prompts of each forecast" in Page.read(page_of("full")).text
    assert "Tokens can be opened" not in Page.read(page_of("no tolerance")).text


def test_another_forecast_can_be_compared(run_of: Get, tmp_path: Path) -> None:
    write_report(run_of("full"), tmp_path / "other.html", compare="team-a")
    text = Page.read(tmp_path / "other.html").text
    assert "The worst slice of team-a is" in text
    assert "Loss of team-a minus loss of the other" in text


def test_a_forecast_that_is_not_there(run_of: Get, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such forecast: got 'team-z', expected one of 'blend-of-two'"):
        write_report(run_of("full"), tmp_path / "none.html", compare="team-z")
    assert not (tmp_path / "none.html").exists()


@pytest.mark.parametrize("name", ["score.json", "prompts.parquet", "positions.parquet", "tops.parquet"])
def test_a_changed_file_is_noticed_and_no_page_is_written(run_of: Get, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_of("one prompt"), run)
    with (run / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(DamageError, match=rf"{name}: damaged file"):
        write_report(run, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no manifest"):
        write_report(tmp_path, tmp_path / "report.html")
