"""The page of a ledger: every part where it is there, none where it is not, and nothing that runs or is fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from foretell.reports.ledger_page import LedgerView, opening, render, write_ledger_page
from tests.reports.test_lineage_graph import attempt, system
from tests.reports.test_timeline import RUN

MOMENT = "2030-01-31T12:00:09+00:00"

REVOKED = "helper 'm': attempt 1 does not count: it was revoked (leaked)"


def judged(number: int, target: str, *helpers: str, **fields: Any) -> dict[str, Any]:
    return attempt(number, target, *helpers) | {
        "title": f"<{target}>",
        "metric": "kl_nats",
        "tolerance": 0.5,
        "level": 0.95,
        "track": "blind",
        "judged": MOMENT,
        "until": None,
        "fallen": [],
        "reasons": ["whole suite: upper bound 0.4 is within 0.5"],
        **fields,
    }


def record(**lineage: Any) -> dict[str, Any]:
    return {
        "origin": "foretell/00ff",
        "entries": 9,
        "last": MOMENT,
        "signers": ["evaluator+1234"],
        "lineage": {"systems": [], "attempts": [], **lineage},
        "pending": [],
    }


def part(state: str, said: str) -> dict[str, Any]:
    return {"name": "exam", "kind": "json", "state": state, "said": said}


FULL = LedgerView(
    record(
        systems=[system("m", voucher="evaluator+1234", approved_by=[1])],
        attempts=[
            judged(1, "m"),
            judged(
                2, "big", "m", stands=False, fallen=["helper 'm': attempt 1 does not count: it was revoked (leaked)"]
            ),
        ],
    ),
    ladder={
        "title": "small first",
        "may_train_up_to_flop": 1e18,
        "rungs": [
            {"name": "small", "up_to_flop": 1e18, "unlocked": True, "why_not": [], "models": []},
            {
                "name": "large",
                "up_to_flop": 1e20,
                "unlocked": None,
                "why_not": ["capability of m is unknown"],
                "models": [{"name": "m", "flop": 1e19, "attempt": None, "reasons": ["no verdict on it"]}],
            },
        ],
        "loosened": [{"entry": 7, "what": ["small: up to 1e18 instead of 1e17"]}],
    },
    decisions=[
        {"entry": 8, "time": MOMENT, "signer": "evaluator+1234", "said": "undecided", "follows": True}
        | {"title": "before training", "then": "undecided: exam is missing", "now": "met"}
        | {"parts": [part("missing", "there is no file exam.json")], "parts_now": [part("met", "0.9 is at least 0.8")]},
        {"entry": 9, "time": MOMENT, "signer": "x+1", "said": "met", "follows": False, "why": "exam was missing"},
    ],
    timelines=[RUN],
)


class _Loads(HTMLParser):
    """What a page would fetch or run."""

    found: list[str]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found = getattr(self, "found", [])
        self.found += [f"{tag} {name}" for name, value in attrs if name in ("src", "srcset") or name.startswith("on")]
        self.found += [tag] if tag in ("script", "link", "iframe", "img", "object") else []


def headings(page: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", page)


def test_every_part_is_there() -> None:
    page = render(FULL)
    assert headings(page) == [
        "What may be trained now",
        "Decisions",
        "Checkpoints of a",
        "The verdicts",
        "Who helped",
        "What this does not show",
    ]
    assert "Training up to <b>1e+18 FLOP</b> is unlocked" in page
    assert "cannot be said" in page
    assert "there is no file exam.json" in page
    assert "met: 0.9 is at least 0.8" in page
    assert "It says met, which does not follow</b>: exam was missing" in page
    assert "it was revoked (leaked)" in page
    assert "&lt;m&gt;" in page
    assert "<m>" not in page
    assert page.count("<svg") == 2
    loads = _Loads()
    loads.feed(page)
    assert loads.found == []


def test_a_ledger_with_a_charter_only() -> None:
    page = render(LedgerView(record()))
    assert headings(page) == ["The verdicts", "What this does not show"]
    assert "No attempt is judged yet." in page


def test_what_is_under_way_is_told() -> None:
    view = record() | {"pending": [{"attempt": 1, "title": "t", "track": "open", "last": "seal", "next": "open"}]}
    assert "attempt 1 (t, open track: seal done, next open)" in render(LedgerView(view))


def test_the_opening() -> None:
    assert opening(FULL) == (
        "2 judged attempts, 2 passes, 1 of which no longer counts; 1 registered system; 9 signed entries."
    )
    assert opening(LedgerView(record())).startswith("0 judged attempts, 0 passes; ")


@pytest.mark.parametrize("word", ["safe", "trustworthy", "understood", "guarantee"])
def test_no_word_that_a_claim_of_safety_could_be_quoted_from(word: str) -> None:
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", render(FULL), flags=re.DOTALL)
    assert not re.search(rf"\b{word}", text, re.IGNORECASE)


def test_the_file_appears_whole(tmp_path: Path) -> None:
    write_ledger_page(FULL, tmp_path / "ledger.html")
    assert (tmp_path / "ledger.html").read_text(encoding="utf-8") == render(FULL)
    assert len(list(tmp_path.iterdir())) == 1
