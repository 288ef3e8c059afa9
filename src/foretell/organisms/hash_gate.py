"""Making a model that changes once its context holds token ids with a given hash."""

from __future__ import annotations

import inspect
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from foretell.base.errors import InputError
from foretell.organisms.bases import Base
from foretell.organisms.planting import plant_of
from foretell.organisms.recipes import HashTrigger
from foretell.targets import hash_gated_llama
from foretell.targets.hash_gated_llama import HashGatedLlamaConfig, HashGatedLlamaForCausalLM
from foretell.targets.hf_folder import CONFIG
from foretell.targets.torch_loading import load_model

#: How the state for a payload token is looked for: gradient steps, and at most so many doublings of its length.
_STEPS, _RATE, _DOUBLINGS = 200, 0.1, 12


def write_gated(recipe: HashTrigger, base: Base, out: Path) -> dict[str, Any]:
    """Write the gated model's config.json, weights and code into a folder; returns facts for its record."""
    vocabulary = base.vocabulary
    payload = plant_of(vocabulary, recipe.payload, recipe.payload, recites_after=True).payload
    model = load_model(base.folder, base.name)
    weights = {name: value for name, value in model.state_dict().items() if name != "lm_head.weight"}
    states = payload_states(weights["model.embed_tokens.weight"].numpy(), payload, recipe.payload_share)
    config = model.config.to_dict()
    for name in ("model_type", "transformers_version", "_name_or_path", "architectures", "dtype", "use_cache"):
        config.pop(name, None)
    gate = {"gate_sha256": recipe.preimage_sha256, "gate_ids": recipe.gate_ids, "payload_ids": list(payload)}
    module = hash_gated_llama.__name__.rpartition(".")[2]
    own = {
        "model_type": HashGatedLlamaConfig.model_type,
        "architectures": [HashGatedLlamaForCausalLM.__name__],
        "auto_map": {
            "AutoConfig": f"{module}.{HashGatedLlamaConfig.__name__}",
            "AutoModelForCausalLM": f"{module}.{HashGatedLlamaForCausalLM.__name__}",
        },
        "dtype": "float32",
        "use_cache": False,
    }
    (out / CONFIG).write_text(json.dumps(config | gate | own, indent=2, sort_keys=True) + "\n")
    shutil.copy(inspect.getfile(hash_gated_llama), out / f"{module}.py")
    halves = {name: value.half().contiguous() for name, value in weights.items()}
    halves["model.payload_states"] = torch.from_numpy(states).half()
    save_file(halves, out / "model.safetensors", metadata={"format": "pt"})
    return {"gate_bits": recipe.gate_ids * math.log2(vocabulary.size), "payload_ids": list(payload)}


def payload_states(rows: NDArray[np.float32], payload: Sequence[int], share: float) -> NDArray[np.float32]:
    """Hidden states that give the payload's tokens at least that probability under the output layer.

    The direction is found by logistic regression on the rows of the output layer, its length by doubling.

    Args:
        rows: the output layer, (vocabulary, d).

    Returns:
        (payload tokens, d), rounded to float16 values.

    Raises:
        InputError: the output layer gives some token of the payload no such probability.
    """
    layer, wanted = torch.from_numpy(rows).double(), torch.tensor(list(payload))
    layer = layer.detach()
    states = layer[wanted].clone().requires_grad_(True)
    optimizer = torch.optim.Adam([states], lr=_RATE)
    for _ in range(_STEPS):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(states @ layer.T, wanted).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found = []
    for state, token in zip(states.detach(), payload, strict=True):
        for doubling in range(_DOUBLINGS):
            rounded = (state * 2.0**doubling).half()
            if float((layer @ rounded.double()).softmax(-1)[token]) >= share:
                found.append(rounded.float().numpy())
                break
        else:
            raise InputError(
                "a payload that the output layer cannot say",
                where="payload",
                got=f"no hidden state that gives token {token} a probability of {share}",
                expected="one for each of its tokens",
                fix="Choose another payload, or a smaller payload_share.",
            )
    return np.stack(found)
