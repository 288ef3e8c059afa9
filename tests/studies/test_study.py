"""What a study, its findings and its tables must be."""

from __future__ import annotations

import pytest

from foretell.base.errors import InputError
from foretell.studies import STUDIES
from foretell.studies.study import CLAIMS, Findings, Study, Table, find_study


def test_studies_are_in_order_with_names_of_their_own_and_limits() -> None:
    numbers = [study.number for study in STUDIES.values()]
    assert numbers == sorted(numbers)
    assert len({study.page for study in STUDIES.values()}) == len(numbers)
    assert list(STUDIES) == [study.name for study in STUDIES.values()]
    for study in STUDIES.values():
        assert study.question.endswith("?"), study.name
        assert study.limits, study.name
        assert study.claims, study.name
        assert 0 < study.minutes < 30, study.name


def test_an_unknown_study_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"no such study.*one of .*knee"):
        find_study(STUDIES, "nose")
    assert find_study(STUDIES, "knee") is STUDIES["knee"]


def test_a_claim_of_the_list_is_asked_for() -> None:
    with pytest.raises(ValueError, match="no claim D99"):
        Study(1, "x", "?", ("D99",), (), 1, lambda workshop: None)  # type: ignore[arg-type,return-value]
    assert all(claim[0] == "D" and text.endswith(".") for claim, text in CLAIMS.items())


def test_a_table_with_a_short_row_and_findings_without_an_answer_are_refused() -> None:
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table("t", ("a", "b"), (("1",),))
    with pytest.raises(ValueError, match="without an answer"):
        Findings((), (), "<svg/>", "", {})
