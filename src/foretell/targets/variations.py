"""Targets that are variations of others: rounded, quantised, pruned, nudged, without a part, or a mixture of two.

A variation keeps the vocabulary of what it is made from, so its distance from the original is a score like any other.
Its identity is the original's digest with what was done to it, in words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file

from foretell.base.canonical import digest_file
from foretell.base.errors import InputError, VocabularyError
from foretell.targets import weight_changes
from foretell.targets.hf_target import TorchTarget
from foretell.targets.target import Target
from foretell.targets.torch_loading import require_transformers
from foretell.targets.variation_specs import VARIATIONS, halves, split

OpenBase = Callable[[str], Target]
#: Bits of a weight that rounding to evenly spaced levels takes: fewer have no level beside zero.
_LEAST_BITS, _MOST_BITS = 2, 16


@dataclass(frozen=True)
class _Change:
    """What is done to a model, and how an identity says it."""

    words: str
    apply: Callable[[Any], None]


def open_variation(spec: str, open_base: OpenBase) -> TorchTarget:
    """The target of a variation's spec.

    Args:
        open_base: from a spec to a target that nobody else uses: its weights are changed in place.

    Raises:
        InputError: a spec that does not fit its form, or a base that torch does not run.
        VocabularyError: a mixture of models with different vocabularies.
    """
    kind, arguments, rest = split(spec)
    if kind == "mixed":
        return _mixed(spec, _number(spec, arguments[0]), open_base)
    base = _torch_base(spec, rest, open_base)
    change = _MAKERS[kind](spec, arguments, base)
    change.apply(base.model)
    base.identity = replace(base.identity, name=spec, weights=f"{base.identity.weights}, {change.words}")
    return base


def _rounded(spec: str, arguments: tuple[str, ...], base: TorchTarget) -> _Change:
    torch, _ = require_transformers(spec)
    kind = spec.partition(":")[0]
    return _Change(f"rounded to {kind}", lambda model: weight_changes.round_to(model, getattr(torch, kind)))


def _quantised(spec: str, arguments: tuple[str, ...], base: TorchTarget) -> _Change:
    bits = int(arguments[0]) if arguments[0].isdecimal() else 0
    if not _LEAST_BITS <= bits <= _MOST_BITS:
        raise _bad(spec, arguments[0], f"a number of bits from {_LEAST_BITS} to {_MOST_BITS}")
    return _Change(f"matrices rounded to {bits} bits a weight", lambda model: weight_changes.round_to_bits(model, bits))


def _pruned(spec: str, arguments: tuple[str, ...], base: TorchTarget) -> _Change:
    share = _number(spec, arguments[0])
    return _Change(
        f"without the smallest {share:g} of each matrix's weights", lambda model: weight_changes.prune(model, share)
    )


def _nudged(spec: str, arguments: tuple[str, ...], base: TorchTarget) -> _Change:
    along, size = arguments[0], _number(spec, arguments[1], most=None)
    if along.isdecimal():
        direction, told = weight_changes.random_direction(base.model, int(along)), f"random direction {along}"
    else:
        direction, told = _read_direction(spec, Path(along)), f"direction {digest_file(Path(along))}"
    return _Change(f"moved by {size:g} along {told}", lambda model: weight_changes.nudge(model, direction, size, spec))


def _without(spec: str, arguments: tuple[str, ...], base: TorchTarget) -> _Change:
    return _Change(f"without {arguments[0]}", lambda model: weight_changes.leave_out(model, arguments[0], spec))


_MAKERS: dict[str, Callable[[str, tuple[str, ...], TorchTarget], _Change]] = {
    "float16": _rounded,
    "bfloat16": _rounded,
    "bits": _quantised,
    "pruned": _pruned,
    "nudged": _nudged,
    "without": _without,
}


def _mixed(spec: str, share: float, open_base: OpenBase) -> TorchTarget:
    first, second = halves(spec)
    one, other = (_torch_base(spec, half, open_base) for half in (first, second))
    mine, yours = one.vocabulary, other.vocabulary
    if (mine.digest, mine.size) != (yours.digest, yours.size):
        raise VocabularyError(
            "a mixture of different vocabularies",
            where=spec,
            got=f"{second} with {yours.size} ids, {yours.digest[:19]}…",
            expected=f"{mine.size} ids, {mine.digest[:19]}…, as {first} has",
            fix="Mix models of one tokenizer, such as checkpoints of one run.",
        )
    weight_changes.mix(one.model, other.model, share, spec)
    words = f"{1 - share:.6g} of {one.identity.weights} and {share:.6g} of {other.identity.weights}"
    one.identity = replace(one.identity, name=spec, weights=words)
    return one


def _torch_base(spec: str, rest: str, open_base: OpenBase) -> TorchTarget:
    base = open_base(rest)
    if not isinstance(base, TorchTarget):
        raise InputError(
            "cannot be varied",
            where=spec,
            got=f"a target that runs in {base.identity.engine}",
            expected="a tiny, hf, gguf or smollm2 target, or a variation of one",
            fix=f"Write it as {VARIATIONS[spec.partition(':')[0]]} with such a TARGET.",
        )
    return base


def _read_direction(spec: str, file: Path) -> weight_changes.Direction:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise _bad(spec, str(file), f"a seed, or a .safetensors file with a direction ({error})") from error


def _number(spec: str, text: str, most: float | None = 1.0) -> float:
    """A number above 0, and below `most` where there is such a limit."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < (most or float("inf")):
        raise _bad(spec, text, "a number above 0" + (f" and below {most:g}" if most else ""))
    return value


def _bad(spec: str, got: str, expected: str) -> InputError:
    return InputError(
        "bad variation",
        where=spec,
        got=repr(got),
        expected=expected,
        fix=f"Write it as {VARIATIONS[spec.partition(':')[0]]}.",
    )
