"""Models are found in a forecast's record wherever they stand."""

from __future__ import annotations

from typing import Any

import pytest

from foretell.verdicts.named_models import named_models

MODEL = {"name": "m", "weights": "sha256:1", "tokenizer": "t"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"forecaster": "interpolated Kneser-Ney"}, []),
        (MODEL, ["m sha256:1"]),
        ({"helpers": "x"}, ["x"]),
        (
            {"members": [{"model": MODEL}, {"source": {"source": MODEL | {"name": "n"}}}], "helpers": ["h"]},
            ["h", "m sha256:1", "n sha256:1"],
        ),
        ({"members": [[MODEL], {"helpers": [1]}]}, ["1", "m sha256:1"]),
    ],
)
def test_models_are_found_however_deep(source: dict[str, Any], expected: list[str]) -> None:
    assert named_models(source) == expected
