"""Release rules: what is published of a truth in place of its exact log-probabilities; pure functions over blocks.

    exact            as they are
    float16          each log-probability as the nearest float16
    round:DIGITS     each log-probability rounded to so many decimal digits
    topk:K           the K likeliest tokens exactly, and the mass of the rest
    noise:SIGMA      a Gaussian of that standard deviation, in nats, added to each log-probability, drawn anew each time
    temperature:T    p^(1/T), normalised

Nothing is renormalised but by temperature. What a rule leaves unnormalised is read as every stored truth is: as
logits, whose log-softmax is the distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError
from foretell.distributions.block import Block, DenseBlock, FactoredBlock, TopKBlock
from foretell.distributions.combining import log_normalised

Logs = NDArray[np.float64]
#: What a released truth is stored in tells no more decimal digits apart.
MOST_DIGITS = 6
_AS_LOGITS = "They need not sum to 1; whoever scores reads them as logits, whose log-softmax is the distribution."
_KNOWN = "exact, float16, round:DIGITS, topk:K, noise:SIGMA, temperature:T"


class ReleaseRule(Protocol):
    """How log-probabilities are altered before they are published.

    Attributes:
        spec: the text that `parse_rule` makes the same rule from.
        normalised: whether what is released is a distribution as it stands.
    """

    @property
    def spec(self) -> str: ...

    @property
    def normalised(self) -> bool: ...

    def meaning(self) -> str:
        """What is released, and how it is to be read, in words."""
        ...

    def release(self, logprobs: Logs, rng: np.random.Generator) -> Block:
        """What is published in place of normalised log-probabilities (positions, vocabulary)."""
        ...


@dataclass(frozen=True)
class Exact:
    """Everything as it is, in the truth's own precision."""

    spec = "exact"
    normalised = True

    def meaning(self) -> str:
        """What is released, in words."""
        return "The log-probabilities as they are."

    def release(self, logprobs: Logs, rng: np.random.Generator) -> Block:
        """Float32 log-probabilities; `released` hands on the block itself."""
        return DenseBlock(logprobs.astype(np.float32))


@dataclass(frozen=True)
class Float16:
    """Each log-probability as the nearest float16: eleven significant binary digits."""

    spec = "float16"
    normalised = False

    def meaning(self) -> str:
        """What is released, in words."""
        return f"Each log-probability as the nearest float16. {_AS_LOGITS}"

    def release(self, logprobs: Logs, rng: np.random.Generator) -> Block:
        """Float16 log-probabilities."""
        return DenseBlock(logprobs.astype(np.float16))


@dataclass(frozen=True)
class Round:
    """Each log-probability rounded to so many decimal digits.

    No log-probability is moved by more than half a step, and the normaliser that a reader divides by is no farther
    from 1 than a factor of e^(step/2): so no log-probability as it is read is off by more than one step.

    >>> rule = Round(1)
    >>> block = rule.release(np.log([[0.5, 0.3, 0.2]]), np.random.default_rng(0))
    >>> block.logprobs.astype(float).round(6).tolist()
    [[-0.7, -1.2, -1.6]]
    """

    digits: int
    normalised = False

    @property
    def spec(self) -> str:
        """As parse_rule reads it."""
        return f"round:{self.digits}"

    @property
    def step_nats(self) -> float:
        """The distance of neighbouring values."""
        return float(10.0**-self.digits)

    def meaning(self) -> str:
        """What is released, in words."""
        return f"Each log-probability rounded to a multiple of {self.step_nats:g} nats. {_AS_LOGITS}"

    def release(self, logprobs: Logs, rng: np.random.Generator) -> Block:
        """Float32 numbers, the nearest to the multiples of the step."""
        return DenseBlock(np.round(logprobs, self.digits).astype(np.float32))


