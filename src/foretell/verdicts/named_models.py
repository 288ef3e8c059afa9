"""Which AI systems the record of a forecast names, however deep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: What a model's record has, wherever it stands in a forecast's source.
_MODEL_FIELDS = {"weights", "tokenizer"}


def named_models(source: Any) -> list[str]:
    """AI systems that a forecast's own record names, however deep: models with their weights, and declared helpers.

    >>> named_models({"members": [{"model": {"name": "m", "weights": "w", "tokenizer": "t"}}], "helpers": ["x"]})
    ['m w', 'x']
    """
    return sorted(set(_named(source)))


def _named(source: Any) -> Iterator[str]:
    if isinstance(source, Mapping):
        if source.keys() >= _MODEL_FIELDS:
            yield f"{source.get('name', 'a model')} {source['weights']}"
        named = source.get("helpers", [])
        yield from (str(name) for name in (named if isinstance(named, list) else [named]))
        for value in source.values():
            yield from _named(value)
    elif isinstance(source, list):
        for value in source:
            yield from _named(value)
