"""The bigram table that a transformer holds in its weights: embedding × unembedding, no attention, no layers.

For each last token, the hidden state that it starts with, read by the output layer. It needs the weights, but runs
nothing on the prompt. Where the two matrices are tied, as here, the table is nearly symmetric, and a token says mostly
itself: what the model adds to that is in its layers.
Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits" (zero-layer transformers).
"""

import numpy as np
from safetensors.numpy import load_file

from foretell.targets.tiny import checkpoint_folder

# Below 1: the table is used with less confidence than the model's own logits would have.
SHARPNESS = 0.1

WEIGHTS = load_file(checkpoint_folder() / "model.safetensors")
EMBEDDING = WEIGHTS["model.embed_tokens.weight"].astype(np.float64)  # (vocabulary, hidden), both ways


def predict(token_ids: list[int]) -> np.ndarray:
    """Log-probabilities of all tokens, from the last one alone."""
    x = EMBEDDING[token_ids[-1]]
    x = x / np.sqrt((x * x).mean() + 1e-6) * WEIGHTS["model.norm.weight"]
    logits = SHARPNESS * (EMBEDDING @ x)
    return logits - np.logaddexp.reduce(logits)
