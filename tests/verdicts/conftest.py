"""What tests of charters share: a content that is right, with keys of its own."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from foretell.ledger.keys import SecretKey

Content = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def content() -> Content:
    """The content of a charter, with dotted fields replaced, or removed where the value is None."""
    roles = {}
    for role in ("evaluator", "team"):
        key = SecretKey.generate(f"{role}.example").public
        roles[role] = {"key": key.verifier, "recipient": key.recipient}
    right = {
        "schema": "foretell.charter/1",
        "title": 'Lamps and "boats"',
        "target": {
            "name": "tiny",
            "weights": "sha256:" + "1" * 64,
            "tokenizer": "sha256:" + "2" * 64,
            "engine": "onnxruntime 1.32.0",
            "dtype": "float32",
        },
        "pool": {"name": "boats", "commitment": "ab" * 32, "prompts": 30, "slices": {"code": 10, "plain prose": 20}},
        "draw": {"prompts": 12},
        "weights": {"code": 2.0},
        "score": {
            "metric": "kl_nats",
            "tolerance": 0.5,
            "cap": 7.5,
            "level": 0.95,
            "floor": 1e-6,
            "top_k": 10,
            "tail": "uniform",
            "slice_tolerances": {"plain prose": 0.75},
        },
        "track": {"kind": "open", "deadline": datetime(2030, 1, 31, 12, tzinfo=UTC)},
        "helpers": {"rule": "none"},
        **roles,
    }

    def made(**changes: Any) -> dict[str, Any]:
        changed = deepcopy(right)
        for path, value in changes.items():
            *tables, field = path.split("__")
            table: dict[str, Any] = changed
            for name in tables:
                table = table[name]
            if value is None:
                table.pop(field, None)
            else:
                table[field] = value
        return changed

    return made
