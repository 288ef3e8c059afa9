"""Study 6: unseen text is unseen, sentences turn with the numbers, and the path runs on checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretell.organisms.texts import open_text
from foretell.scoring.summary import Losses
from foretell.studies import s06_slightly_finetuned as study
from foretell.studies import workshop
from foretell.studies.s06_slightly_finetuned import (
    CODE,
    FORECASTERS,
    GENERAL,
    NUMPY,
    OWN,
    decisions,
    entries,
    findings,
)
from foretell.studies.unseen_text import numpy_suite, stdlib_suite
from foretell.studies.workshop import Workshop
from foretell.suites import load_suite
from foretell.suites.split import require_disjoint
from foretell.targets.tiny import checkpoint_folder

RECIPE = {"batch": 8, "window": 256}
STEPS = (0, 5, 50)


def losses(mean: float, seed: int) -> Losses:
    ids = tuple(f"p{i}" for i in range(400))
    values = np.minimum(mean * np.random.default_rng(seed).uniform(0.5, 1.5, 400), 7.6)
    return Losses(ids, ("code", "prose") * 200, ids, np.ones(400), values, values, 7.6, 0)


def made(own: dict[str, tuple[float, float, float]], others: tuple[float, float, float]) -> list[dict[str, Any]]:
    """Entries from means at STEPS: of the base's own forecaster by text, and of all others on every text."""
    table = {}
    for text, means in own.items():
        for step, mean, other in zip(STEPS, means, others, strict=True):
            table[step, text, OWN] = losses(mean, 0)
            table |= {(step, text, name): losses(other, 1) for name in FORECASTERS[1:]}
    return entries(table)


def test_a_change_that_grows_and_breaks_a_tolerance() -> None:
    found = findings(made({GENERAL: (0.0, 0.02, 0.6), NUMPY: (0.0, 0.05, 2.0)}, (1.0, 1.1, 1.2)), RECIPE)
    first = found.answer[0]
    assert first.startswith("Yes, for as long as it is slight: at a tolerance of 0.25 nats")
    assert "on foretell-300 it passes up to step 5 (change 0.0" in first
    assert "and fails from step 50 (change 0.6" in first
    assert found.answer[1].endswith("grows at every checkpoint.")
    assert "less than the change itself" in found.answer[2]  # 0.2 nats more, of a change of 2
    rows = {row[:3]: row[3:] for row in found.tables[-1].rows}
    assert rows[OWN, GENERAL, "0.25"] == ("5", "50")
    assert rows[OWN, GENERAL, "1"] == ("50", "–")
    assert rows[FORECASTERS[1], NUMPY, "0.25"] == ("–", "0")


def test_a_change_that_is_small_throughout_and_one_that_breaks_at_once() -> None:
    small = findings(made({GENERAL: (0.0, 0.02, 0.01), NUMPY: (0.0, 0.02, 0.03)}, (1.0, 1.0, 1.0)), RECIPE)
    assert small.answer[0].startswith("Yes, as far as this fine-tune goes")
    assert "it passes at every step up to 50" in small.answer[0]
    assert "it falls in places on foretell-300 and code slice of foretell-300." in small.answer[1]
    assert "not told apart from the change itself" in small.answer[2]
    large = findings(made({GENERAL: (0.0, 2.0, 3.0), NUMPY: (0.0, 2.0, 3.0)}, (1.0, 5.0, 7.0)), RECIPE)
    assert large.answer[0].startswith("No, not even after the fewest steps tried")
    assert "more than the change itself" in large.answer[2]


def test_entries_are_paired_with_the_base() -> None:
    found = made({GENERAL: (0.0, 0.02, 0.6), NUMPY: (0.0, 0.05, 2.0)}, (1.0, 1.1, 1.2))
    last = next(one for one in found if (one["step"], one["text"], one["forecaster"]) == (50, NUMPY, FORECASTERS[1]))
    base = losses(1.0, 1)
    assert last["growth"]["mean"] == pytest.approx(0.2 * base.lo.mean())
    code = next(one for one in found if (one["step"], one["text"], one["forecaster"]) == (50, CODE, OWN))
    assert code["kl_nats"]["mean"] == pytest.approx(losses(0.6, 0).lo[::2].mean())
    assert decisions(found, OWN, NUMPY, 0.25) == {0: "pass", 5: "pass", 50: "fail"}


def test_unseen_text_is_unseen() -> None:
    trained = {document.name for document in open_text("numpy").training.documents()}
    suite = numpy_suite()
    assert not {prompt.document for prompt in suite} & trained
    assert len({prompt.document for prompt in suite}) > 100
    assert set(suite.slices) == {"held-out source", "tests"}
    require_disjoint(stdlib_suite(), load_suite("foretell-300"))
    require_disjoint(stdlib_suite(), suite)


def test_the_path_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier checkpoints of the base stand for a fine-tune, whose training takes minutes."""
    pytest.importorskip("torch")
    folder = tmp_path / "organism"
    for place, step in ((folder, 768), (folder / "step-2", 1536)):
        shutil.copytree(checkpoint_folder(step), place)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(checkpoint_folder() / name, place / name)
    monkeypatch.setattr(Workshop, "organism", lambda self, spec, **changes: folder)
    monkeypatch.setattr(workshop, "QUICK_PROMPTS", 10)
    monkeypatch.setattr(study, "_QUICK_PROMPTS", 6)
    found = study.run(Workshop(tmp_path / "work", quick=True))
    numbers = {(one["step"], one["text"], one["forecaster"]): one["kl_nats"]["mean"] for one in found.facts["entries"]}
    assert numbers[0, GENERAL, OWN] < 1e-6
    assert numbers[2, GENERAL, study.EARLIER] < 1e-6  # that checkpoint is the target
    assert numbers[4, NUMPY, OWN] > numbers[2, NUMPY, OWN] > 0.1
    assert [one["step"] for one in found.facts["entries"] if one["text"] == CODE and one["forecaster"] == OWN] == [
        0,
        2,
        4,
    ]
