"""llama.cpp's server: exact softmax over the whole vocabulary by its native /completion, one request a position."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from foretell.targets.endpoint_client import Client
from foretell.targets.endpoint_dialect import NO_LIMIT, Row, Served, likeliest, missing_logprobs, part

_COMPLETION = "/completion"
_LETTER = "a"
#: Added to a logit, it leaves no other token a chance.
_CERTAIN = 10_000.0


class LlamaServer:
    """The dialect of llama.cpp's server.

    Its `n_probs` without `post_sampling_probs` are the softmax of the raw logits: no sampler and no temperature has
    touched them, which the answer's own settings confirm. `cache_prompt` is off because reused cache entries, computed
    in other batches, move the last digits from run to run.

    Source: llama.cpp, tools/server/README.md, "POST /completion".
    """

    def __init__(self, client: Client, model: str, entry: dict[str, Any]) -> None:
        self._client = client
        props = client.get("/props") or {}
        meta = part(entry, "meta") or {}
        context = part(props, "default_generation_settings", "n_ctx") or meta.get("n_ctx")
        kind = meta.get("ftype") or props.get("model_ftype") or "unknown"
        self.served = Served(
            model=model,
            engine=f"llama.cpp {props.get('build_info', 'unknown')}, /completion",
            weights=f"unknown: {kind}, {meta.get('n_params', '?')} parameters, {meta.get('size', '?')} bytes",
            dtype=f"unknown: {kind}",
            # one place is for the token that is generated
            context=NO_LIMIT if context is None else int(context) - 1,
            vocabulary=meta.get("n_vocab"),
        )

    def tokenize(self, text: str) -> list[int] | None:
        """See `Dialect`."""
        body = {"content": text, "add_special": True, "parse_special": True, "model": self.served.model}
        ids: list[int] = self._client.post("/tokenize", body)["tokens"]
        return ids

    @cached_property
    def _letter(self) -> int:
        """The token that is always generated: a letter. The server lists nothing with a token that ends the text or
        is a part of a character. The listed probabilities are those before samplers and biases.
        """
        tokens = self.tokenize(_LETTER)
        assert tokens
        return tokens[-1]

    def groups(self, positions: Sequence[int]) -> list[tuple[int, ...]]:
        """See `Dialect`: a request for each position."""
        return [(position,) for position in positions]

    def ask(self, ids: Sequence[int], positions: Sequence[int], top: int) -> list[Row]:
        """See `Dialect`."""
        return [self._ask_one(ids[: position + 1], top) for position in positions]

    def _ask_one(self, ids: Sequence[int], top: int) -> Row:
        body = {
            "model": self.served.model,
            "prompt": list(ids),
            "n_predict": 1,
            "n_probs": top,
            "temperature": 0.0,
            "post_sampling_probs": False,
            "backend_sampling": False,
            "cache_prompt": False,
            "logit_bias": [[self._letter, _CERTAIN]],
            "stream": False,
        }
        answer = self._client.post(_COMPLETION, body)
        found = part(answer, "completion_probabilities", 0, "top_logprobs")
        if not isinstance(found, list):
            raise missing_logprobs(self._client, _COMPLETION, found)
        read = part(answer, "tokens_evaluated")
        if read != len(ids) or part(answer, "generation_settings", "post_sampling_probs"):
            got = f"{read} tokens read, settings {str(part(answer, 'generation_settings'))[:80]}"
            fix = "Use a llama.cpp server that knows token ids as a prompt and post_sampling_probs."
            raise self._client.failure(_COMPLETION, "another question was answered", got, f"{len(ids)} tokens", fix)
        return likeliest({entry["id"]: entry["logprob"] for entry in found}, top, self._client, _COMPLETION)
