"""Benchmark `memory`: the largest resident memory of scoring and collecting, each in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.record import Findings, Peak, say

_POSITIONS, _VOCABULARY, _WIDTH = (1_000, 10_000, 100_000), 49_152, 576
_QUICK_POSITIONS, _QUICK_VOCABULARY, _QUICK_WIDTH = (200, 400), 2_048, 64
_WORKS = {
    "collect": "collect, factored",
    "score topk": "score a top-k forecast, k = 20",
    "score factored": "score a factored forecast",
}
IMPORTED = "import foretell.evaluation, do nothing"


def main(findings: Findings, *, quick: bool) -> None:
    """Measure and add to the findings."""
    sizes = _QUICK_POSITIONS if quick else _POSITIONS
    shape = (_QUICK_VOCABULARY, _QUICK_WIDTH) if quick else (_VOCABULARY, _WIDTH)
    findings.notes.append(
        f"Memory was measured on a vocabulary of {shape[0]:,} and hidden states of width {shape[1]}, "
        "prompts of 100 tokens, all positions scored."
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        findings.peaks.append(_run(IMPORTED, "import", folder, 0, shape))
        for positions in sizes:
            _run("make", "make", folder, positions, shape)
            findings.peaks.extend(_run(title, work, folder, positions, shape) for work, title in _WORKS.items())
            for made in folder.iterdir():
                shutil.rmtree(made)


def _run(title: str, work: str, folder: Path, positions: int, shape: tuple[int, int]) -> Peak:
    say(f"  {title}, {positions:,} positions")
    arguments = [work, str(folder), str(positions), *map(str, shape)]
    command = [sys.executable, "-m", "benchmarks.memory_job", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
    told = json.loads(done.stdout.splitlines()[-1])
    return Peak(title, positions, int(told["peak_bytes"]), float(told["seconds"]))
