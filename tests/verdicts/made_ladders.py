"""Ladders, models and verdicts as the tests of the ladder need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from foretell.base.interval import Unscored
from foretell.lineage import Strictness
from foretell.verdicts.ladder import Ladder
from foretell.verdicts.ladder_batch import Model, Verdict
from foretell.verdicts.ladder_status import LadderStatus, climb

NOW = datetime(2030, 6, 1, tzinfo=UTC)
EVALUATOR = "evaluator+00000000+key"
CONTENT: dict[str, Any] = {
    "schema": "foretell.ladder/1",
    "title": "Three steps",
    "compute": {"rule": "given"},
    "requirement": {
        "metric": "kl_nats",
        "tolerance": 0.5,
        "cap": 7.0,
        "level": 0.95,
        "floor": 1e-6,
        "track": "blind",
        "helpers": "approved",
        "slices": ["code"],
        "every_model": True,
        "at_least": 1,
    },
    "rungs": [
        {"name": "a", "up_to_flop": 1e19},
        {"name": "b", "up_to_flop": 1e20},
        {"name": "c", "up_to_flop": 1e21},
    ],
}
MMLU: dict[str, Any] = {
    "benchmark": "mmlu",
    "source": {"kind": "json", "file": "{model}.json", "pointer": "/mmlu"},
    "steps": [{"at_least": 0.3, "tolerance": 0.4}, {"at_least": 0.6, "tolerance": 0.2}],
}


def content(**changes: Any) -> dict[str, Any]:
    """The content of a ladder; `table__field` changes a field of a table, None removes."""
    made = deepcopy(CONTENT)
    for name, value in changes.items():
        table, _, field = name.rpartition("__")
        where = made[table] if table else made
        if value is None:
            where.pop(field, None)
        else:
            where[field] = value
    return made


def toml(made: Mapping[str, Any]) -> str:
    """As TOML: whatever is nested becomes an inline table."""
    return "".join(f"{name} = {_value(value)}\n" for name, value in made.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f'"{name}" = {_value(own)}' for name, own in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else '"' + value + '"'


def ladder(**changes: Any) -> Ladder:
    """A ladder; see `content`."""
    return Ladder.parse(toml(content(**changes)).encode())


def model(name: str, flop: float, **changes: Any) -> Model:
    """A model whose weights are called as it is."""
    return Model(**{"name": name, "names": (name,), "flop": flop, "weights": name, **changes})


def verdict(attempt: int, weights: str, tolerance: float = 0.5, **changes: Any) -> Verdict:
    """A verdict, a pass unless something else is said; `strictness` changes fields of it."""
    asked: dict[str, Any] = {
        "metric": "kl_nats",
        "tolerance": tolerance,
        "cap": 7.0,
        "floor": 1e-6,
        "level": 0.95,
        "top_k": 10,
        "track": "blind",
        "slices": frozenset({"code", "facts"}),
        **changes.pop("strictness", {}),
    }
    given = {"decision": "pass", "evaluator": EVALUATOR, "strictness": Strictness(**asked), **changes}
    return Verdict(attempt=attempt, weights=weights, **given)


def climbed(
    made: Ladder,
    models: Sequence[Model],
    verdicts: Sequence[Verdict],
    results: Mapping[str, Mapping[str, float | Unscored]] | None = None,
    now: datetime = NOW,
) -> LadderStatus:
    """What it unlocks."""
    ordered = sorted(models, key=lambda one: one.flop)
    return climb(made, ordered, verdicts, frozenset({EVALUATOR}), results or {}, now)
