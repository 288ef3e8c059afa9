"""What all kinds of model server have in common: facts about what is served, and rows of top log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from foretell.base.errors import EndpointError, VocabularyError
from foretell.distributions import TopKBlock
from foretell.distributions.checks import SUM_TOLERANCE
from foretell.targets.endpoint_client import Client

COMPLETIONS = "/v1/completions"
#: Sampling that leaves probabilities as they are, for servers that report them after their samplers.
NEUTRAL: Mapping[str, Any] = {
    "max_tokens": 1,
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
#: For servers that do not say how much they read; they refuse what is too long by themselves.
NO_LIMIT = 2**31 - 1
Row = dict[int, float]


@dataclass(frozen=True)
class Served:
    """What a server says about its model.

    Attributes:
        model: the name to ask for.
        engine: server and version, and how it is asked.
        weights: what can be said about weights that cannot be seen: 'unknown: …'.
        dtype: what it says it computes in.
        context: the most tokens that a prompt may have.
        vocabulary: number of tokens it gives probabilities to, where it says so.
    """

    model: str
    engine: str
    weights: str
    dtype: str
    context: int
    vocabulary: int | None = None


class Dialect(Protocol):
    """How one kind of server is asked."""

    @property
    def served(self) -> Served: ...

    def tokenize(self, text: str) -> list[int] | None:
        """The server's own token ids of a text, special tokens included; None where it cannot be asked."""
        ...

    def groups(self, positions: Sequence[int]) -> list[tuple[int, ...]]:
        """The positions of one prompt, cut into what one request answers."""
        ...

    def ask(self, ids: Sequence[int], positions: Sequence[int], top: int) -> list[Row]:
        """Log-probability by token id, for each position: at least the `top` likeliest tokens."""
        ...


@runtime_checkable
class BiasedDialect(Dialect, Protocol):
    """A kind of server that takes a bias of logits, and may report log-probabilities as they are with it.

    Attributes:
        leader: a token that has to lead every biased answer, and by how many nats more it is biased; None where
            answers need none.
    """

    @property
    def leader(self) -> tuple[int, float] | None: ...

    def ask_biased(self, ids: Sequence[int], bias: Mapping[int, float], top: int) -> Row:
        """Log-probability by token id after all these tokens, of the `top` likeliest tokens with the bias."""
        ...


def likeliest(row: Mapping[int, Any], top: int, client: Client, path: str) -> Row:
    """The `top` likeliest tokens of an answer, checked.

    Servers add the sampled or the actual token to the top k; a token from further down is left out, so that every
    token that is not listed is at most as likely as every one that is.

    Raises:
        EndpointError: something that is not a log-probability, or fewer tokens than were asked for.
    """
    for token, logprob in row.items():
        number = isinstance(logprob, int | float) and not isinstance(logprob, bool)
        if not number or math.isnan(logprob) or logprob > SUM_TOLERANCE["float32"]:
            fix = "Check the server: these are no natural-log probabilities."
            raise client.failure(path, "a bad log-probability", f"{logprob!r} for token {token}", "at most 0", fix)
    if len(row) < top:
        fix = f"The server lists no more: ask for top={len(row)}." if row else "Ask a server that gives logprobs."
        raise client.failure(path, "too few log-probabilities", f"{len(row)} tokens", f"{top}", fix)
    return dict(sorted(row.items(), key=lambda item: (-item[1], item[0]))[:top])


def block_of_rows(rows: Sequence[Row], top: int, vocabulary: int, where: str) -> TopKBlock:
    """The rows as a block, with the mass that is not listed as log(1 − Σ listed) in float64.

    Raises:
        VocabularyError: a token id outside the vocabulary.
        EndpointError: listed probabilities that sum to more than 1 beyond rounding.

    >>> import math
    >>> block = block_of_rows([{4: math.log(0.5), 2: math.log(0.25)}], 2, 8, "here")
    >>> block.token_ids.tolist(), round(float(np.exp(block.rest_logprob[0])), 6)
    ([[4, 2]], 0.25)
    """
    ids = np.array([list(row) for row in rows], np.int32).reshape(len(rows), top)
    logprobs = np.array([list(row.values()) for row in rows], np.float32).reshape(len(rows), top)
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary:
        raise VocabularyError(
            "unknown token id",
            where=where,
            got=f"ids from {ids.min()} to {ids.max()}",
            expected=f"0 to {vocabulary - 1}",
            fix="Give the tokenizer.json of the very model that is served.",
        )
    # The stored float32 numbers are what the rest has to fit, so they are summed, not the server's decimals.
    listed = np.exp(logprobs.astype(np.float64)).sum(axis=1)
    if (listed > 1 + SUM_TOLERANCE["float32"]).any():
        raise EndpointError(
            "not a distribution",
            where=where,
            got=f"listed probabilities that sum to {listed.max():.6g}",
            expected=f"at most 1 + {SUM_TOLERANCE['float32']:g}",
            fix="Ask for fewer (top): servers lose digits when they sum a whole vocabulary. Or check its settings.",
        )
    rest = np.full(len(rows), -np.inf)
    np.log1p(-listed, out=rest, where=listed < 1)
    return TopKBlock(ids, logprobs, rest.astype(np.float32))


def part(answer: Any, *keys: str | int) -> Any:
    """A part deep in a JSON answer, or None where it is not there.

    >>> part({"choices": [{"text": "a"}]}, "choices", 0, "text"), part({"choices": []}, "choices", 0)
    ('a', None)
    """
    for key in keys:
        try:
            answer = answer[key]
        except (KeyError, IndexError, TypeError):
            return None
    return answer


def missing_logprobs(client: Client, path: str, got: Any) -> EndpointError:
    """The error for an answer without the log-probabilities that were asked for."""
    fix = "Ask a server that gives log-probabilities of completions (llama.cpp, vLLM), or another model of this one."
    return client.failure(path, "missing log-probabilities", repr(got)[:80], "one list a position", fix)
