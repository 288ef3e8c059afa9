"""One position's full log-probabilities through an interface that lists the top k and takes a logit bias.

Tokens that are in the unbiased top k are known at once. The others are lifted into the list group by group: k − 1 of
them and a reference by the same bias (`reference`), or k of them alone (`sum`). A token that is not lifted high enough
is seen to be missing and asked again with more; one that the server leaves out of the biased tokens is missing too,
because the unbiased top k are all above it. So nothing is taken for a token's log-probability that is not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import EndpointError, InputError
from foretell.information.fingerprint.precision import FLOAT32_ROUNDOFF, precision_of
from foretell.information.rebuild.logit_bias import by_reference, by_sum

Row = Mapping[int, float]
Bias = Mapping[int, float]
Method = Literal["reference", "sum"]

#: How much the first bias lifts the tokens above the unbiased first one, in nats, where it may be so much.
_LIFT = 12.0
#: What a bias is raised by: its double where a reference cancels it, little where it costs precision.
_RAISE: Mapping[Method, Callable[[float], float]] = {"reference": lambda b: 2 * b, "sum": lambda b: b + 2}
_FIRST_SUM = 4.0
#: The bias that tries the server out, and how far its effect may be off: more than decimals would make it.
_TRIAL, _TRIAL_OFF = 3.0, 0.25
#: Trying needs two tokens: one that is biased, and one that is not.
_LEAST_TOP = 2
#: Float32 roundings between logits and a reported log-probability: bias, largest logit, normaliser, and the result.
_OPERATIONS = 4
#: Log-probabilities that an error estimate counts: one of each answer, the reference in both, the reference's own.
_READINGS = 3
#: An error beyond this says that nothing was rebuilt.
_WORTHLESS_NATS = 1.0


@dataclass(frozen=True)
class Interface:
    """How one position can be asked.

    Attributes:
        where: the server, for messages.
        plain: the unbiased top k.
        biased: the top k under each of some biases, in order.
        top: k.
        leader: a token that has to lead every biased answer, and by how many nats more it is biased.
    """

    where: str
    plain: Callable[[], Row]
    biased: Callable[[Sequence[Bias]], Sequence[Row]]
    top: int
    leader: tuple[int, float] | None = None


@dataclass(frozen=True)
class RebuildSettings:
    """How to ask.

    Attributes:
        method: 'reference' (1/(k−1) queries a token, keeps precision) or 'sum' (1/k, loses it with the bias).
        max_bias: the largest that the server takes.
        repeats: how often the first answers are asked again, to see whether they are the same.
    """

    method: Method = "reference"
    max_bias: float = 100.0
    repeats: int = 1


@dataclass(frozen=True)
class Rebuilt:
    """What was rebuilt of one position.

    Attributes:
        logprobs: of every token, normalised, (vocabulary,).
        queries: requests in all.
        largest_bias: that was needed.
        mass_off_nats: log of what the probabilities summed to before they were normalised.
        spread_nats: the largest difference between answers to the same question, which noise may exceed.
        error_nats: what a log-probability may be off by: the rounding of what was reported, float32 arithmetic with
            such a bias, and the spread.
    """

    logprobs: NDArray[np.float64]
    queries: int
    largest_bias: float
    mass_off_nats: float
    spread_nats: float
    error_nats: float


@dataclass
class _State:
    """One position while it is asked."""

    interface: Interface
    settings: RebuildSettings
    reference: int
    control: int
    known: dict[int, float]
    size: int
    queries: int = 0
    bias: float = 0.0
    log_d: float = 0.0
    spread: float = 0.0
    seen: list[float] = field(default_factory=list)
    tried: set[float] = field(default_factory=set)

    def ask(self, biases: Sequence[Bias]) -> list[Row]:
        """Ask, and keep count."""
        rows = list(self.interface.biased(biases))
        self.queries += len(rows)
        self.seen += itertools.chain.from_iterable(row.values() for row in rows)
        return rows

    def lifting(self, tokens: Iterable[int], bias: float) -> dict[int, float]:
        """The bias that lifts some tokens, below the leader where there is one; the reference needs none."""
        made = dict.fromkeys(tokens, bias)
        if self.interface.leader is not None:
            made[self.interface.leader[0]] = bias + self.interface.leader[1]
        return made


def rebuild(interface: Interface, vocabulary: int, settings: RebuildSettings | None = None) -> Rebuilt:
    """Full log-probabilities of one position.

    Args:
        vocabulary: number of tokens.

    Raises:
        InputError: a list too short, or a method that does not go with the server.
        EndpointError: the server reports log-probabilities from before the bias, applies another one, leaves tokens
            out whatever their bias, or what it reports is no distribution.

    >>> p = np.log(np.random.default_rng(0).dirichlet(np.ones(50)))
    >>> def top(bias):
    ...     q = p.copy()
    ...     for token, b in bias.items():
    ...         q[token] += b
    ...     q -= np.logaddexp.reduce(q)
    ...     return {int(token): float(q[token]) for token in np.argsort(-q)[:5]}
    >>> found = rebuild(Interface("here", lambda: top({}), lambda biases: [top(b) for b in biases], 5), 50)
    >>> bool(np.abs(found.logprobs - p).max() < 1e-12), found.queries
    (True, 17)
    """
    settings = settings or RebuildSettings()
    _check(interface, settings)
    state = _begin(interface, settings)
    rest = [token for token in range(vocabulary) if token not in state.known]
    first, others = rest[: state.size], rest[state.size :]
    gap = max(state.known.values()) - min(state.known.values())
    start = min(settings.max_bias, gap + (_LIFT if settings.method == "reference" else _FIRST_SUM))
    state.bias = start
    _lift(state, first)
    _repeat(state, first)
    if settings.method == "sum":
        state.bias = start  # each group is to have the least bias that lists it
    _lift(state, others)
    return _normalised(state, vocabulary)


def _check(interface: Interface, settings: RebuildSettings) -> None:
    least = _LEAST_TOP
    if interface.top < least or settings.method not in _RAISE or (interface.leader and settings.method == "sum"):
        raise InputError(
            "cannot be rebuilt so",
            where=interface.where,
            got=f"a list of {interface.top}, method {settings.method!r}",
            expected=f"a list of {least} or more, and 'reference', or 'sum' where no token has to lead (llama.cpp)",
            fix="Ask for more tokens (--top), or leave --method out.",
        )


def _begin(interface: Interface, settings: RebuildSettings) -> _State:
    """Ask without a bias, choose the reference, and try a bias out."""
    plain = interface.plain()
    first, second = sorted(plain, key=lambda token: (-plain[token], token))[:2]
    size = interface.top - (settings.method == "reference")
    state = _State(interface, settings, first, second, dict(plain), size, 1, seen=list(plain.values()))
    leader = {} if interface.leader is None else {interface.leader[0]: interface.leader[1]}
    if interface.leader is not None:
        (led,) = state.ask([leader])
        token = state.reference = interface.leader[0]
        anchor = state.control = second if token == first else first
        _require(state, led, (anchor, token))
        state.known[token] = plain[anchor] + (led[token] - leader[token]) - led[anchor]
    else:
        led = plain
    other = state.control
    (tried,) = state.ask([leader | {other: _TRIAL}])
    _require(state, tried, (state.reference, other))
    shift = (tried[other] - tried[state.reference]) - (led[other] - led[state.reference])
    if abs(shift - _TRIAL) > _TRIAL_OFF:
        raise _not_that_bias(interface, shift, _TRIAL)
    return state


def _require(state: _State, row: Row, tokens: Iterable[int]) -> None:
    missing = [token for token in tokens if token not in row]
    if missing:
        what, fix = "a likely token is missing from the list", "Ask for more tokens (--top), or use another interface."
        raise _refused(state.interface, what, f"no token {missing[0]}", "the likeliest tokens in every answer", fix)


def _lift(state: _State, tokens: Sequence[int]) -> None:
    """Ask for tokens in groups until each is known; raise the bias, then make groups smaller, for those missing."""
    while tokens:
        if state.settings.method == "reference" and state.bias not in state.tried:
            _try(state, tokens)
        groups = [tokens[start : start + state.size] for start in range(0, len(tokens), state.size)]
        rows = state.ask([state.lifting(group, state.bias) for group in groups])
        missing = [token for group, row in zip(groups, rows, strict=True) for token in _read(state, group, row)]
        if missing:
            _harder(state, missing)
        tokens = missing


def _try(state: _State, tokens: Sequence[int]) -> None:
    """Lift a token that is known too: a server that quietly takes less of this bias is told by it."""
    state.tried.add(state.bias)
    (row,) = state.ask([state.lifting([state.control, *tokens[: state.size - 1]], state.bias)])
    if state.control in row and state.reference in row:
        known = state.known[state.control]
        _read(state, [state.control], row)
        off, state.known[state.control] = state.known[state.control] - known, known
        if abs(off) > _TRIAL_OFF:
            raise _not_that_bias(state.interface, state.bias + off, state.bias)


def _read(state: _State, group: Sequence[int], row: Row) -> list[int]:
    """Take what an answer gives; the tokens that it does not."""
    listed = [token for token in group if token in row]
    if state.settings.method == "sum":
        if len(listed) < len(group):
            return list(group)
        logs, log_d = by_sum([row[token] for token in group], state.bias)
        state.log_d = max(state.log_d, log_d)
    else:
        if state.reference not in row:
            return list(group)
        lifted = state.lifting((), state.bias).get(state.reference, 0.0)
        reported = [row[token] for token in listed]
        logs = by_reference(reported, state.bias, row[state.reference], lifted, state.known[state.reference])
    state.known.update(zip(listed, (float(log) for log in logs), strict=True))
    return [token for token in group if token not in row]


def _harder(state: _State, missing: Sequence[int]) -> None:
    """More bias, or smaller groups once there is no more."""
    limit = state.settings.max_bias
    if state.bias < limit:
        state.bias = min(limit, _RAISE[state.settings.method](state.bias))
        return
    if state.size > 1:
        state.size //= 2
        return
    got = f"{len(missing)} tokens (first: {missing[0]}) missing with a bias of {state.bias:g}, alone in a request"
    fix = "Raise --max-bias if the server takes more; else it bars these tokens, and nobody is told their probability."
    expected = "every token listed when its bias is large enough"
    raise _refused(state.interface, "tokens that no bias lifts into the list", got, expected, fix)


def _repeat(state: _State, group: Sequence[int]) -> None:
    """Ask the first answers again: what differs is noise."""
    known = dict(state.known)
    for _ in range(state.settings.repeats):
        plain = state.interface.plain()
        state.queries += 1
        _read(state, group, state.ask([state.lifting(group, state.bias)])[0])
        offsets = [abs(state.known[token] - known[token]) for token in group]
        offsets += [abs(plain[token] - known[token]) for token in plain if token in known]
        state.spread = max(state.spread, *offsets)
        state.known = dict(known)


def _normalised(state: _State, vocabulary: int) -> Rebuilt:
    logs = np.array([state.known[token] for token in range(vocabulary)])
    off, error = float(np.logaddexp.reduce(logs)), _error_nats(state)
    if error > _WORTHLESS_NATS:
        what, got = "nothing is left of the precision", f"an error of up to {error:.1g} nats"
        fix = "Leave --method out, which keeps it, or use a server that gives the same answer to the same question."
        raise _refused(state.interface, what, got, f"at most {_WORTHLESS_NATS:g} nat", fix)
    # All answers hang on the one without a bias, whose normaliser a server sums in float32: it is common to all tokens.
    summing = vocabulary * FLOAT32_ROUNDOFF
    if not abs(off) <= error + summing:
        what, expected = "rebuilt probabilities do not sum to 1", f"1 ± {error + summing:.1g}, by rounding"
        fix = "The server is noisy (raise --repeats to measure it), or changes more than the bias says."
        raise _refused(state.interface, what, f"{math.exp(off):.6g}", expected, fix)
    return Rebuilt(logs - off, state.queries, state.bias, off, state.spread, error)


def _error_nats(state: _State) -> float:
    seen = np.array([state.seen])
    written = float(precision_of(seen).half_steps(seen).max())
    largest = state.bias + float(np.abs(seen).max()) + (state.interface.leader or (0, 0.0))[1]
    own = written + _OPERATIONS * FLOAT32_ROUNDOFF * largest + state.spread
    return float(_READINGS * own * math.exp(state.log_d))


def _not_that_bias(interface: Interface, shift: float, bias: float) -> EndpointError:
    if abs(shift) <= _TRIAL_OFF:
        what = "the server reports log-probabilities from before the bias"
        fix = (
            "Nothing can be rebuilt through it: llama.cpp's own /completion reports them after, and so does vLLM with "
        )
        fix += "--logprobs-mode processed_logprobs."
    else:
        what = "another bias than was asked for"
        fix = "A limit may be in force (--max-bias), a temperature or a penalty: set these to do nothing."
    return _refused(interface, what, f"a change by {shift:.2f} nats", f"by {bias:g}, as the bias says", fix)


def _refused(interface: Interface, what: str, got: str, expected: str, fix: str) -> EndpointError:
    return EndpointError(what, where=interface.where, got=got, expected=expected, fix=fix)
