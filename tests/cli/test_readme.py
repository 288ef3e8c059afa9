"""What README.md shows is what the demo prints, on the shipped model."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

Foretell = Callable[..., "subprocess.CompletedProcess[str]"]
README = Path(__file__).parents[2] / "README.md"
#: Engines and processors round differently; text of other Python versions moves forecasts made from it by more.
ROUNDING_NATS = 0.005


def rows_of_readme() -> dict[str, tuple[float, float, float, str]]:
    block = README.read_text(encoding="utf-8").split("<!-- demo:begin -->")[1].split("<!-- demo:end -->")[0]
    found = re.findall(r"^ *\d+ +(\S+) +([\d.]+) +([\d.]+)…([\d.]+) .* (pass|fail|inconclusive)$", block, re.MULTILINE)
    return {name: (float(mean), float(lo), float(hi), decision) for name, mean, lo, hi, decision in found}


def test_the_table_is_the_one_that_the_demo_prints(foretell: Foretell, tmp_path: Path) -> None:
    result = foretell("demo", "--out", tmp_path / "demo", "--json", tmp_path / "demo.json")
    assert result.returncode == 0, result.stderr
    shown = rows_of_readme()
    compared = 0
    for entry in json.loads((tmp_path / "demo.json").read_text())["forecasts"]:
        if "stdlib" in entry["name"]:
            continue
        kl = entry["kl_nats"]
        mean, lo, hi, decision = shown[entry["name"]]
        assert abs(kl["mean"] - mean) < ROUNDING_NATS, entry["name"]
        assert abs(kl["lo"] - lo) < ROUNDING_NATS
        assert abs(kl["hi"] - hi) < ROUNDING_NATS
        assert entry["verdict"]["decision"] == decision
        compared += 1
    assert compared >= 8
    assert (tmp_path / "demo" / "report.html").stat().st_size > 100_000
