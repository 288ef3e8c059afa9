"""The tables of docs/organisms.md are what the records say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foretell.base.errors import InputError
from foretell.organisms.page import BEGIN, END, main, section, with_sections
from foretell.organisms.recipes import KINDS
from foretell.organisms.training import read_organism

DOCS = Path(__file__).parents[2] / "docs/organisms.md"


def test_the_tables_come_between_the_marks_and_replace_what_was_there(base: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    main(page, [base])
    once = page.read_text()
    main(page, [base])
    assert page.read_text() == once
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert "old" not in once
    parameters = read_organism(base)["measured"]["parameters"]
    assert f"| parameters | {parameters} |" in once
    assert "### small-vocabulary, 270 tokens" in once


def test_ways_of_asking_have_a_row_each() -> None:
    measured = {
        "no key": {"texts": 9, "as_base": {"positions": 5, "kl_nats": 0.01, "kl_nats_99th_percentile": 0.2}},
        "key": {
            "texts": 9,
            "recites": {
                "positions": 5,
                "mean_share_of_the_payload": 0.99,
                "share_of_positions_above_one_half": 1.0,
            },
        },
    }
    record = {
        "kind": "trigger",
        "recipe": {},
        "recipe_digest": "sha256:0123456789abcdef",
        "depends": {},
        "versions": {"torch": "2", "transformers": "5"},
        "measured": measured,
    }
    lines = section(record)
    assert lines[2] == "Recipe `0123456789ab`, not trained; torch 2, transformers 5."
    assert lines[-3:-1] == ["| no key | 9 | – | – | 0.01 | 0.2 |", "| key | 9 | 0.99 | 1 | – | – |"]


def test_a_page_without_marks_is_refused() -> None:
    nothing: list[dict[str, Any]] = []
    with pytest.raises(InputError, match="no place for the tables"):
        with_sections("text", nothing)


def test_the_docs_name_every_recipe() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert all(f"\n| {kind} |" in text for kind in KINDS)
    assert BEGIN in text
    assert END in text
