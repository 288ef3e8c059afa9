"""A claim, and numbers in its words: a bound is never rounded to the side where it would say more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_DIGITS = 3
_PERCENT = 100
#: What float arithmetic may add to a number that is exact at its last digit.
_EXACT = 1e-9


@dataclass(frozen=True)
class Claim:
    """One sentence about a verdict, with the numbers that it is made of.

    Attributes:
        id: names the kind of sentence; the same in every version.
    """

    id: str
    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {"id": self.id, "sentence": self.sentence, "numbers": dict(self.numbers)}


@dataclass(frozen=True)
class Claims:
    """What a verdict claims, and what it does not claim."""

    claimed: tuple[Claim, ...]
    not_claimed: tuple[Claim, ...]

    def __getitem__(self, name: str) -> Claim:
        return next(one for one in (*self.claimed, *self.not_claimed) if one.id == name)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Claims:
        """The claims that `record` wrote.

        >>> Claims.of_record(Claims((), (Claim("rare", "That …", {"n": 1}),)).record())["rare"].numbers
        {'n': 1}
        """
        sides = ([Claim(**one) for one in record[side]] for side in ("claimed", "not_claimed"))
        return cls(*(tuple(side) for side in sides))

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "claimed": [one.record() for one in self.claimed],
            "not_claimed": [one.record() for one in self.not_claimed],
        }


def up(value: float) -> str:
    """A number with three digits, rounded up.

    >>> up(0.61441), up(1234.1), up(0.0), up(7.0), up(-0.1239)
    ('0.615', '1,240', '0', '7', '-0.123')
    """
    return _rounded(value, math.ceil)


def down(value: float) -> str:
    """A number with three digits, rounded down.

    >>> down(0.45497), down(0.3)
    ('0.454', '0.3')
    """
    return _rounded(value, math.floor)


def near(value: float) -> str:
    """A number with three digits, rounded to the nearest: for what is no bound.

    >>> near(0.50661)
    '0.507'
    """
    return _rounded(value, lambda steps: math.floor(steps + 0.5))


def _rounded(value: float, whole: Callable[[float], int]) -> str:
    if value == 0:
        return "0"
    places = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    steps = value * 10.0**places
    exact = round(steps)
    taken = exact if math.isclose(steps, exact, rel_tol=_EXACT) else whole(steps)
    rounded = taken / 10.0**places if places >= 0 else taken * 10.0**-places
    if places > _DIGITS + 2:
        return f"{rounded:.2e}"
    text = f"{rounded:,.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent_up(share: float) -> str:
    """A share in per cent with one decimal, rounded up.

    >>> percent_up(0.17441), percent_up(1.0), percent_up(0.0)
    ('17.5%', '100%', '0%')
    """
    return _percent(share, math.ceil)


def percent_down(share: float) -> str:
    """A share in per cent with one decimal, rounded down.

    >>> percent_down(0.17441), percent_down(0.0004)
    ('17.4%', '0%')
    """
    return _percent(share, math.floor)


def _percent(share: float, whole: Callable[[float], int]) -> str:
    tenths = share * _PERCENT * 10
    exact = round(tenths)
    taken = exact if math.isclose(tenths, exact, rel_tol=_EXACT) else whole(tenths)
    return f"{taken / 10:.1f}".removesuffix(".0") + "%"


def percent(level: float) -> str:
    """A level of confidence, which is a round number.

    >>> percent(0.95), percent(0.999)
    ('95%', '99.9%')
    """
    return f"{_PERCENT * level:.6g}%"


def count(number: int, what: str) -> str:
    """A number of things.

    >>> count(1, "prompt"), count(2512, "position")
    ('1 prompt', '2,512 positions')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def estimate(value: Any) -> str:
    """An estimate in words: a number, or 'a to b' where only that is known.

    >>> estimate(0.5), estimate({"lo": 0.2, "hi": 0.301})
    ('0.5', '0.2 to 0.301')
    """
    if isinstance(value, Mapping):
        return f"{down(float(value['lo']))} to {up(float(value['hi']))}"
    return near(float(value))


def span(record: Mapping[str, Any]) -> str:
    """Bounds, rounded outwards.

    >>> span({"lo": 0.45497, "hi": 0.61441})
    '0.454 to 0.615'
    """
    return f"{down(float(record['lo']))} to {up(float(record['hi']))}"
