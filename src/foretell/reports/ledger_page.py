"""The report of a ledger: what may be trained and on what evidence, checkpoints over time, verdicts, who helped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from foretell.base.files import write_text_atomically
from foretell.reports import figures, timeline
from foretell.reports.lineage_graph import lineage_figure

_HERE = Path(__file__).parent
_TEMPLATE, _STYLE = "ledger.html.j2", "page.css"
_SIGNS = {"pass": "✓", "fail": "✕", "inconclusive": "?", "inadmissible": "✕", "unforecast": "✕"}
_STATES = {"met": "✓", "not met": "✕", "missing": "?", "undecided": "?"}
_LOCKS = {True: "unlocked", False: "locked", None: "cannot be said"}
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_MINUTES = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True)
class LedgerView:
    """What the page shows; each part but the first only where it is there.

    Attributes:
        record: see verifier.ledger_record.
        ladder: content of `foretell ladder status --json`.
        decisions: the list of `foretell policy show --json`.
        timelines: watch records (schema foretell.watch-record/1).
    """

    record: Mapping[str, Any]
    ladder: Mapping[str, Any] | None = None
    decisions: Sequence[Mapping[str, Any]] = ()
    timelines: Sequence[Mapping[str, Any]] = field(default=())


def write_ledger_page(view: LedgerView, out: Path) -> None:
    """Write the page: one file that opens offline, whole or not at all.

    Raises:
        StorageError: out cannot be written.
    """
    write_text_atomically(out, render(view))


def render(view: LedgerView) -> str:
    """The page as text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "plain": figures.plain,
        "figure": figures.figure,
        "bounds": figures.bounds,
        "when": when,
        "short": short,
    }
    lineage = view.record["lineage"]
    return environment.get_template(_TEMPLATE).render(
        style=Markup((_HERE / _STYLE).read_text(encoding="utf-8")),
        record=view.record,
        attempts=lineage["attempts"],
        systems=lineage["systems"],
        graph=lineage_figure(lineage),
        ladder=view.ladder,
        decisions=view.decisions,
        timelines=[
            (run, timeline.timeline_figure(run), timeline.table(run)) for run in view.timelines if run["checkpoints"]
        ],
        signs=_SIGNS,
        states=_STATES,
        locks=_LOCKS,
        opening=opening(view),
    )


def when(moment: str) -> str:
    """A time of the log, to the minute.

    >>> when("2030-01-31T12:00:09+00:00")
    '2030-01-31 12:00 UTC'
    """
    return datetime.fromisoformat(moment).strftime(_MINUTES)


def short(text: str) -> str:
    """A sentence with its digests cut: who wants a whole one finds it in the ledger.

    >>> short("helper 'm sha256:" + "0123456789abcdef" * 4 + "': not registered")
    "helper 'm sha256:0123456789ab…': not registered"
    """
    return _DIGEST.sub(r"\1…", text)


def opening(view: LedgerView) -> str:
    """What is in the ledger, in a sentence."""
    attempts = view.record["lineage"]["attempts"]
    passes = sum(one["decision"] == "pass" for one in attempts)
    standing = sum(one["decision"] == "pass" and one["stands"] for one in attempts)
    lost = passes - standing
    fell = f", {lost} of which no longer count{'s' if lost == 1 else ''}" if lost else ""
    return (
        f"{_count(len(attempts), 'judged attempt')}, {_count(passes, 'pass', 'passes')}{fell}; "
        f"{_count(len(view.record['lineage']['systems']), 'registered system')}; "
        f"{_count(view.record['entries'], 'signed entry', 'signed entries')}."
    )


def _count(number: int, one: str, more: str = "") -> str:
    return f"{number:,} {one if number == 1 else more or one + 's'}"
