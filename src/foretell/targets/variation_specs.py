"""How variations of targets are written, such as `bits:4:tiny` and `mixed:0.5:tiny+tiny@768`; needs no torch."""

from __future__ import annotations

from foretell.base.errors import InputError

#: The form of each kind, with its arguments before the TARGET.
VARIATIONS = {
    "float16": "float16:TARGET",
    "bfloat16": "bfloat16:TARGET",
    "bits": "bits:BITS:TARGET",
    "pruned": "pruned:SHARE:TARGET",
    "nudged": "nudged:SEED:SIZE:TARGET",
    "without": "without:PART:TARGET",
    "mixed": "mixed:SHARE:A+B",
}


def is_variation(spec: str) -> bool:
    """Whether a spec names a variation.

    >>> is_variation("bits:4:tiny"), is_variation("int8:tiny")
    (True, False)
    """
    return spec.partition(":")[0] in VARIATIONS


def split(spec: str) -> tuple[str, tuple[str, ...], str]:
    """Kind, arguments and TARGET of a variation.

    Raises:
        InputError: too few parts.

    >>> split("nudged:7:0.01:bits:4:tiny")
    ('nudged', ('7', '0.01'), 'bits:4:tiny')
    """
    kind = spec.partition(":")[0]
    count = VARIATIONS[kind].count(":")
    parts = spec.split(":", count)
    if len(parts) <= count or not all(parts):
        raise _incomplete(spec)
    return kind, tuple(parts[1:-1]), parts[-1]


def halves(spec: str) -> tuple[str, str]:
    """The two targets of a mixture; the second may be a mixture too.

    Raises:
        InputError: there is no second.

    >>> halves("mixed:0.5:tiny+tiny@768")
    ('tiny', 'tiny@768')
    """
    first, plus, second = split(spec)[2].partition("+")
    if not (plus and first and second):
        raise _incomplete(spec)
    return first, second


def _incomplete(spec: str) -> InputError:
    return InputError(
        "an incomplete variation",
        where="--target",
        got=repr(spec),
        expected=VARIATIONS[spec.partition(":")[0]],
        fix="Write it as in this form, with a TARGET that torch can run.",
    )
