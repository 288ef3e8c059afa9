"""Numbers and sentences that several studies write: a mean with its bounds, skill, and where one number stands."""

from __future__ import annotations

from typing import Any

from foretell.reports.figures import bounds, figure, missing, plain


def told(record: dict[str, Any] | None, unit: str = "") -> str:
    """A mean with its bounds, or a dash.

    >>> told({"mean": 0.507, "lo": 0.454, "hi": 0.615}, " nats"), told({"unscored": "no prompts"})
    ('0.507 nats (0.454 to 0.615)', '–')
    """
    if record is None or missing(record) is not None:
        return "–"
    return f"{figure(record['mean'])}{unit} ({bounds(record)})"


def side(record: dict[str, Any]) -> int:
    """−1 where the bounds lie below 0, 1 where above, 0 where they hold 0.

    >>> side({"lo": -0.2, "hi": -0.1}), side({"lo": -0.1, "hi": 0.1}), side({"lo": 0.1, "hi": 0.2})
    (-1, 0, 1)
    """
    return int(record["lo"] > 0) - int(record["hi"] < 0)


def mean_of(record: dict[str, Any]) -> float:
    """The mean of a record whose mean is known exactly; one that is known within an interval only is a TypeError."""
    return float(record["mean"])


def listed(names: list[str]) -> str:
    """Names in a row.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"


def count_of(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count_of(1, "forecaster"), count_of(3, "forecaster")
    ('1 forecaster', '3 forecasters')
    """
    return f"{plain(number)} {noun}{'' if number == 1 else 's'}"
