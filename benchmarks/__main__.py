"""Run the benchmarks and write the page: `python -m benchmarks [--only NAME] [--quick] [--out FOLDER]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks import collect_speed, machine, memory, page, score_speed
from benchmarks.record import Findings, say

_NAMES = ("score", "collect", "memory")
_ROUNDS = 5


def main(arguments: list[str]) -> None:
    """Read the options, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=_NAMES, action="append", help="measure this alone (may be given again)")
    parser.add_argument("--quick", action="store_true", help="small sizes, for a smoke test; the numbers mean little")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder for benchmarks.md and benchmarks.svg")
    options = parser.parse_args(arguments)
    chosen = options.only or _NAMES
    findings = Findings()
    before = machine.load()
    if "score" in chosen:
        say("score")
        score_speed.main(findings, quick=options.quick, rounds=_ROUNDS)
    if "collect" in chosen:
        say("collect")
        collect_speed.main(findings, quick=options.quick, rounds=_ROUNDS)
    if "memory" in chosen:
        say("memory (minutes, unless --quick)")
        memory.main(findings, quick=options.quick)
    command = " ".join(["python -m benchmarks", *_shown(options)])
    page.write(findings, options.out, command=command, rounds=_ROUNDS, loads=(before, machine.load()))
    say(f"wrote {options.out}{os.sep}benchmarks.md and benchmarks.svg")


def _shown(options: argparse.Namespace) -> list[str]:
    """The options that matter to the numbers, as they were given."""
    return [*(["--quick"] if options.quick else []), *(f"--only {name}" for name in options.only or ())]


if __name__ == "__main__":
    main(sys.argv[1:])
