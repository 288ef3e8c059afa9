"""vLLM's server: log-probabilities of every position of a prompt in one request, by token id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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

_TOKEN_ID = "token_id:"


class VllmServer:
    """The dialect of vLLM.

    `prompt_logprobs[t]` is the distribution of token t given the tokens before it, so position t of ours is entry
    t + 1; the distribution after the last token is that of the one generated token. The samplers are set to do
    nothing, because a server started with `--logprobs-mode processed_logprobs` reports what they leave.

    Source: vLLM documentation, "OpenAI-Compatible Server", extra parameters of the completions API.
    """

    def __init__(self, client: Client, model: str, entry: dict[str, Any]) -> None:
        self._client = client
        version = part(client.get("/version"), "version") or "unknown"
        context = entry.get("max_model_len")
        self.served = Served(
            model=model,
            engine=f"vLLM {version}, prompt_logprobs",
            weights=f"unknown: {entry.get('root') or model}",
            dtype="unknown",
            # one place is for the token that is generated
            context=NO_LIMIT if context is None else int(context) - 1,
        )

    def tokenize(self, text: str) -> list[int] | None:
        """See `Dialect`."""
        body = {"model": self.served.model, "prompt": text, "add_special_tokens": True}
        ids: list[int] = self._client.post("/tokenize", body)["tokens"]
        return ids

    def groups(self, positions: Sequence[int]) -> list[tuple[int, ...]]:
        """See `Dialect`: one request for all."""
        return [tuple(positions)] if positions else []

    def ask(self, ids: Sequence[int], positions: Sequence[int], top: int) -> list[Row]:
        """See `Dialect`."""
        body = self._body(ids, top)
        last = len(ids) - 1
        if any(position < last for position in positions):
            body["prompt_logprobs"] = top
        choice = part(self._client.post(COMPLETIONS, body), "choices", 0)
        return [
            self._last(choice, top) if position == last else self._inner(choice, position, len(ids), top)
            for position in positions
        ]

    def _body(self, ids: Sequence[int], top: int) -> dict[str, Any]:
        return {
            **NEUTRAL,
            "model": self.served.model,
            "prompt": list(ids),
            "logprobs": top,
            "return_tokens_as_token_ids": True,
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }

    @property
    def leader(self) -> tuple[int, float] | None:
        """See `BiasedDialect`."""
        return None

    def ask_biased(self, ids: Sequence[int], bias: Mapping[int, float], top: int) -> Row:
        """See `BiasedDialect`."""
        body = self._body(ids, top) | {"logit_bias": {str(token): lift for token, lift in bias.items()}}
        return self._last(part(self._client.post(COMPLETIONS, body), "choices", 0), top)

    def _inner(self, choice: Any, position: int, tokens: int, top: int) -> Row:
        listed = part(choice, "prompt_logprobs")
        entry = part(listed, position + 1)
        if not isinstance(entry, dict) or len(listed) != tokens:
            raise missing_logprobs(self._client, COMPLETIONS, entry)
        row = {int(token): part(facts, "logprob") for token, facts in entry.items()}
        return likeliest(row, top, self._client, COMPLETIONS)

    def _last(self, choice: Any, top: int) -> Row:
        entry = part(choice, "logprobs", "top_logprobs", 0)
        if not isinstance(entry, dict) or not all(key.startswith(_TOKEN_ID) for key in entry):
            raise missing_logprobs(self._client, COMPLETIONS, entry)
        row = {int(key.removeprefix(_TOKEN_ID)): logprob for key, logprob in entry.items()}
        return likeliest(row, top, self._client, COMPLETIONS)
