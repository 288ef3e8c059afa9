"""The page of a study: NN-name.md, its figure NN-name.svg and, for machines, NN-name.json; and the list of pages."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from foretell import __version__
from foretell.base.errors import InputError
from foretell.base.files import write_text_atomically
from foretell.reports.figures import plain
from foretell.studies.drawing import svg
from foretell.studies.study import CLAIMS, Findings, Study, Table
from foretell.studies.workshop import ORGANISM, Workshop, versions

SCHEMA = "foretell.study/1"
_LIST = "README.md"
_LINE = 120
_QUICK = (
    "**A quick run on small samples: it shows that the path works, and decides nothing.** Numbers, bounds and "
    "sentences on this page are not the study's."
)


def write_page(study: Study, findings: Findings, workshop: Workshop, out: Path) -> Path:
    """Write the three files of a study's page; returns the path of the .md file.

    Raises:
        InputError: a text of the page holds a path of this machine.
    """
    record = page_record(study, findings, workshop)
    files = {
        ".json": json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        ".svg": svg(findings.figure),
        ".md": page_text(study, findings, record["made"]),
    }
    places = {str(place.resolve()) for place in (Path.home(), workshop.folder)} | {str(Path.home())}
    for suffix, text in files.items():
        for place in places - {"/"}:
            if place in text:
                raise InputError(
                    "a path of this machine in a page",
                    where=f"{study.page}{suffix}",
                    got=place,
                    expected="names that mean the same everywhere",
                    fix="Give `called` to Workshop.truth and Workshop.scale, and name forecasts for the page.",
                )
    for suffix, text in files.items():
        write_text_atomically(out / f"{study.page}{suffix}", text)
    return out / f"{study.page}.md"


def page_record(study: Study, findings: Findings, workshop: Workshop) -> dict[str, Any]:
    """Everything of a page for machines."""
    return {
        "schema": SCHEMA,
        "made_by": f"foretell {__version__}",
        "number": study.number,
        "name": study.name,
        "question": study.question,
        "claims": list(study.claims),
        "quick": workshop.quick,
        "answer": list(findings.answer),
        "bounds": findings.bounds,
        "limits": list(study.limits),
        "facts": findings.facts,
        "made": {
            "command": _command(study, quick=workshop.quick),
            "minutes": round(workshop.minutes, 1),
            "cores": os.cpu_count(),
            "versions": versions(),
            "steps": [*findings.method, *workshop.made],
        },
    }


def _command(study: Study, *, quick: bool) -> str:
    return f"foretell study run {study.name}{' --quick' if quick else ''}"


def page_text(study: Study, findings: Findings, made: dict[str, Any]) -> str:
    """The page in Markdown."""
    first, *rest = findings.answer
    parts = [f"# {study.number}. {study.question}"]
    if made["command"].endswith("--quick"):
        parts.append(_wrapped(_QUICK))
    parts.append("\n".join(_item(f"**{claim}**: {CLAIMS[claim]}") for claim in study.claims))
    parts.append(f"```sh\n{made['command']}\n```")
    parts += ["## Answer", _wrapped(f"**{first}**"), "\n".join(map(_item, rest)), _wrapped(findings.bounds)]
    parts += [f"![{study.question}]({study.page}.svg)", _wrapped(findings.caption)]
    parts += [_table(table) for table in findings.tables]
    parts += ["## How it was made", "\n".join(map(_item, _how(made)))]
    parts += ["## Limits", "\n".join(map(_item, study.limits))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _how(made: dict[str, Any]) -> Iterable[str]:
    yield from made["steps"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    yield f"{versions}."
    trained = any(step.startswith(ORGANISM) for step in made["steps"])
    found = ", organisms that were in the user's cache already with nothing" if trained else ""
    yield (
        f"{plain(made['minutes'])} minutes by the clock on {made['cores']} cores, whatever else these did; steps that "
        f"an earlier run had finished count with what they took then{found}."
    )


def _table(table: Table) -> str:
    lines = [f"### {table.title}", ""]
    lines.append("| " + " | ".join(table.columns) + " |")
    lines.append("|---" + "|---:" * (len(table.columns) - 1) + "|")
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows]
    return "\n".join(lines) + (f"\n\n{_wrapped(table.note)}" if table.note else "")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _LINE, break_long_words=False, break_on_hyphens=False)


def _item(text: str) -> str:
    return textwrap.fill(
        text, _LINE, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def write_list(out: Path) -> Path:
    """Write README.md, the list of the pages in a folder, each with its question and its first answer."""
    pages = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob("[0-9][0-9]-*.json"))}
    lines = [
        "# Studies",
        "",
        "Each page has a question, the command that answers it again, the answer with its bounds, and its limits.",
        "`foretell study list` names them; this list is written by `foretell study run`.",
        "",
    ]
    for stem, record in pages.items():
        quick = " (a quick run: decides nothing)" if record["quick"] else ""
        lines.append(_item(f"[{record['number']}. {record['question']}]({stem}.md){quick} {record['answer'][0]}"))
    others = [path.name for path in sorted(out.glob("*.md")) if path.stem not in pages and path.name != _LIST]
    if others:
        lines += ["", "Also here: " + ", ".join(f"[{name}]({name})" for name in others) + "."]
    write_text_atomically(out / _LIST, "\n".join(lines) + "\n")
    return out / _LIST
