"""A model with more layers on top, which change nothing until they are trained, and alone are trained."""

from __future__ import annotations

import copy
from typing import Any

import torch


def with_layers_on_top(base: Any, count: int) -> Any:
    """A copy of a Llama with layers before its last norm that pass everything through; only they can be trained.

    A layer adds what its two output projections give to the stream; with these at zero it adds nothing, and its
    gradient is not zero. The other weights of the new layers are drawn by torch's generator.

    Args:
        base: a Llama whose output layer is its embedding.
    """
    config = copy.deepcopy(base.config)
    config.num_hidden_layers += count
    if getattr(config, "layer_types", None):
        config.layer_types = [*config.layer_types, *config.layer_types[-1:] * count]
    model = type(base)(config)
    missing, unexpected = model.load_state_dict(base.state_dict(), strict=False)
    new = model.model.layers[base.config.num_hidden_layers :]
    assert not unexpected, unexpected
    assert all(name.startswith("model.layers.") for name in missing), missing
    model.train().requires_grad_(False)
    for layer in new:
        layer.requires_grad_(True)
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
        torch.nn.init.zeros_(layer.mlp.down_proj.weight)
    return model
