"""A served model as a target with full distributions: each position rebuilt through top k and logit bias."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from foretell.base.errors import InputError
from foretell.distributions import Block, DenseBlock, Head, TokenizedPrompt
from foretell.information.rebuild.rebuilding import Interface, RebuildSettings, Rebuilt, rebuild
from foretell.targets.endpoint_target import EndpointTarget

#: One prompt a call, so that a stopped run loses no finished prompt.
_BATCH_TOKENS = 1


class RebuiltTarget:
    """An endpoint whose truths list every token.

    Args:
        endpoint: a server that takes a bias of logits.
    """

    def __init__(self, endpoint: EndpointTarget, settings: RebuildSettings) -> None:
        self._endpoint, self._settings = endpoint, settings
        self._biased = endpoint.biased
        self._rebuilt: dict[tuple[int, ...], Rebuilt] = {}
        self.vocabulary, self.context = endpoint.vocabulary, endpoint.context
        self.batch_tokens = _BATCH_TOKENS
        self.kinds: tuple[str, ...] = ("dense",)
        self.head: Head | None = None
        how = f"rebuilt from the top {endpoint.top} and logit bias up to {settings.max_bias:g}, by {settings.method}"
        self.identity = replace(endpoint.identity, engine=f"{endpoint.identity.engine}; {how}")

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids as the endpoint reads the text."""
        return self._endpoint.encode(text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        """One dense block a prompt, rows by ascending position (see `Target`).

        Raises:
            InputError: another kind.
            EndpointError: see `rebuild`.
        """
        if kind != "dense":
            raise InputError(
                "a kind that rebuilding does not give",
                where=self.identity.name,
                got=repr(kind),
                expected="'dense'",
                fix="Leave --kind out.",
            )
        return [
            DenseBlock(np.stack([self._row(tuple(ids[: position + 1])) for position in sorted(chosen)]))
            for ids, chosen in zip(batch, positions, strict=True)
        ]

    def _row(self, ids: tuple[int, ...]) -> np.ndarray:
        dialect, top = self._biased, self._endpoint.top
        interface = Interface(
            where=self.identity.name,
            plain=lambda: dialect.ask(ids, [len(ids) - 1], top)[0],
            biased=partial(self._endpoint.rows_with_bias, ids),
            top=top,
            leader=dialect.leader,
        )
        found = rebuild(interface, self.vocabulary.size, self._settings)
        # The numbers are with the caller; what is kept is how they came about.
        self._rebuilt[ids] = replace(found, logprobs=np.empty(0))
        return found.logprobs.astype(np.float32)

    def measured(self, sample: Sequence[TokenizedPrompt]) -> dict[str, Any]:
        """What rebuilding the positions of some prompts took and how far it may be off, for a manifest."""
        places = [prompt.token_ids[: position + 1] for prompt in sample for position in prompt.positions]
        found = [self._rebuilt[place] for place in places]
        rate = sum(one.queries for one in found) / (len(found) * self.vocabulary.size)
        return {
            "rebuilt_on": f"{len(found)} positions of {len(sample)} prompts",
            "queries_per_logit": rate,
            "largest_bias": max(one.largest_bias for one in found),
            "mass_off_nats": max(abs(one.mass_off_nats) for one in found),
            "spread_nats": max(one.spread_nats for one in found),
            "error_nats": max(one.error_nats for one in found),
            "bits": -math.log2(max(one.error_nats for one in found)),
        }
