"""Pages of studies: everything that a reader needs is on them, quick runs say so, and no path of the machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from foretell.base.errors import InputError
from foretell.studies.page import page_record, write_list, write_page
from foretell.studies.study import CLAIMS, Findings, Study
from foretell.studies.workshop import Workshop


def written(study: Study, workshop: Workshop, out: Path) -> str:
    page = write_page(study, study.run(workshop), workshop, out)
    assert page == out / "09-made-up.md"
    return page.read_text(encoding="utf-8")


def test_a_page_has_question_command_answer_figure_tables_and_limits(made_up: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = written(made_up, Workshop(tmp_path / "work"), out)
    order = [
        "# 9. Is it so?",
        "- **D3**: " + CLAIMS["D3"][:40],
        "```sh\nforetell study run made-up\n```",
        "## Answer\n\n**It is so: 0.5 nats (0.4 to 0.6).**\n\n- It was not otherwise.",
        "95% confidence",
        "![Is it so?](09-made-up.svg)\n\nWhat the figure shows.",
        "### Numbers\n\n| name | KL, nats |\n|---|---:|\n| a \\| b | 0.5 |\n| c | 0.7 |\n\nA note.",
        "## How it was made\n\n- A definition.\n- A truth.\n- python ",
        "## Limits\n\n- It was made up.",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "quick" not in text
    assert max(len(line) for line in text.splitlines() if not line.startswith(("|", "!"))) <= 120
    assert ElementTree.fromstring((out / "09-made-up.svg").read_text(encoding="utf-8")).tag.endswith("svg")


def test_the_figure_shows_series_axes_and_bounds(made_up: Study, tmp_path: Path) -> None:
    written(made_up, Workshop(tmp_path / "work"), tmp_path)
    svg = (tmp_path / "09-made-up.svg").read_text(encoding="utf-8")
    shown = {element.text for element in ElementTree.fromstring(svg).iter() if element.text}
    assert {"a | b", "steps", "nats", "one", "ten", "T"} <= shown


def test_the_record_says_the_same_as_the_page(made_up: Study, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "work")
    text = written(made_up, workshop, tmp_path)
    record = json.loads((tmp_path / "09-made-up.json").read_text(encoding="utf-8"))
    assert record["schema"] == "foretell.study/1"
    assert (record["quick"], record["facts"], record["claims"]) == (False, {"kl_nats": 0.5}, ["D3"])
    assert record["answer"][0] in text
    assert record["made"]["steps"] == ["A definition.", "A truth."]
    assert record["made"]["versions"]["numpy"] in text


def test_a_quick_run_says_that_it_decides_nothing(made_up: Study, tmp_path: Path) -> None:
    text = written(made_up, Workshop(tmp_path / "work", quick=True), tmp_path)
    assert text.index("**A quick run on small samples") < text.index("## Answer")
    assert "decides nothing.**" in text
    assert "foretell study run made-up --quick" in text


@pytest.mark.parametrize("part", ["answer", "facts"])
def test_a_path_of_this_machine_is_refused(made_up: Study, found: Findings, tmp_path: Path, part: str) -> None:
    work = tmp_path / "work"
    wrong = {
        "answer": replace(found, answer=(f"{work}/x is near.",)),
        "facts": replace(found, facts={"name": f"hf:{work}/x"}),
    }[part]
    with pytest.raises(InputError, match="a path of this machine in a page"):
        write_page(made_up, wrong, Workshop(work), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_list_names_every_page_and_which_are_quick(made_up: Study, tmp_path: Path) -> None:
    written(made_up, Workshop(tmp_path / "work"), tmp_path)
    quick = replace(made_up, number=10, name="other", question="Or so?")
    write_page(quick, quick.run(Workshop(tmp_path / "w")), Workshop(tmp_path / "w", quick=True), tmp_path)
    (tmp_path / "older.md").write_text("# Older\n", encoding="utf-8")
    text = write_list(tmp_path).read_text(encoding="utf-8")
    lines = " ".join(text.split())
    assert "[9. Is it so?](09-made-up.md) It is so: 0.5 nats (0.4 to 0.6)." in lines
    assert "[10. Or so?](10-other.md) (a quick run: decides nothing)" in lines
    assert "Also here: [older.md](older.md)." in lines
    assert write_list(tmp_path).read_text(encoding="utf-8") == text


def test_the_record_counts_minutes_and_cores(made_up: Study, found: Findings, tmp_path: Path) -> None:
    made = page_record(made_up, found, Workshop(tmp_path))["made"]
    assert made["minutes"] >= 0
    assert made["cores"] >= 1


def test_minutes_say_that_organisms_at_hand_are_not_counted(made_up: Study, tmp_path: Path) -> None:
    def with_organism(workshop: Workshop) -> Findings:
        workshop.note("Organism twin (recipe 3b06553e3e), trained by `foretell organism train` or found.")
        return made_up.run(workshop)

    counted = "count with what they took then"
    assert f"{counted}." in " ".join(written(made_up, Workshop(tmp_path / "a"), tmp_path).split())
    text = written(replace(made_up, run=with_organism), Workshop(tmp_path / "b"), tmp_path)
    assert f"{counted}, organisms that were in the user's cache already with nothing." in " ".join(text.split())
