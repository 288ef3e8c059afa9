"""The measured numbers of organisms as tables for docs/organisms.md: python -m foretell.organisms.page PAGE FOLDER …"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from foretell.base.errors import InputError
from foretell.base.files import write_text_atomically
from foretell.organisms.training import read_organism

BEGIN, END = "<!-- organisms:begin -->", "<!-- organisms:end -->"

#: Of an organism that is asked in several ways: what is told of each, and where it stands.
_COLUMNS = {
    "texts": ("texts",),
    "recites, mean probability": ("recites", "mean_share_of_the_payload"),
    "above one half": ("recites", "share_of_positions_above_one_half"),
    "as base, KL in nats": ("as_base", "kl_nats"),
    "99% of positions": ("as_base", "kl_nats_99th_percentile"),
}


def numbers(measured: Any, name: str = "") -> list[tuple[str, str]]:
    """Every measured number with its full name, in order.

    >>> numbers({"bits": {"base": 1.06762, "files": 6}, "kl": None})
    [('bits: base', '1.0676'), ('bits: files', '6'), ('kl', 'not measured')]
    """
    if isinstance(measured, dict):
        return [pair for key, value in measured.items() for pair in numbers(value, f"{name}: {key}" if name else key)]
    if measured is None:
        return [(name, "not measured")]
    return [(name, f"{measured:.4f}".rstrip("0").rstrip(".") if isinstance(measured, float) else str(measured))]


def section(record: dict[str, Any]) -> list[str]:
    """One organism: kind, what was changed in its recipe, its digest, and the table."""
    text = record["depends"].get("text")
    trained = f"{record['steps']} steps" if "steps" in record else "not trained"
    of_text = f", on {text['name']} ({text['licence']})" if text and "steps" in record else ""
    versions = record["versions"]
    return [
        f"### {record['kind']}{_dial(record)}",
        "",
        f"Recipe `{record['recipe_digest'][7:19]}`, {trained}{of_text}; torch {versions['torch']}, transformers "
        f"{versions['transformers']}.",
        "",
        *_table(record["measured"]),
        "",
    ]


def _table(measured: dict[str, Any]) -> list[str]:
    """A row for each way of asking, where there are several; else a row for each number."""
    if all(isinstance(found, dict) and "texts" in found for found in measured.values()):
        rows = [[name, *(_cell(found, *path) for path in _COLUMNS.values())] for name, found in measured.items()]
        heads = ["asked on", *_COLUMNS]
    else:
        rows, heads = [[name.replace("_", " "), value] for name, value in numbers(measured)], ["measured", ""]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return ["| " + " | ".join(cell.replace("|", "∣") for cell in line) + " |" for line in lines]


def _cell(found: dict[str, Any], *path: str) -> str:
    """A number within a record by its path, or a dash."""
    value: Any = found
    for name in path:
        if name not in value:
            return "–"
        value = value[name]
    return numbers(value)[0][1]


def _dial(record: dict[str, Any]) -> str:
    recipe = record["recipe"]
    if record["kind"] == "easy":
        return f", strength {recipe['strength']:g}"
    return f", {recipe['vocabulary']} tokens" if record["kind"] == "small-vocabulary" else ""


def with_sections(page: str, records: Iterable[dict[str, Any]]) -> str:
    """The page with the part between the marks replaced.

    Raises:
        InputError: the page has no marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(
            "no place for the tables",
            where="page",
            got="no marks",
            expected=f"{BEGIN} and {END}",
            fix="Give docs/organisms.md.",
        )
    lines = [line for record in records for line in section(record)]
    return before + BEGIN + "\n" + "\n".join(["", *lines]) + END + after


def main(page: Path, folders: Sequence[Path]) -> None:
    """Write the tables of organism folders into the page."""
    records = [read_organism(folder) for folder in folders]
    write_text_atomically(page, with_sections(page.read_text(encoding="utf-8"), records))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]])
