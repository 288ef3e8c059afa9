"""`python -m benchmarks --quick` writes its page and its plot with a row for everything that is measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
SPEED_ROWS = (
    "foretell, all metrics | foretell",
    "torch kl_div, whole arrays | peer",
    "torch kl_div, 4 rows at a time | peer",
    "scipy rel_entr | peer",
    "read both arrays | limit",
    "foretell collect, factored | foretell",
    "foretell collect, dense | foretell",
    "bare forward passes to logits | peer",
    "bare forward passes to hidden states | limit",
)
MEMORY_ROWS = ("import", "collect, factored", "score a top-k forecast", "score a factored forecast")
SECTIONS = ("The machine", "Speed", "Memory", "How it was measured", "What the numbers do not say")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("benchmarks")
    command = [sys.executable, "-m", "benchmarks", "--quick", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def test_the_page_has_every_row(written: Path) -> None:
    page = (written / "benchmarks.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for expected in SPEED_ROWS:
        assert any(row.startswith(f"| {expected} | ") for row in rows), expected
    for expected in MEMORY_ROWS:
        assert any(row.startswith(f"| {expected}") for row in rows), expected
    assert [f"## {name}" for name in SECTIONS] == [line for line in page.splitlines() if line.startswith("## ")]
    assert page.count("Goal: ") == 1 + 2 + 1  # score, collect twice, memory
    assert "cores of" in page
    assert "numpy 2" in page
    assert "--quick" in page
    assert str(ROOT) not in page


def test_rows_are_numbers_in_order(written: Path) -> None:
    """Least ≤ median ≤ largest, and ratios to foretell's own median, as far as three digits tell."""
    page = (written / "benchmarks.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if " | peer | " in line]
    assert len(rows) == 3 + 2
    for row in rows:
        median, least, largest, ratio = float(row[2]), float(row[3]), float(row[4]), float(row[6])
        assert 0 < least <= median <= largest
        low, high = (float(end) for end in row[7].split(" – "))
        assert low <= high
        assert ratio > 0


def test_the_plot_is_a_picture_of_every_work(written: Path) -> None:
    root = ElementTree.parse(written / "benchmarks.svg").getroot()
    texts = {"".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")}
    for expected in ("scipy rel_entr", "foretell collect, dense", "read both arrays", "peak MiB"):
        assert any(expected in text for text in texts), expected