@dataclass(frozen=True)
class TopK:
    """The k likeliest tokens exactly, and the mass of the rest; of equally likely tokens the lowest ids.

    >>> rule = TopK(1)
    >>> block = rule.release(np.log([[0.25, 0.5, 0.25]]), np.random.default_rng(0))
    >>> block.token_ids.tolist(), np.exp(block.rest_logprob).tolist()
    ([[1]], [0.5])
    """

    k: int
    normalised = True

    @property
    def spec(self) -> str:
        """As parse_rule reads it."""
        return f"topk:{self.k}"

    def meaning(self) -> str:
        """What is released, in words."""
        return (
            f"The {self.k} likeliest tokens with their log-probabilities as they are, and the mass of all others as "
            "one number. Scores against it are intervals, which hold the exact score."
        )

    def check(self, vocabulary: int) -> None:
        """Refuse a vocabulary with fewer tokens.

        Raises:
            InputError: as said.
        """
        if self.k > vocabulary:
            raise InputError(
                "more tokens than there are",
                where=f"release rule {self.spec}",
                got=f"{self.k} of a vocabulary of {vocabulary}",
                expected=f"from 1 to {vocabulary} tokens",
                fix="List fewer tokens, or release all of them (exact).",
            )

    def release(self, logprobs: Logs, rng: np.random.Generator) -> Block:
        """A list of k tokens a position, likeliest first.

        Raises:
            InputError: the vocabulary has fewer tokens.
        """
        self.check(logprobs.shape[1])
        ids = np.argsort(-logprobs, axis=1, kind="stable")[:, : self.k]
        listed = np.take_along_axis(logprobs, ids, axis=1)
        rest = logprobs.copy()
        np.put_along_axis(rest, ids, -np.inf, axis=1)
        top = np.maximum(rest.max(axis=1), np.finfo(np.float64).min)  # finite where nothing is left
        with np.errstate(divide="ignore"):  # nothing is left
            mass = top + np.log(np.exp(rest - top[:, None]).sum(axis=1))
        return TopKBlock(ids.astype(np.int32), listed.astype(np.float32), mass.astype(np.float32))


@dataclass(frozen=True)
class Noise:
    """A Gaussian added to each log-probability, independent of all others and of earlier releases."""

    sigma_nats: float
    normalised = False

    @property
    def spec(self) -> str:
        """As parse_rule reads it."""
        return f"noise:{_number(self.sigma_nats)}"

    def meaning(self) -> str:
        """What is released, in words."""
        return (
            f"Each log-probability plus a Gaussian of standard deviation {self.sigma_nats:g} nats, drawn anew for each "
            f"release; the mean of n releases of one position has 1/√n of it. {_AS_LOGITS}"
        )

    def release(self, logprobs: Logs, rng: np.random.Generator) -> Block:
        """Float32 numbers; a probability of zero stays one."""
        return DenseBlock((logprobs + rng.normal(0.0, self.sigma_nats, logprobs.shape)).astype(np.float32))


@dataclass(frozen=True)
class Temperature:
    """p^(1/T), normalised: whoever knows T undoes it, and nobody else can score with it.

    >>> rule = Temperature(2.0)
    >>> block = rule.release(np.log([[0.8, 0.2]]), np.random.default_rng(0))
    >>> np.exp(block.logprobs.astype(float)).round(4).tolist()
    [[0.6667, 0.3333]]
    """

    temperature: float
    normalised = True

    @property
    def spec(self) -> str:
        """As parse_rule reads it."""
        return f"temperature:{_number(self.temperature)}"

    def meaning(self) -> str:
        """What is released, in words."""
        return (
            f"Each distribution to the power 1/{_number(self.temperature)}, normalised. Whoever knows the temperature "
            "undoes it and has everything; against what is released as it stands, every score is of another question."
        )

    def release(self, logprobs: Logs, rng: np.random.Generator) -> Block:
        """Float32 log-probabilities."""
        return DenseBlock(log_normalised(logprobs / self.temperature).astype(np.float32))


