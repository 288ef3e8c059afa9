"""Early exit (logit lens): stop after k of tiny's 4 layers and read the hidden state with the model's own output layer.

A Llama's forward pass in numpy. It runs the target's first layers on the prompt: no forecast where a charter forbids
that. Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
"""

import json
from functools import partial

import numpy as np
from safetensors.numpy import load_file

from foretell.targets.tiny import checkpoint_folder

CONFIG = json.loads((checkpoint_folder() / "config.json").read_text())
WEIGHTS = load_file(checkpoint_folder() / "model.safetensors")
HEADS, WIDTH, THETA = CONFIG["num_attention_heads"], CONFIG["head_dim"], CONFIG["rope_parameters"]["rope_theta"]
PROJECTIONS = [("self_attn", name) for name in "qkvo"] + [("mlp", name) for name in ("gate", "up", "down")]


def norm(x: np.ndarray, name: str) -> np.ndarray:
    """RMSNorm with the weight of that name."""
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + CONFIG["rms_norm_eps"]) * WEIGHTS[name]


def rotate(x: np.ndarray) -> np.ndarray:
    """Rotary positions: (heads, tokens, width)."""
    angles = np.tile(np.arange(x.shape[1])[:, None] * THETA ** -(np.arange(0, WIDTH, 2) / WIDTH), 2)
    half = np.concatenate([-x[..., WIDTH // 2 :], x[..., : WIDTH // 2]], -1)
    return x * np.cos(angles) + half * np.sin(angles)


def layer(x: np.ndarray, number: int) -> np.ndarray:
    """One block: attention, then the gated network; (tokens, hidden)."""
    at = f"model.layers.{number}."
    w = {name: WEIGHTS[f"{at}{part}.{name}_proj.weight"].T for part, name in PROJECTIONS}
    h = norm(x, at + "input_layernorm.weight")
    q, k, v = ((h @ w[name]).reshape(len(x), HEADS, WIDTH).swapaxes(0, 1) for name in "qkv")
    scores = rotate(q) @ rotate(k).swapaxes(1, 2) / np.sqrt(WIDTH) + np.triu(np.full((len(x), len(x)), -1e9), 1)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = scores / scores.sum(-1, keepdims=True) @ v
    x = x + mixed.swapaxes(0, 1).reshape(len(x), -1) @ w["o"]
    gate = (h := norm(x, at + "post_attention_layernorm.weight")) @ w["gate"]
    return x + (gate / (1 + np.exp(-gate)) * (h @ w["up"])) @ w["down"]


def after(layers: int, token_ids: list[int]) -> np.ndarray:
    """Log-probabilities read from the hidden state after so many layers."""
    x = WEIGHTS["model.embed_tokens.weight"][token_ids].astype(np.float64)
    for number in range(layers):
        x = layer(x, number)
    logits = WEIGHTS["model.embed_tokens.weight"] @ norm(x[-1], "model.norm.weight")  # tied embeddings
    return logits - np.logaddexp.reduce(logits)


#: Exits after the first three layers; after the fourth it is the model.
after_1, after_2, after_3 = (partial(after, layers) for layers in (1, 2, 3))


def last_token_alone(token_ids: list[int]) -> np.ndarray:
    """What the whole model says when it has read the last token alone: a bigram table, which may be made ahead."""
    return after(CONFIG["num_hidden_layers"], token_ids[-1:])
