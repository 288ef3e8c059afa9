"""`foretell study`: the list, a quick run from end to end, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import InputError
from foretell.cli.app import app
from foretell.studies import STUDIES
from foretell.studies.study import Findings, Study
from foretell.studies.workshop import Workshop


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["study", *map(str, arguments)])


def test_the_list_has_every_study_with_its_question() -> None:
    listed = json.loads(invoke("list", "--json", "-").stdout)
    assert [one["name"] for one in listed["studies"]] == list(STUDIES)
    words = " ".join(invoke("list").output.split())
    assert all(name in words for name in STUDIES)
    assert all(claim in listed["claims"] for study in STUDIES.values() for claim in study.claims)


def test_an_unknown_study_is_refused() -> None:
    made = invoke("run", "nose")
    assert isinstance(made.exception, InputError)
    assert "no such study" in str(made.exception)


def test_a_run_writes_page_figure_numbers_and_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(workshop: Workshop) -> Findings:
        return Findings((f"Quick: {workshop.quick}.",), (), "<svg/>", "A caption.", {"answer": 42})

    monkeypatch.setitem(STUDIES, "made-up", Study(90, "made-up", "Is it so?", ("D3",), ("None.",), 1, run))
    monkeypatch.chdir(tmp_path)
    full = invoke("run", "made-up", "--json", "-")
    assert full.exit_code == 0, (full.output, full.exception)
    assert json.loads(full.stdout)["facts"] == {"answer": 42}
    pages = {path.name for path in Path("docs/studies").iterdir()}
    assert pages == {"90-made-up.md", "90-made-up.svg", "90-made-up.json", "README.md"}
    quick = invoke("run", "made-up", "--quick")
    assert "A quick run: it decides nothing." in quick.output
    assert "Quick: True." in quick.output
    assert Path("build/studies/quick/90-made-up.md").is_file()
    assert "Quick: False." in Path("docs/studies/90-made-up.md").read_text(encoding="utf-8")


def test_the_knee_runs_from_end_to_end(tmp_path: Path) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    made = invoke("run", "knee", "--quick", "--out", out, "--work", work)
    assert made.exit_code == 0, (made.output, made.exception)
    record = json.loads((out / "01-knee.json").read_text(encoding="utf-8"))
    assert record["quick"]
    ladder = record["facts"]["ladders"][-1]
    assert [one["name"] for one in ladder["models"]] == ["model:tiny@1536"]
    shares = [one["kl_nats"]["mean"] for one in ladder["shares"]]
    assert shares[0] > shares[-1]
    page = (out / "01-knee.md").read_text(encoding="utf-8")
    assert record["answer"][0].split(".")[0] in " ".join(page.split())
