"""Study 12 by made numbers: what the family and the weights say turns the sentences; and the path runs on real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foretell.base.interval import Interval, Unscored
from foretell.information.directions.direction_settings import DirectionSettings
from foretell.information.directions.local_results import LocalInformation, Pinned, Row, Volume
from foretell.information.survivors.surviving import VersionSpace
from foretell.information.survivors.version_space import Family, version_space
from foretell.studies import s12_pinned_down
from foretell.studies.drawing import svg
from foretell.studies.pinned_words import Found, answer, findings
from foretell.studies.s12_pinned_down import run
from foretell.studies.workshop import Workshop

PROMPTS = 40
NEVER = "the quadratic approximation does not hold so far out"


def space(*losses: float, tolerances: tuple[float, ...] = (0.01, 0.1)) -> VersionSpace:
    """A family whose members lose the same at every prompt."""
    family = Family(
        tuple(f"member-{number}" for number in range(len(losses))),
        tuple("checkpoint" for _ in losses),
        np.repeat(np.array(losses)[:, None], PROMPTS, axis=1),
        tuple(str(number) for number in range(PROMPTS)),
        np.ones(PROMPTS),
    )
    return version_space(family, tolerances, noise=1e-9, rng=np.random.default_rng(0), prompts=[1, 10, PROMPTS])


def local(lo: float, hi: float, untold: str | None = None) -> LocalInformation:
    """Of a thousand weights, at one tolerance."""
    ends, settings = Interval(lo, hi), DirectionSettings(prompts=(1, 200), tolerances=(0.1,), sizes=(0.01,))
    rows = tuple(
        Row(n, 0.1, (Pinned(0.01, 1e-3, ends, ends, ends, None, untold),), Volume(ends, ends, None, untold))
        for n in (1, 200)
    )
    return LocalInformation("t", 1000, 200, 200, settings, (), rows, {}, {"scalings": 20})


def found(family: VersionSpace, near: LocalInformation, apart: VersionSpace | None = None) -> Found:
    return Found(family, family, apart or space(1.0), 2.0, near, {"checkpoint": 0.05})


def test_it_depends_on_the_alternatives_and_on_the_tolerance() -> None:
    first = answer(found(space(0.05, 1.0), local(30, 40)))[0]
    assert first.startswith("It depends on the alternatives, and on the tolerance: with 95% probability 200 ")
    assert (
        "alone at every tolerance among 2 models that were trained apart, and up to a tolerance of 0.01 nats" in first
    )


def test_yes_where_everybody_is_far_and_no_where_somebody_is_near() -> None:
    assert answer(found(space(1.0, 2.0), local(30, 40)))[0].startswith("Yes: ")
    near = space(0.001, 2.0)
    assert answer(found(near, local(30, 40), near))[0].startswith("No: ")


def test_tolerances_with_the_same_answer_are_told_together() -> None:
    told = answer(found(space(0.05), local(30, 40)))[1]
    assert "probability at 0.01 and 0.1 nats from 1 prompt (1 to 1) on." in told


def test_not_determined_where_no_tolerance_can_be_judged() -> None:
    assert answer(found(space(1.0, tolerances=(1e-12,)), local(1, 2)))[0] == (
        "Not determined: no tolerance could be judged."
    )


def test_the_local_answer_names_shares_symmetries_and_what_does_not_hold() -> None:
    told = " ".join(answer(found(space(0.05), local(30, 40))))
    assert "20 of 1,000 directions change no answer at all" in told
    assert "200 distributions pin 30 to 40 directions to 1% of the weights' norm: 4.00% of all at most, no more" in told
    assert "4.00%" not in " ".join(answer(found(space(0.05), local(30, 40, NEVER))))
    assert f"not determined: {NEVER}" in " ".join(answer(found(space(0.05), local(30, 40, NEVER))))
    assert "which pins nearly all" in " ".join(answer(found(space(0.05), local(970, 980))))


def test_unknown_symmetries_are_passed_over() -> None:
    near = local(30, 40)
    unknown = LocalInformation(**(vars(near) | {"symmetries": Unscored("not written down")}))
    assert not [line for line in answer(found(space(0.05), unknown)) if "change no answer" in line]


def test_the_page_has_four_tables_and_a_figure_of_what_was_determined() -> None:
    whole = findings(found(space(0.05, 1.0), local(30, 40)))
    assert [len(table.rows) for table in whole.tables] == [3, 1, 2, 2]
    assert "directions pinned" in svg(whole.figure)
    assert "directions pinned" not in svg(findings(found(space(0.05, 1.0), local(30, 40, NEVER))).figure)


def test_the_path_runs_on_the_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s12_pinned_down, "_QUICK_PROMPTS", 6)
    monkeypatch.setattr(s12_pinned_down, "_QUICK_MEMBERS", 3)
    monkeypatch.setattr(s12_pinned_down, "_COUNTS", (1, 2))
    monkeypatch.setattr(s12_pinned_down, "DIRECTIONS", 1)
    whole = run(Workshop(tmp_path, quick=True))
    assert whole.facts["local"]["weights"] > 1_000_000
    assert whole.facts["on_average"]["prompts"] == 6
