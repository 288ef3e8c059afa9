"""Study 8 by made numbers: losses a token against losses a byte, and whether references rank the same."""

from __future__ import annotations

from typing import Any

import pytest

from foretell.studies.s08_vocabulary import REFERENCES, answer, findings
from tests.studies.conftest import record


def model(size: int, token: float, byte: float, order: tuple[str, ...] = REFERENCES) -> dict[str, Any]:
    """References whose losses fall in that order."""
    references = {}
    for place, name in enumerate(order):
        means = [(1 + len(order) - place) * own for own in (token, byte)]
        both = [record(mean, mean * 0.95, mean * 1.05) for mean in means]
        references[name] = dict(zip(("kl_nats", "bits_per_byte"), both, strict=True))
    return {"vocabulary": size, "references": references, "bytes_seen": 10_000_000}


def test_lower_a_token_and_not_a_byte() -> None:
    found = answer([model(512, 0.5, 0.6), model(2048, 1.0, 0.6)])
    assert found[0] == (
        "A token, yes: each of 5 references has a clearly lower loss with 512 tokens than with 2048; a byte, clearly "
        "lower for none."
    )
    assert "with 512 tokens 1 nats (0.95 to 1.05) a token" in found[1]
    assert found[2].startswith("The references rank the same for every vocabulary: ngram:5:stdlib, ngram:3:stdlib")


def test_lower_a_byte_too_or_in_part_or_not_at_all() -> None:
    assert "a byte, still clearly lower for uniform, " in answer([model(512, 0.5, 0.3), model(2048, 1.0, 0.6)])[0]
    assert answer([model(512, 1.0, 0.6), model(2048, 1.0, 0.6)])[0].startswith("A token, not shown: no reference")
    part = model(2048, 1.0, 0.6)
    part["references"]["uniform"]["kl_nats"] = record(60.0, 59.0, 61.0)
    assert answer([model(512, 1.0, 0.6), part])[0].startswith("A token, in part: uniform have a clearly lower loss")


def test_higher_a_byte_is_told() -> None:
    assert answer([model(512, 0.5, 0.9), model(2048, 1.0, 0.6)])[0].endswith(
        "a byte, clearly lower for none, and clearly higher for each of them."
    )
    part = model(2048, 1.0, 0.6)
    part["references"]["uniform"]["bits_per_byte"] = record(1.0, 0.9, 1.1)
    assert answer([model(512, 0.5, 0.6), part])[0].endswith("lower for none, and clearly higher for uniform.")


def test_another_ranking_is_told() -> None:
    other = (*REFERENCES[:-2], REFERENCES[-1], REFERENCES[-2])
    found = answer([model(512, 0.5, 0.6, other), model(2048, 1.0, 0.6)])
    assert found[2].startswith("The references do not rank the same for every vocabulary. From the nearest, by")


def test_bounds_a_byte_are_those_a_token_scaled() -> None:
    raw = model(512, 0.5, 0.6)
    for own in raw["references"].values():
        own["bits_per_byte"] = own["bits_per_byte"]["mean"]
    found = findings([raw, raw | {"vocabulary": 2048}])
    own = found.facts["models"][0]["references"]["uniform"]["bits_per_byte"]
    assert own == pytest.approx({"mean": 3.6, "lo": 3.42, "hi": 3.78})
    assert found.tables[0].note == "Bytes of text seen in training: 512: 10,000,000, 2048: 10,000,000."
