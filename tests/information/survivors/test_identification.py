"""Least numbers of prompts from counts of draws, and what they say in words."""

from __future__ import annotations

import numpy as np
import pytest

from foretell.base.errors import InputError
from foretell.base.interval import Unscored
from foretell.information.survivors.identification import Identification, Needed, needed
from foretell.scoring.confidence import fraction_bounds


def test_a_number_that_a_later_one_undoes_does_not_count() -> None:
    alone = np.array([400, 100, 400, 400])
    assert needed(alone, 400, 0.95, 0.95, known_end=True) == Needed(3, 1, 3)


def test_what_no_number_reaches_has_a_reason() -> None:
    found = needed(np.array([0, 100, 200]), 400, 0.95, 0.95, known_end=False)
    assert found == Unscored("with all 3 prompts it is so in 50% of the draws")


def test_bounds_may_end_beyond_the_suite() -> None:
    """382 of 400 is 95.5%, whose lower bound is under 95%."""
    assert needed(np.array([0, 382, 382]), 400, 0.95, 0.95, known_end=False) == Needed(2, 2, None)
    assert fraction_bounds(382, 400, 0.95).lo < 0.95


def test_too_few_draws_cannot_bound_a_high_probability() -> None:
    with pytest.raises(InputError, match="too few draws: got 50, expected enough for a bound of 95%"):
        needed(np.array([50]), 50, 0.95, 0.95, known_end=True)


def test_words_and_record() -> None:
    found = Identification("found", Needed(12, 10, 15), Needed(14, 11, None), "m", 0.2)
    assert found.sentence(0.95) == (
        "with 95% probability the target is alone from 12 prompts (10 to 15) of this suite on, "
        "of fresh prompts from about 14 prompts (11 or more); the last to go is m"
    )
    assert found.record()["fresh"] == {"prompts": 14, "lo": 11, "hi": None}
