"""Tests of the symmetries of a Llama: independent, flat for every prompt, and counted right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as typed_transformers

from foretell.base.interval import Unscored
from foretell.targets.hf_target import open_hf
from foretell.targets.llama_symmetries import by_kind, known_symmetries
from foretell.targets.target import Target
from foretell.targets.torch_fisher import TorchFisher, open_fisher

transformers: Any = typed_transformers
VOCABULARY = 320
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 8,
    "intermediate_size": 6,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "max_position_embeddings": 48,
    "initializer_range": 0.5,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
#: A layer: gains 2·8, two shared heads of values 4² and keys 4, neurons 6; two layers.
TIED = {"gains": 32, "values": 64, "keys": 16, "neurons": 12}
UNTIED = TIED | {"gains": 40, "rotations": 28, "shifts": 8}


def opened(folder: Path, tokenizer: Path, **changes: Any) -> Target:
    torch.manual_seed(3)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**(SHAPE | changes)))
    for name, tensor in model.named_parameters():
        if "norm" in name:
            tensor.data += 0.3 * torch.randn_like(tensor)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    return open_hf(str(folder))


def flat(fisher: TorchFisher, change: dict[str, np.ndarray]) -> np.ndarray:
    parts = [change.get(one.name, np.zeros(one.shape)).ravel() / one.rms for one in fisher.tensors]
    return np.concatenate(parts)


@pytest.mark.parametrize(("tied", "expected"), [(True, TIED), (False, UNTIED)])
def test_they_are_flat_and_independent(
    tmp_path: Path, tokenizer_file: Path, tied: bool, expected: dict[str, int]
) -> None:
    target = opened(tmp_path, tokenizer_file, tie_word_embeddings=tied)
    found = known_symmetries(target)
    assert not isinstance(found, Unscored)
    assert by_kind(found) == expected
    rng = np.random.default_rng(0)
    prompts = [rng.integers(0, VOCABULARY, 12).tolist() for _ in range(6)]
    fisher = open_fisher(target, prompts, [range(12)] * 6)
    usual = np.mean([float(z @ fisher.product(z)) / (z @ z) for z in rng.standard_normal((5, fisher.size))])
    for one in found:
        vector = flat(fisher, one.tangent(rng.standard_normal(one.directions)))
        vector /= np.linalg.norm(vector)
        assert abs(float(vector @ fisher.product(vector))) < 1e-6 * usual, one.kind
    tangents = np.stack([flat(fisher, one.tangent(row)) for one in found for row in np.eye(one.directions)])
    assert np.linalg.matrix_rank(tangents) == sum(expected.values()) == len(tangents)


def test_the_shipped_target(tiny: Target) -> None:
    found = by_kind(known_symmetries(tiny))
    assert found == {"gains": 4 * 2 * 128, "values": 4 * 4 * 32**2, "keys": 4 * 4 * 32, "neurons": 4 * 352}


def test_what_is_not_known(tmp_path: Path, tokenizer_file: Path) -> None:
    with_bias = known_symmetries(opened(tmp_path / "bias", tokenizer_file, attention_bias=True))
    assert with_bias == Unscored("the symmetries of a Llama with biases are not written down here")
    config = transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=8, n_layer=1, n_head=2, n_positions=48)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    (tmp_path / "gpt2" / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
    found = known_symmetries(open_hf(str(tmp_path / "gpt2")))
    assert found == Unscored("the symmetries of GPT2LMHeadModel are not written down here, only Llama's")
