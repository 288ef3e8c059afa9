"""The figure of a version space, also where little or nothing could be determined."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from foretell.information.survivors.version_space import Family, version_space
from foretell.studies.drawing import svg
from foretell.studies.survivor_curves import survivor_curves


def drawn(tolerances: list[float]) -> Any:
    losses = np.array([[float(place < count) for place in range(20)] for count in (1, 5, 10)])
    family = Family(("a", "b", "c"), ("near", "far", "far"), losses, tuple(map(str, range(20))), np.ones(20))
    found = version_space(family, tolerances, noise=1e-9, rng=np.random.default_rng(0), prompts=[1, 5, 20], draws=100)
    return survivor_curves(found, by_kind_at=0.5)


@pytest.mark.parametrize("tolerances", [[1e-12, 0.1, 0.5], [0.1]])
def test_a_figure_of_what_was_determined(tolerances: list[float]) -> None:
    picture = ElementTree.fromstring(svg(drawn(tolerances)))
    assert picture.tag.endswith("svg")
    text = "".join(picture.itertext())
    assert "models that remain, of 4" in text
    assert "far" in text
    assert "1e-12" not in text


def test_no_figure_where_nothing_was() -> None:
    assert drawn([1e-12]) is None
