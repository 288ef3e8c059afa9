"""A made-up study, so that the frame is tested without a model."""

from __future__ import annotations

from typing import Any

import pytest

from foretell.forecasters.corpus import Corpus, Document
from foretell.studies.drawing import Axis, Point, curves
from foretell.studies.study import Findings, Study, Table
from foretell.studies.workshop import Workshop

LAMPS = Corpus("lamps", "CC0-1.0", lambda: (Document(f"{i}.txt", f"The lamp {i} in the hall.") for i in range(400)))


def record(mean: float, lo: float, hi: float) -> dict[str, Any]:
    """A mean with its bounds, as score.json has it."""
    return {"mean": mean, "lo": lo, "hi": hi, "level": 0.95, "method": "made up"}


@pytest.fixture
def found() -> Findings:
    points = [Point("a | b", x, x / 10, x / 20, x / 5) for x in (1.0, 10.0)]
    return Findings(
        ("It is so: 0.5 nats (0.4 to 0.6).", "It was not otherwise."),
        (Table("Numbers", ("name", "KL, nats"), (("a | b", "0.5"), ("c", "0.7")), "A note."),),
        curves(points, Axis("steps", log=True, ticks=(1, 10), names=("one", "ten")), Axis("nats"), rules=[(0.5, "T")]),
        "What the figure shows.",
        {"kl_nats": 0.5},
        method=("A definition.",),
    )


@pytest.fixture
def made_up(found: Findings) -> Study:
    def run(workshop: Workshop) -> Findings:
        workshop.note("A truth.")
        return found

    return Study(9, "made-up", "Is it so?", ("D3",), ("It was made up.",), 1, run)
