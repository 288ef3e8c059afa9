"""How finely given log-probabilities are written: what the numbers themselves show of their rounding.

A threshold for "equal up to rounding" should come from the rounding. Numbers that went through float16 or bfloat16
have few mantissa bits whatever they are stored in, and numbers that were printed with k decimals differ by multiples
of 10⁻ᵏ, also after a common offset was taken off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError

Float64 = NDArray[np.float64]

#: Unit roundoff of float32: what one operation of a float32 computation may add, relatively.
FLOAT32_ROUNDOFF = 2.0**-24
#: Decimals that are looked for, and values that it takes: so many random ones do not all lie on a grid by chance.
_MOST_DIGITS, _LEAST_VALUES = 9, 20
#: How near to a multiple of the step every number must be, in steps; wider rounding than that hides the grid.
_NEAR = 0.05
_BITS = {"float64": (np.uint64, 52), "float32": (np.uint32, 23), "float16": (np.uint16, 10)}
_MANTISSAS = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}
_NAMES = {bits: name for name, bits in _MANTISSAS.items()}
_HALF = 0.5


@dataclass(frozen=True)
class Precision:
    """How log-probabilities are rounded.

    Attributes:
        mantissa_bits: that are used, of the widest number.
        digits: decimals that all of them are rounded to, None where they are not.
        error_nats: what else each of them may be off by, as somebody says.
    """

    mantissa_bits: int
    digits: int | None = None
    error_nats: float = 0.0

    def half_steps(self, values: NDArray[np.floating]) -> Float64:
        """The most that rounding can have moved each value, in nats: the shape of `values`.

        >>> Precision(10).half_steps(np.array([-1.5, -9.0])).tolist()
        [0.00048828125, 0.00390625]
        """
        size = np.abs(np.asarray(values, np.float64))
        exponents = np.floor(np.log2(np.maximum(size, np.finfo(np.float64).tiny)))
        steps = _HALF * np.exp2(exponents - self.mantissa_bits)
        decimal = 0.0 if self.digits is None else _HALF * 10.0**-self.digits
        return np.asarray(np.maximum(steps, decimal) + self.error_nats)

    def words(self) -> str:
        """For people.

        >>> Precision(23, 2).words(), Precision(7).words(), Precision(23, error_nats=0.01).words()
        ('2 decimals', 'bfloat16', 'float32, each off by up to 0.01 nats')
        """
        if self.digits is not None:
            told = f"{self.digits} decimal" + "s" * (self.digits != 1)
        else:
            told = _NAMES.get(self.mantissa_bits, f"{self.mantissa_bits} bits of mantissa")
        return told + (f", each off by up to {self.error_nats:g} nats" if self.error_nats else "")

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


def precision_of(rows: NDArray[np.floating], error_nats: float = 0.0) -> Precision:
    """Read the rounding of log-probabilities from the numbers themselves.

    Rounding that left no trace is not seen: decimals of probabilities rather than of their logs, values that were
    rounded and then normalised row by row in another base, or a computation in bfloat16 before a float32 softmax.
    `error_nats` is where somebody says so.

    Args:
        rows: (positions, tokens), in the type that they are stored in; infinite ones are left out.

    >>> exact = -np.random.default_rng(0).exponential(5, (1, 100))
    >>> precision_of(exact.astype(np.float32)), precision_of(exact.round(2).astype(np.float32) - np.float32(0.125))
    (Precision(mantissa_bits=23, digits=None, error_nats=0.0), Precision(mantissa_bits=23, digits=2, error_nats=0.0))
    >>> precision_of(exact.astype(np.float16).astype(np.float32)).mantissa_bits
    10
    """
    values = rows if rows.dtype.name in _BITS else rows.astype(np.float64)
    bits, digits = _mantissa_bits(values), _digits(values)
    if digits is not None:
        finite = values[np.isfinite(values)]
        binary = Precision(bits).half_steps(finite)
        # Numbers of few bits are decimals too, of many digits; the coarser of the two is what rounded them.
        digits = digits if _HALF * 10.0**-digits > float(binary.mean()) else None
    return Precision(bits, digits, error_nats)


def _mantissa_bits(values: NDArray[np.floating]) -> int:
    integer, width = _BITS[values.dtype.name]
    finite = np.ascontiguousarray(values[np.isfinite(values)])
    used = int(np.bitwise_or.reduce(finite.view(integer))) if finite.size else 0
    used &= (1 << width) - 1
    return 0 if used == 0 else width - (used & -used).bit_length() + 1


def _digits(values: NDArray[np.floating]) -> int | None:
    """The fewest decimals that explain every difference to the row's largest value."""
    _, width = _BITS[values.dtype.name]
    parts, errors = [], []
    for row in values:
        own = row[np.isfinite(row)].astype(np.float64)
        if own.size:
            parts.append(own - own.max())
            # Of the number, of the largest one, and of a common offset that was taken off in between.
            errors.append(2.0**-width * (np.abs(own) + np.abs(own.max()) + np.ptp(own)))
    if sum(part.size for part in parts) < _LEAST_VALUES:
        return None
    differences, error = np.concatenate(parts), np.concatenate(errors)
    for digits in range(_MOST_DIGITS + 1):
        steps = differences * 10.0**digits
        if float(error.max()) * 10.0**digits > _NEAR:
            return None
        if np.abs(steps - np.round(steps)).max() <= _NEAR:
            return digits
    return None


def rounded(values: NDArray[np.floating], to: str) -> NDArray[np.floating]:
    """Values rounded to the nearest of a precision, stored as they were: 'float32', 'float16', 'bfloat16' or decimals.

    Raises:
        InputError: another precision.

    >>> rounded(np.array([-1.2345], np.float32), "2").tolist(), rounded(np.array([-1.2345]), "bfloat16").tolist()
    ([-1.2300000190734863], [-1.234375])
    """
    if to.isdecimal():
        return values.round(int(to))
    if to not in _MANTISSAS:
        raise InputError(
            "unknown precision",
            where="--round",
            got=repr(to),
            expected=f"{', '.join(_MANTISSAS)}, or a number of decimals",
            fix="Write it as float16 or as 3.",
        )
    if to != "bfloat16":
        return values.astype(to).astype(values.dtype)
    parts, exponents = np.frexp(values)
    steps = 2.0 ** (_MANTISSAS[to] + 1)
    return np.asarray(np.ldexp(np.round(parts * steps) / steps, exponents).astype(values.dtype))