def parse_rule(spec: str) -> ReleaseRule:
    """The rule that a text names; its `spec` is that text again, up to how numbers are written.

    Raises:
        InputError: an unknown rule, or a number that it cannot have.

    >>> [parse_rule(spec).spec for spec in ("exact", "round:2", "topk:20", "noise:0.10", "temperature:2")]
    ['exact', 'round:2', 'topk:20', 'noise:0.1', 'temperature:2']
    """
    kind, colon, number = spec.partition(":")
    plain: dict[str, ReleaseRule] = {"exact": Exact(), "float16": Float16()}
    if kind in plain and not colon:
        return plain[kind]
    make = _NUMBERED.get(kind)
    if make is None or not number:
        raise _bad(spec, "unknown release rule", f"one of {_KNOWN}")
    return make(spec, number)


def released(rule: ReleaseRule, block: Block, rng: np.random.Generator) -> Block:
    """What a rule publishes of a block of a truth; `exact` hands on the block itself.

    Args:
        rng: for noise; the rules without noise leave it as it is.

    Raises:
        InputError: the block lists its likeliest tokens only and the rule is another than exact, or see `TopK`.

    >>> block = DenseBlock(np.log([[0.5, 0.3, 0.2]]))
    >>> released(parse_rule("exact"), block, np.random.default_rng(0)) is block
    True
    """
    if isinstance(rule, Exact):
        return block
    return rule.release(full_logprobs(block, rule.spec), rng)


def full_logprobs(block: Block, spec: str) -> Logs:
    """Normalised log-probabilities (positions, vocabulary) of a dense or factored block.

    Args:
        spec: the rule that asks for them, for the message.

    Raises:
        InputError: the block lists its likeliest tokens only.
    """
    match block:
        case DenseBlock(logprobs):
            return log_normalised(logprobs)
        case FactoredBlock(hidden, head):
            return log_normalised(head.logits(hidden))
        case TopKBlock(ids):
            raise InputError(
                "a truth that was cut already",
                where=f"release rule {spec}",
                got=f"its {ids.shape[1]} likeliest tokens only",
                expected="a truth with every probability: dense or factored",
                fix="Collect the truth again with every probability, or release this one as it is (exact).",
            )


def _round(spec: str, number: str) -> ReleaseRule:
    if not number.isdecimal() or int(number) > MOST_DIGITS:
        raise _bad(
            spec, "digits that cannot be", f"a whole number from 0 to {MOST_DIGITS}: float32 tells no more apart"
        )
    return Round(int(number))


def _topk(spec: str, number: str) -> ReleaseRule:
    if not number.isdecimal() or int(number) < 1:
        raise _bad(spec, "a list that cannot be", "a whole number of tokens, at least 1")
    return TopK(int(number))


def _noise(spec: str, number: str) -> ReleaseRule:
    return Noise(_positive(spec, number, "a standard deviation that cannot be"))


def _temperature(spec: str, number: str) -> ReleaseRule:
    return Temperature(_positive(spec, number, "a temperature that cannot be"))


def _positive(spec: str, number: str, what: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise _bad(spec, what, "a finite number above 0")
    return value


def _number(value: float) -> str:
    """The shortest text that reads as the same number.

    >>> _number(2.0), _number(0.1), _number(1e-05)
    ('2', '0.1', '1e-05')
    """
    return repr(float(value)).removesuffix(".0")


def _bad(spec: str, what: str, expected: str) -> InputError:
    return InputError(
        what,
        where="release rule",
        got=repr(spec),
        expected=expected,
        fix="For example: --rule float16 --rule round:2 --rule topk:20 --rule noise:0.1 --rule temperature:2.",
    )


_NUMBERED: dict[str, Callable[[str, str], ReleaseRule]] = {
    "round": _round,
    "topk": _topk,
    "noise": _noise,
    "temperature": _temperature,
}
