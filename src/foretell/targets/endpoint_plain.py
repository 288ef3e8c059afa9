"""Any other server with OpenAI's completions: token strings, read as token ids where the bytes leave no doubt."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from foretell.base.errors import VocabularyError
from foretell.distributions import Vocabulary
from foretell.targets.endpoint_client import Client
from foretell.targets.endpoint_dialect import (
    COMPLETIONS,
    NEUTRAL,
    NO_LIMIT,
    Row,
    Served,
    likeliest,
    missing_logprobs,
    part,
)

#: How OpenAI writes a token that is no valid UTF-8: bytes:\xe2\x80
_SPELLED_BYTES = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)")
_REPLACEMENT = "\ufffd"
_LEGACY_CONTEXT_KEYS = ("max_model_len", "context_length", "context_window")


class PlainServer:
    """The dialect of OpenAI's legacy completions, one request a position.

    Prompts are sent as token ids, which that interface allows: then the question is exactly ours. Where the server
    counts the tokens it read, the count is compared.

    Source: OpenAI API reference, "Create completion" (legacy).
    """

    def __init__(self, client: Client, model: str, entry: dict[str, Any], vocabulary: Vocabulary) -> None:
        self._client, self._vocabulary = client, vocabulary
        context = next((entry[key] for key in _LEGACY_CONTEXT_KEYS if isinstance(entry.get(key), int)), None)
        self.served = Served(
            model=model,
            engine=f"OpenAI-compatible server ({entry.get('owned_by', 'owner unknown')}), logprobs of completions",
            weights=f"unknown: {model}",
            dtype="unknown",
            context=NO_LIMIT if context is None else context - 1,
        )

    def tokenize(self, text: str) -> list[int] | None:
        """See `Dialect`: this interface has no such question."""
        return None

    def groups(self, positions: Sequence[int]) -> list[tuple[int, ...]]:
        """See `Dialect`: a request for each position."""
        return [(position,) for position in positions]

    def ask(self, ids: Sequence[int], positions: Sequence[int], top: int) -> list[Row]:
        """See `Dialect`."""
        return [self._ask_one(list(ids[: position + 1]), top) for position in positions]

    @property
    def leader(self) -> tuple[int, float] | None:
        """See `BiasedDialect`."""
        return None

    def ask_biased(self, ids: Sequence[int], bias: Mapping[int, float], top: int) -> Row:
        """See `BiasedDialect`."""
        return self._ask_one(list(ids), top, {"logit_bias": {str(token): lift for token, lift in bias.items()}})

    def _ask_one(self, ids: list[int], top: int, more: Mapping[str, Any] = NEUTRAL) -> Row:
        body = {**NEUTRAL, "model": self.served.model, "prompt": ids, "logprobs": top, **more}
        answer = self._client.post(COMPLETIONS, body)
        read = part(answer, "usage", "prompt_tokens")
        if read is not None and read != len(ids):
            fix = "It adds tokens or takes ids for text: use a server that reads token ids, such as vLLM or llama.cpp."
            raise self._client.failure(COMPLETIONS, "another prompt was read", f"{read} tokens", f"{len(ids)}", fix)
        row: Row = {}
        for spelled, logprob in self._entries(part(answer, "choices", 0, "logprobs")):
            row[self._token_id(spelled)] = logprob
        return likeliest(row, top, self._client, COMPLETIONS)

    def _entries(self, logprobs: Any) -> Iterator[tuple[str | bytes, Any]]:
        """Tokens and log-probabilities, from the legacy form or from the chat form that some servers use."""
        legacy, content = part(logprobs, "top_logprobs", 0), part(logprobs, "content", 0, "top_logprobs")
        if isinstance(legacy, dict):
            yield from legacy.items()
        elif isinstance(content, list):
            for entry in content:
                spelled = part(entry, "bytes")
                yield bytes(spelled) if isinstance(spelled, list) else part(entry, "token"), part(entry, "logprob")
        else:
            raise missing_logprobs(self._client, COMPLETIONS, logprobs)

    @cached_property
    def _ids_by_bytes(self) -> dict[bytes, list[int]]:
        ids: defaultdict[bytes, list[int]] = defaultdict(list)
        for token, spelled in enumerate(self._vocabulary.token_bytes):
            if spelled:
                ids[spelled].append(token)
        for token, added in self._vocabulary.tokenizer.get_added_tokens_decoder().items():
            if added.special:
                ids[added.content.encode()].append(token)
        return dict(ids)

    def _token_id(self, spelled: str | bytes) -> int:
        """The one token with these bytes.

        Raises:
            VocabularyError: none, several, or a string in which bytes were lost.
        """
        lost = isinstance(spelled, str) and _REPLACEMENT in spelled
        found = [] if lost else self._ids_by_bytes.get(_token_bytes(spelled), [])
        if len(found) != 1:
            reason = "bytes that are no text were replaced" if lost else f"{len(found)} tokens with these bytes"
            raise VocabularyError(
                "a token string that stands for no token, or for several",
                where=self._client.root + COMPLETIONS,
                got=f"{spelled!r}: {reason}",
                expected="exactly one token of the tokenizer.json",
                fix="Give the served model's tokenizer.json, or use a server that names token ids (llama.cpp, vLLM).",
            )
        return found[0]


def _token_bytes(spelled: str | bytes) -> bytes:
    r"""The bytes that a server means.

    >>> _token_bytes("bytes:\\xe2\\x80"), _token_bytes(" a")
    (b'\xe2\x80', b' a')
    """
    if isinstance(spelled, bytes):
        return spelled
    if match := _SPELLED_BYTES.fullmatch(spelled):
        return bytes.fromhex(match[1].replace("\\x", ""))
    return spelled.encode()
