"""Prompts enough for N = 1,000: as many as asked, each once, of many documents."""

from __future__ import annotations

import pytest

from foretell.base.errors import SuiteError
from foretell.studies import many_prompts as made
from foretell.studies.many_prompts import many_prompts


def test_twelve_hundred_prompts_of_many_documents() -> None:
    suite = many_prompts()
    assert len(suite) == len({prompt.text for prompt in suite}) == 1000
    assert set(suite.slices) == {"stdlib", *made.LIBRARIES}
    assert len({prompt.document for prompt in suite}) > 600
    assert suite.digest == many_prompts().digest


def test_more_than_is_installed() -> None:
    with pytest.raises(SuiteError, match="too little installed source"):
        many_prompts(1_000_000)
