"""No sentence that a safety claim could be quoted from: in what is written for people, whatever the numbers are."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import foretell
from foretell.base.interval import Unscored
from foretell.cli.app import app
from foretell.cli.console import out
from foretell.cli.score import print_score
from foretell.distributions import Distributions
from foretell.information import TracedWidth, Tracking
from foretell.information.undeclared.undeclared import Inspection, suspicion
from foretell.reports.sentences import beside_references, claimed, methods, opening, verdict
from foretell.verdicts.claims import claims, one_line
from foretell.verdicts.claims_context import Context
from tests.reports.markup import Page

from .made_scores import GRID, SKILL, UNKNOWN_SKILL

#: What nobody may be able to quote, as claims.
FORBIDDEN = (
    r"\bsafe(?:r|st|ly)?\b",
    r"\bsafety\b",
    r"\b(?:mis)?aligned\b",
    r"\balignment\b",
    r"\btrustworth\w*",
    r"\b(?:can|may|could|should) be trusted\b",
    r"\bguarante\w*",
    r"\bcertif(?:y|ies|ied)\b",
    r"\bprov(?:es|ed|en) (?:that )?(?:the|this|a) model\b",
    r"\b(?:cannot|can't|does not|will not|never) deceives?\b",
    r"\bno (?:backdoors?|triggers?)\b(?! (?:is|are|was|were) (?:ruled|excluded))",
    r"\bharmless\b",
    r"\bbenign\b",
    r"\brisk-free\b",
    r"\b(?:fully|completely|well) understood\b",
    r"\bunderstands the model\b",
    r"\bmay be (?:deployed|released)\b",
    r"\bready (?:for|to) deploy\w*",
    r"\bsecure\b",
)
_QUOTED = r"“[^”]*”|\"[^\"\n]*\"|‘[^’]*’|(?<![a-z])'[^'\n]*'(?![a-z])|`[^`\n]*`"
_DENIED = r"(?:\b(?:not(?! only)|never|nor|no|without)\s+(?:[\w,]+\s+){0,3})$"
ROOT = Path(__file__).parents[2]
CONTEXTS = [
    Context(track, pool, 300 if pool else None, helpers, bits, unsandboxed, inadmissible, skill)
    for (track, pool), helpers, (bits, unsandboxed), inadmissible, skill in itertools.product(
        [(None, None), ("open", "p"), ("blind", "p"), ("prospective", "p")],
        [(), ("another model",)],
        [(None, False), (8000, True)],
        [(), ("undeclared helper: m",)],
        [None, SKILL, UNKNOWN_SKILL],
    )
]
#: 'That there is no trigger' stands under what is not claimed, and only there.
_WITHHELD_BY_NAME = "That there is no trigger."


def offences(text: str, *, lenient: bool = False) -> list[str]:
    """Forbidden phrases of a text; leniently, those that are quoted or denied do not count."""
    if lenient:
        text = re.sub(_QUOTED, "", text)
    return [
        text[max(0, match.start() - 40) : match.end() + 20]
        for pattern in FORBIDDEN
        for match in re.finditer(pattern, text, re.IGNORECASE)
        if not (lenient and re.search(_DENIED, text[: match.start()]))
    ]


@pytest.mark.parametrize("score", GRID.values(), ids=GRID)
def test_claims_say_nothing_of_the_kind(score: dict[str, object]) -> None:
    for context in CONTEXTS:
        for forecast in score["forecasts"]:  # type: ignore[attr-defined]
            found = claims(score, forecast, context)
            for claim in (*found.claimed, *found.not_claimed):
                assert offences(claim.sentence.removeprefix(_WITHHELD_BY_NAME)) == [], claim
                assert claim.id == "rare" or _WITHHELD_BY_NAME not in claim.sentence
            assert offences(one_line(found)) == []


@pytest.mark.parametrize("score", GRID.values(), ids=GRID)
def test_nor_do_reports_and_tables(score: dict[str, object]) -> None:
    words = [opening(score), verdict(score), beside_references(score), *(text for _, text in methods(score))]
    words += [claim.sentence.removeprefix(_WITHHELD_BY_NAME) for claim in claimed(score).not_claimed]
    with out.capture() as printed:
        print_score(score)
    assert offences(" ".join([*words, printed.get()])) == []
    assert "Claimed of what the prompts are drawn from" in " ".join(printed.get().split())


def test_nor_does_a_whole_page(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    arguments = ["score", "--truth", str(tiny_truth.folder), "--tolerance", "5", "--out", str(run)]
    for forecast in tiny_forecasts.values():
        arguments += ["--forecast", str(forecast.folder)]
    result = CliRunner().invoke(app, arguments)
    assert offences(result.output) == []
    CliRunner().invoke(app, ["report", str(run), "-o", str(tmp_path / "page.html")])
    text = Page.read(tmp_path / "page.html").text
    assert offences(text.replace(_WITHHELD_BY_NAME, "")) == []
    assert "What this shows of model:tiny" in text
    assert "such as the preimage of a hash" in text


def test_nor_does_an_inspection() -> None:
    widths = [TracedWidth(status, 128, 1e5, 9.0, 9, 9, 9, "too few") for status in
              ("found", "not found", "not determined", "stated")]  # fmt: skip
    found: list[Tracking | Unscored] = [
        Tracking(0.9, 0.8, 0.95, 0.5, 9, 0.99),
        Tracking(0.1, 0.0, 0.2, 0.1, 9, 0.99),
        Unscored("few"),
    ]
    for width, one, truth, named in itertools.product(widths, found, (True, False), ((), ("m w",))):
        own = suspicion("m", one, {}, ["t", "u"], texts=2, with_truth=truth)
        assert offences(" ".join(Inspection("f", named, width, (own,), {}).sentences())) == []


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda p: p.name)
def test_documents_claim_nothing_of_the_kind(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert offences(text, lenient=True) == []


def test_templates_and_help_texts() -> None:
    source = Path(foretell.__file__).parent
    for path in (*source.glob("reports/*.j2"), *source.glob("cli/*.py")):
        assert offences(path.read_text(encoding="utf-8"), lenient=True) == [], path


@pytest.mark.parametrize(
    "text",
    [
        "The model is safe.",
        "A pass guarantees that nothing happens.",
        "This proves that the model has no backdoor.",
        "It is not only safe but aligned.",
        "Such a model cannot deceive anybody.",
        "The forecast is certified.",
        "There is no trigger.",
    ],
)
def test_the_list_finds_what_it_should(text: str) -> None:
    assert offences(text)
    assert offences(text, lenient=True)


@pytest.mark.parametrize(
    "text",
    ["A pass never says “safe”.", "It is evidence, never 'safe'.", "`safe` is forbidden.", "This is no guarantee."],
)
def test_what_is_quoted_or_denied_is_no_claim(text: str) -> None:
    assert offences(text, lenient=True) == []
