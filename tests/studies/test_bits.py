"""Study 11 by made numbers: what was found turns the sentences and the tables; and the path runs on real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foretell.information.fingerprint.fingerprint_rates import WITH, WITHOUT
from foretell.studies import s11_bits, workshop
from foretell.studies.drawing import svg
from foretell.studies.s11_bits import answer, findings, run
from foretell.studies.workshop import Workshop

BITS = {"per_number": 17.7, "free_numbers": 27_979_200, "total": 4.95e8}
RULES = ("exact", "round:0")


def made(rank: int | None = 576) -> dict[str, Any]:
    """A model whose width was found, or was not."""
    reason = None if rank else "too few positions"
    width = {"rank": rank, "gap_nats": 10.6 if rank else None, "at_least": 500, "reason": reason}
    precision = {"rule": "round:0", "status": "not determined", "rank": None, "gap_nats": None, "at_least": 394}
    linear = {"rms": 4.8e-7, "relative": 4.8e-6, "bits": BITS} if rank else {"unscored": "the rank is not determined"}
    return {
        "name": "model",
        "weights": 134_515_008,
        "layer_numbers": 28_311_552,
        "width": {"width": width, "fewest_positions": 584, "fewest_prompts": 14, "precisions": [precision]},
        "layer": {"after_linear_map": linear, "after_rotation": {"unscored": "it takes 166,176 positions"}},
        "curve": [{"rule": rule, "positions": n, "rms": 1e-6, **BITS} for rule in RULES for n in (600, 1024)],
    }


def counted(question: str = WITH) -> dict[str, Any]:
    counts = {"right": 39, "several": 0, "not determined": 0, "wrong": 1}
    return {"precision": "1", "question": question, "source": "all", "tried": 40, "counts": counts}


def test_what_is_carried_is_told_in_bits_with_where_they_stand() -> None:
    first = answer([made()], [counted()])[0]
    assert "the hidden width exactly (576, from 584 positions of 14 prompts on)" in first
    assert "17.7 bits of each of 27,979,200 free numbers, 495 million bits in all" in first
    assert "holds 21% of 134,515,008 weights" in first


def test_a_width_that_was_not_found_is_no_number() -> None:
    assert answer([made(None)], [counted()])[0] == "model: not determined: too few positions."
    table = findings([made(), made(None)], [counted(), counted(WITHOUT)]).tables[0]
    assert table.rows[1][1:] == ("–",) * 9
    assert table.rows[0][7:] == ("–", "–", "–")


def test_hidden_widths_and_error_rates_are_told() -> None:
    told = answer([made()], [counted()])
    assert "the width is hidden by round:0 alone" in told[1]
    assert "1 decimal 86.8% to 99.9%" in told[2]
    assert findings([made()], [counted()]).tables[1].rows == (("model", "– (≥ 394)"),)


def test_the_figure_has_a_line_a_rule() -> None:
    drawn = svg(findings([made()], [counted()]).figure)
    assert all(rule in drawn for rule in RULES)


def test_the_path_runs_on_the_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "QUICK_PROMPTS", 4)
    monkeypatch.setattr(s11_bits, "_MOST", 160)
    monkeypatch.setattr(s11_bits, "_TRIALS", 2)
    whole = run(Workshop(tmp_path, quick=True))
    [model] = whole.facts["models"]
    assert model["width"]["width"]["rank"] == 128
    assert {one["rule"] for one in model["curve"]} >= {"exact", "round:1"}
