"""`foretell demo --governance`, and the page of a ledger as people ask for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from foretell.base.errors import InputError
from foretell.cli.app import app
from tests.reports.test_timeline import RUN

Foretell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def played(foretell: Foretell, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo's folder, and what it printed."""
    folder = tmp_path_factory.mktemp("governance") / "demo"
    done = foretell("demo", "--governance", "--out", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_every_command_ends_as_it_should(played: tuple[Path, str]) -> None:
    _, told = played
    assert told.count("$ foretell") > 25
    assert "unlocked; up to 2e+14 FLOP are unlocked by entry 8" in told
    assert "undecided, and hangs on what is missing: review" in told
    assert "attempt 1 revoked; 2 verdicts fell:" in told
    assert "locked; up to 5e+13 FLOP are unlocked by entry 8" in told
    assert told.count("(exit code 10)") == told.count("(exit code 11)") == told.count("(exit code 12)") == 1
    assert "verified: the record holds together" in told


def test_the_page_has_all_of_it(played: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = played
    (tmp_path / "watch.json").write_text(json.dumps(RUN | {"schema": "foretell.watch-record/1"}))
    page = tmp_path / "ledger.html"
    arguments = ["report", str(folder / "ledger"), "--timeline", str(tmp_path / "watch.json"), "-o", str(page)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.exception
    text = page.read_text(encoding="utf-8")
    for heading in ("What may be trained now", "Decisions", "Checkpoints of a", "The verdicts", "Who helped"):
        assert f">{heading}</h2>" in text
    assert "it was revoked (its prompts had leaked)" in text


@pytest.mark.parametrize("content", ["{}", "no JSON", '{"schema": "foretell.score/1"}', "[1]"])
def test_what_is_no_timeline(played: tuple[Path, str], tmp_path: Path, content: str) -> None:
    (tmp_path / "watch.json").write_text(content)
    done = CliRunner().invoke(app, ["report", str(played[0] / "ledger"), "--timeline", str(tmp_path / "watch.json")])
    assert isinstance(done.exception, InputError)
    assert "no timeline: got " in str(done.exception)


def test_a_timeline_needs_a_ledger(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--timeline", "x.json"])
    assert "a timeline without a ledger" in str(done.exception)


def test_the_folder_is_never_overwritten(played: tuple[Path, str]) -> None:
    done = CliRunner().invoke(app, ["demo", "--governance", "--out", str(played[0])])
    assert "the folder exists" in str(done.exception)
