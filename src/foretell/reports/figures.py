"""Numbers as a reader wants them: three digits, intervals where only bounds are known, a dash where there is none."""

from __future__ import annotations

import math
from typing import Any

#: A number, {"lo", "hi"} where only bounds are known, {"unscored": reason}, or null.
Figure = float | int | dict[str, Any] | None
_DIGITS, _SMALLEST_PLAIN = 3, 1e-4
_PERCENT = 100


def plain(value: float) -> str:
    """A number with three significant digits and no needless exponent.

    >>> [plain(x) for x in (0.040514, 12.345, 1234.5, 0.00002, 0.0, -0.5)]
    ['0.0405', '12.3', '1,234', '2e-5', '0', '−0.5']
    """
    if value == 0:
        return "0"
    sign, size = ("−" if value < 0 else ""), abs(value)
    if size < _SMALLEST_PLAIN:
        mantissa, exponent = f"{size:.{_DIGITS - 2}e}".split("e")
        return f"{sign}{mantissa.removesuffix('.0')}e{int(exponent)}"
    places = max(0, _DIGITS - 1 - math.floor(math.log10(size)))
    text = f"{size:,.{places}f}"
    return sign + (text.rstrip("0").rstrip(".") if "." in text else text)


def percent(share: float) -> str:
    """A share in per cent with one decimal; never '100%' for less than all or '0%' for more than none.

    >>> [percent(x) for x in (0.92675, 1.0, 0.9999, 0.0, 0.0001)]
    ['92.7%', '100%', '>99.9%', '0%', '<0.1%']
    """
    text = f"{_PERCENT * share:.1f}"
    if text == "100.0" and share < 1:
        return ">99.9%"
    if text == "0.0" and share > 0:
        return "<0.1%"
    return text.removesuffix(".0") + "%"


def lower(value: Figure) -> float:
    """The lower end of a figure that has one."""
    return float(value["lo"] if isinstance(value, dict) else value)  # type: ignore[arg-type]


def upper(value: Figure) -> float:
    """The upper end of a figure that has one."""
    return float(value["hi"] if isinstance(value, dict) else value)  # type: ignore[arg-type]


def missing(value: Figure) -> str | None:
    """Why there is no number, or None where there is one.

    >>> missing({"unscored": "the truth lists its top 5"}), missing(0.5)
    ('the truth lists its top 5', None)
    """
    if value is None:
        return "not given"
    return str(value["unscored"]) if isinstance(value, dict) and "unscored" in value else None


def figure(value: Figure, share: bool = False) -> str:
    """A figure as text: a number, 'lo to hi', or a dash.

    >>> figure(0.5), figure({"lo": 0.25, "hi": 0.5}), figure(None), figure(0.5, share=True)
    ('0.5', '0.25 to 0.5', '–', '50%')
    """
    if missing(value) is not None:
        return "–"
    text = percent if share else plain
    low, high = text(lower(value)), text(upper(value))
    return low if low == high else f"{low} to {high}"


def bounds(record: dict[str, Any], share: bool = False) -> str:
    """The confidence bounds of a record as 'lo to hi'.

    >>> bounds({"lo": 0.1, "hi": 0.25})
    '0.1 to 0.25'
    """
    text = percent if share else plain
    return f"{text(record['lo'])} to {text(record['hi'])}"
