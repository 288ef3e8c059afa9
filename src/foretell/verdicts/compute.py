"""What a training takes, in floating-point operations: given, or counted from parameters and tokens by one rule."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from foretell.base.errors import InputError

#: Operations a parameter and token: two forward, four backward.
_PER_PARAMETER_AND_TOKEN = 6
GIVEN = "given"
_COUNTED = re.compile(r"6 × (\d+(?:\.\d+)?(?:e[+-]\d+)?) parameters × (\d+(?:\.\d+)?(?:e[+-]\d+)?) tokens")
#: The rule's text carries six digits of each number.
_DIGITS = 1e-5


@dataclass(frozen=True)
class TrainingFlop:
    """Training compute with how it was counted."""

    flop: float
    rule: str


def training_flop(
    flop: float | None = None, parameters: float | None = None, tokens: float | None = None
) -> TrainingFlop | None:
    """Training compute: as given, or 6 × parameters × tokens; None where nothing is given.

    The rule counts the multiplications and additions of a dense transformer's matrices, forward (2) and backward (4),
    and leaves out attention over long contexts.

    Raises:
        InputError: both ways, half of the second, or a number that is not positive.

    Source: Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1 (C ≈ 6ND).

    >>> training_flop(parameters=1e9, tokens=2e10)
    TrainingFlop(flop=1.2e+20, rule='6 × 1e+09 parameters × 2e+10 tokens')
    """
    given = {"--flop": flop, "--parameters": parameters, "--tokens": tokens}
    named = {option: value for option, value in given.items() if value is not None}
    if not named:
        return None
    if set(named) not in ({"--flop"}, {"--parameters", "--tokens"}):
        raise _refused(" and ".join(named), "--flop, or --parameters together with --tokens")
    for option, value in named.items():
        if not 0 < value < math.inf:
            raise _refused(f"{option} {value:g}", "a positive number")
    if flop is not None:
        return TrainingFlop(float(flop), GIVEN)
    assert parameters is not None
    assert tokens is not None
    counted = _PER_PARAMETER_AND_TOKEN * float(parameters) * float(tokens)
    return TrainingFlop(counted, f"6 × {parameters:g} parameters × {tokens:g} tokens")


def is_counted(flop: float, rule: str) -> bool:
    """Whether a rule's text counts parameters and tokens, and comes to the operations that stand beside it.

    >>> is_counted(1.2e20, "6 × 1e+09 parameters × 2e+10 tokens"), is_counted(1.2e20, "given")
    (True, False)
    >>> is_counted(1e18, "6 × 1e+09 parameters × 2e+10 tokens")
    False
    """
    numbers = _COUNTED.fullmatch(rule)
    if numbers is None:
        return False
    counted = _PER_PARAMETER_AND_TOKEN * float(numbers[1]) * float(numbers[2])
    return math.isclose(counted, flop, rel_tol=_DIGITS)


def _refused(got: str, expected: str) -> InputError:
    return InputError(
        "training compute that cannot be counted",
        where="--flop, --parameters, --tokens",
        got=got,
        expected=expected,
        fix="Give the operations themselves, or parameters and tokens.",
    )
