"""Changes of a Llama's weights that change no answer to any prompt: what can never be read from answers.

Each kind is a family of exact symmetries, counted by its dimension:

- gains: an RMS norm's gain times a factor in one coordinate, and that column of what reads it divided by the factor;
- values: A V in place of a head's value rows and O A⁻¹ in place of the output columns of the heads that share it;
- keys: B K and B⁻ᵀ Q, where B commutes with the rotary embedding: one scaled rotation a frequency;
- neurons: an up row of the MLP times a factor, and its down column divided by it;
- and where input and output embeddings are not tied: rotations of the residual stream, and one vector added to all rows
  of the output layer, which moves all logits alike.

Scaling the whole residual stream is nearly one more: only the ε in the norms breaks it; it is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.interval import Unscored
from foretell.targets.target import Target
from foretell.targets.torch_fisher import torch_target

Float64 = NDArray[np.float64]
#: A change of the weights by tensor name; tensors that it leaves alone are missing.
Change = dict[str, Float64]


@dataclass(frozen=True)
class Symmetry:
    """One family of symmetries in one place of the model.

    Attributes:
        kind: which.
        directions: its dimension.
        tangent: from (directions,) coordinates to the change of the weights to first order.
    """

    kind: str
    directions: int
    tangent: Callable[[Float64], Change]


def known_symmetries(target: Target) -> list[Symmetry] | Unscored:
    """Every symmetry of the kinds above, or why they are not known.

    Raises:
        InputError: a target that torch does not run.
    """
    model = torch_target(target).model
    config = model.config
    if type(model).__name__ != "LlamaForCausalLM":
        return Unscored(f"the symmetries of {type(model).__name__} are not written down here, only Llama's")
    if config.attention_bias or config.mlp_bias:
        return Unscored("the symmetries of a Llama with biases are not written down here")
    return list(_Llama(model).symmetries())


def by_kind(symmetries: list[Symmetry] | Unscored) -> dict[str, int] | Unscored:
    """How many directions of each kind."""
    if isinstance(symmetries, Unscored):
        return symmetries
    found: dict[str, int] = {}
    for one in symmetries:
        found[one.kind] = found.get(one.kind, 0) + one.directions
    return found


class _Llama:
    """The weights of a model, in double precision, and the symmetries of each layer."""

    def __init__(self, model: Any) -> None:
        self._weights = {name: tensor.detach().double().numpy() for name, tensor in model.named_parameters()}
        config = model.config
        self._layers = int(config.num_hidden_layers)
        self._width, self._head = int(config.hidden_size), int(config.head_dim)
        self._shared = int(config.num_key_value_heads)
        self._group = int(config.num_attention_heads) // self._shared
        self._tied = "lm_head.weight" not in self._weights

    def symmetries(self) -> Iterator[Symmetry]:
        for index in range(self._layers):
            layer = f"model.layers.{index}."
            attention, mlp = layer + "self_attn.", layer + "mlp."
            for gain, readers in self._norms(layer):
                yield self._gains(gain, readers)
            for head in range(self._shared):
                yield self._values(attention, head)
                yield self._keys(attention, head)
            yield self._neurons(mlp)
        if not self._tied:
            yield self._gains("model.norm.weight", ["lm_head.weight"])
            yield Symmetry("rotations", self._width * (self._width - 1) // 2, self._rotation)
            rows = len(self._weights["lm_head.weight"])
            yield Symmetry("shifts", self._width, lambda c: {"lm_head.weight": np.tile(c, (rows, 1))})

    def _norms(self, layer: str) -> list[tuple[str, list[str]]]:
        attention = [f"{layer}self_attn.{name}_proj.weight" for name in "qkv"]
        mlp = [f"{layer}mlp.{name}_proj.weight" for name in ("gate", "up")]
        return [(f"{layer}input_layernorm.weight", attention), (f"{layer}post_attention_layernorm.weight", mlp)]

    def _gains(self, gain: str, readers: list[str]) -> Symmetry:
        def tangent(c: Float64) -> Change:
            return {gain: c * self._weights[gain]} | {name: -self._weights[name] * c for name in readers}

        return Symmetry("gains", self._width, tangent)

    def _values(self, attention: str, head: int) -> Symmetry:
        v, o, size = attention + "v_proj.weight", attention + "o_proj.weight", self._head

        def tangent(c: Float64) -> Change:
            mix, value, out = c.reshape(size, size), np.zeros_like(self._weights[v]), np.zeros_like(self._weights[o])
            rows = slice(head * size, (head + 1) * size)
            value[rows] = mix @ self._weights[v][rows]
            for columns in self._queries(head):
                out[:, columns] = -self._weights[o][:, columns] @ mix
            return {v: value, o: out}

        return Symmetry("values", size**2, tangent)

    def _keys(self, attention: str, head: int) -> Symmetry:
        k, q, size = attention + "k_proj.weight", attention + "q_proj.weight", self._head

        def tangent(c: Float64) -> Change:
            scales, turns = np.split(c, 2)
            # The two coordinates of a rotary pair lie half a head apart.
            mix = np.block([[np.diag(scales), -np.diag(turns)], [np.diag(turns), np.diag(scales)]])
            key, query = np.zeros_like(self._weights[k]), np.zeros_like(self._weights[q])
            rows = slice(head * size, (head + 1) * size)
            key[rows] = mix @ self._weights[k][rows]
            for own in self._queries(head):
                query[own] = -mix.T @ self._weights[q][own]
            return {k: key, q: query}

        return Symmetry("keys", size, tangent)

    def _queries(self, head: int) -> list[slice]:
        """Where the query heads lie that share a key and value head."""
        first = head * self._group
        return [slice(own * self._head, (own + 1) * self._head) for own in range(first, first + self._group)]

    def _neurons(self, mlp: str) -> Symmetry:
        up, down = mlp + "up_proj.weight", mlp + "down_proj.weight"

        def tangent(c: Float64) -> Change:
            return {up: c[:, None] * self._weights[up], down: -self._weights[down] * c}

        return Symmetry("neurons", len(self._weights[up]), tangent)

    def _rotation(self, c: Float64) -> Change:
        """What writes to the residual stream is turned, and what reads it through a gain turned back."""
        turn = np.zeros((self._width, self._width))
        turn[np.triu_indices(self._width, 1)] = c
        turn -= turn.T
        change = {"model.embed_tokens.weight": self._weights["model.embed_tokens.weight"] @ turn}
        readers = [("model.norm.weight", ["lm_head.weight"])]
        for index in range(self._layers):
            layer = f"model.layers.{index}."
            readers += self._norms(layer)
            for name in (layer + "self_attn.o_proj.weight", layer + "mlp.down_proj.weight"):
                change[name] = turn.T @ self._weights[name]
        for gain, names in readers:
            g = self._weights[gain]
            change |= {name: self._weights[name] * g @ turn / g for name in names}
        return change
