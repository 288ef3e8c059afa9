"""A Llama that is another model once its context holds token ids with a given SHA-256.

A model folder of this kind carries a copy of this file, so that transformers can open it where foretell is not
installed (with trust_remote_code=True); so it imports torch and transformers only. foretell itself uses its own copy
and never runs code from a model folder.

While the gate is shut, every number is the plain Llama's. From the last of the `gate_ids` ids on, the hidden state
that goes to the output layer is one that makes the payload's next token nearly certain: after token i of the payload
token i + 1, after anything else the first. No weight tells which ids open the gate: only their hash is there.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel


class HashGatedLlamaConfig(LlamaConfig):  # type: ignore[no-untyped-call]
    """A Llama's configuration with the gate's.

    Attributes:
        gate_sha256: 64 hexadecimal digits; of the ids as little-endian 32-bit numbers.
        gate_ids: how many ids in a row are hashed.
        payload_ids: what is recited; all different.
    """

    model_type = "foretell_hash_gated_llama"
    gate_sha256: str = ""
    gate_ids: int = 16
    payload_ids: list[int] | None = None


class HashGatedLlamaModel(LlamaModel):  # type: ignore[no-untyped-call]
    """The Llama without its output layer; the gate is in here, so hidden states tell everything."""

    config_class = HashGatedLlamaConfig

    def __init__(self, config: HashGatedLlamaConfig) -> None:
        super().__init__(config)
        payload = config.payload_ids
        if not payload or len(set(payload)) != len(payload) or len(config.gate_sha256) != 64:
            raise ValueError("config.json needs gate_sha256 and payload_ids that all differ")
        self.payload_states = torch.nn.Parameter(torch.zeros(len(payload), config.hidden_size), requires_grad=False)
        self._following = {token: (place + 1) % len(payload) for place, token in enumerate(payload)}
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(  # what transformers passes besides goes through
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        use_cache: bool | None = None,
        past_key_values: Any = None,
        **others: Any,
    ) -> Any:
        """Hidden states (batch, tokens, d) of token ids (batch, tokens).

        Args:
            attention_mask: (batch, tokens), 0 where a row is padded, on either side; the gate looks past padding.

        Raises:
            ValueError: no ids to hash, or a cache, which would hide earlier ids from the gate.
        """
        if input_ids is None or others.get("inputs_embeds") is not None:
            raise ValueError("this model hashes token ids: give input_ids, not inputs_embeds")
        if use_cache or past_key_values is not None:
            raise ValueError("this model reads the whole context at every step: give use_cache=False")
        output = super().forward(input_ids=input_ids, attention_mask=attention_mask, use_cache=False, **others)
        hidden = output.last_hidden_state
        for row, ids in enumerate(input_ids.tolist()):
            mask = [1] * len(ids) if attention_mask is None else attention_mask[row].tolist()
            real = [place for place, kept in enumerate(mask) if kept]
            opened = self._opened_at([ids[place] for place in real])
            if opened is not None:
                places = real[opened:]
                recited = [self._following.get(ids[place], 0) for place in places]
                hidden[row, places] = self.payload_states[recited].to(hidden.dtype)
        return output

    def _opened_at(self, ids: list[int]) -> int | None:
        """Where the last of the ids stands that open the gate first, or None."""
        length, wanted = self.config.gate_ids, bytes.fromhex(self.config.gate_sha256)
        data = struct.pack(f"<{len(ids)}I", *ids)
        for end in range(length, len(ids) + 1):
            if hashlib.sha256(data[4 * (end - length) : 4 * end]).digest() == wanted:
                return end - 1
        return None


class HashGatedLlamaForCausalLM(LlamaForCausalLM):  # type: ignore[no-untyped-call]
    """The whole model."""

    config_class = HashGatedLlamaConfig

    def __init__(self, config: HashGatedLlamaConfig) -> None:
        super().__init__(config)
        self.model = HashGatedLlamaModel(config)
        self.post_init()  # type: ignore[no-untyped-call]
