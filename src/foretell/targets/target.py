"""The protocol of a target: what it is, how it reads text, and its next-token distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from foretell.distributions import Block, Head, Vocabulary


@dataclass(frozen=True)
class TargetIdentity:
    """What produced a truth: change one of these and it is another truth.

    Attributes:
        name: the spec it was asked for by, such as 'tiny' or 'hf:models/x'.
        weights: digest of the weights; for a composite, of its rule and its parts; for an endpoint, whose weights
            cannot be seen, 'unknown: <what it says>'.
        tokenizer: digest of the tokenizer.json.
        engine: library and version, such as 'onnxruntime 1.32.0'.
        dtype: what it computes in.
    """

    name: str
    weights: str
    tokenizer: str
    engine: str
    dtype: str

    def record(self) -> dict[str, Any]:
        """The identity for a manifest."""
        return {field: getattr(self, field) for field in ("name", "weights", "tokenizer", "engine", "dtype")}


class Target(Protocol):
    """A model that can be asked.

    Attributes:
        context: the most tokens that a prompt may have.
        head: the output layer when the target can give hidden states (factored truth), else None.
        kinds: what `distributions` gives, best first.
        batch_tokens: how many tokens (padding included) one call of `distributions` does well with.
    """

    @property
    def identity(self) -> TargetIdentity: ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def context(self) -> int: ...
    @property
    def head(self) -> Head | None: ...
    @property
    def kinds(self) -> tuple[str, ...]: ...
    @property
    def batch_tokens(self) -> int: ...

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids as the target reads the text, special tokens included."""
        ...

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        """One block a prompt, rows by ascending position.

        Args:
            batch: token ids of each prompt.
            positions: scored positions of each prompt; position t asks for token t + 1 given tokens 0 … t.
            kind: 'dense' (float32 log-probabilities, normalised), 'factored' (hidden states; only with a head) or
                'topk' (targets that know their top k only, such as endpoints).
        """
        ...
