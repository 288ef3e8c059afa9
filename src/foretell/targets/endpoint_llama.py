"""llama.cpp's server: exact softmax over the whole vocabulary by its native /completion, one request a position."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from foretell.targets.endpoint_client import Client
from foretell.targets.endpoint_dialect import NO_LIMIT, Row, Served, likeliest, missing_logprobs, part

_COMPLETION = "/completion"
_LETTER = "a"
#: Added to a logit, it leaves no other token a chance.
_CERTAIN = 10_000.0
#: Added to a logit beside a bias, it leaves other tokens a chance of about one in a million, and float32 room for
#: their probabilities: those below e⁻⁸⁷ are 0.
_LEAD = 40.0


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
        body = {"n_probs": top, "temperature": 0.0, "logit_bias": [[self._letter, _CERTAIN]]}
        found = self._listed(ids, body, post=False)
        return likeliest({entry["id"]: entry["logprob"] for entry in found}, top, self._client, _COMPLETION)

    @property
    def leader(self) -> tuple[int, float] | None:
        """See `BiasedDialect`: the letter, which has to be the token that is generated."""
        return self._letter, _LEAD

    def ask_biased(self, ids: Sequence[int], bias: Mapping[int, float], top: int) -> Row:
        """See `BiasedDialect`: probabilities after the bias and no other sampler, as their logs.

        Those that float32 cannot hold are 0 and left out.
        """
        body = {
            "n_probs": top,
            "temperature": 1.0,
            "samplers": [],
            "logit_bias": [[token, lift] for token, lift in bias.items()],
        }
        found = self._listed(ids, body, post=True)
        row = {entry["id"]: math.log(entry["prob"]) for entry in found if part(entry, "prob")}
        return likeliest(row, min(top, len(row)), self._client, _COMPLETION)

    def _listed(self, ids: Sequence[int], question: Mapping[str, Any], *, post: bool) -> list[Any]:
        """The entries of the one position that is generated; `post`: probabilities after bias and samplers."""
        body = {
            "model": self.served.model,
            "prompt": list(ids),
            "n_predict": 1,
            "post_sampling_probs": post,
            "backend_sampling": False,
            "cache_prompt": False,
            "stream": False,
            **question,
        }
        answer = self._client.post(_COMPLETION, body)
        found = part(answer, "completion_probabilities", 0, "top_probs" if post else "top_logprobs")
        if not isinstance(found, list):
            raise missing_logprobs(self._client, _COMPLETION, found)
        settings = part(answer, "generation_settings")
        read = part(answer, "tokens_evaluated")
        if read != len(ids) or bool(part(settings, "post_sampling_probs")) != post or (post and settings["samplers"]):
            got = f"{read} tokens read, settings {str(settings)[:80]}"
            fix = "Use a llama.cpp server that knows token ids as a prompt and post_sampling_probs."
            raise self._client.failure(_COMPLETION, "another question was answered", got, f"{len(ids)} tokens", fix)
        return found
