"""Tests of Fisher products: finite differences, the closed form of a linear softmax, and autograd's Jacobian."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as typed_transformers
from torch.nn.attention import SDPBackend, sdpa_kernel

from foretell.base.errors import InputError
from foretell.targets.hf_target import TorchTarget
from foretell.targets.specs import open_target
from foretell.targets.torch_fisher import Batch, TorchFisher, open_fisher, torch_target

transformers: Any = typed_transformers
PROMPTS, POSITIONS = ((5, 17, 300, 4), (9, 1), (7, 8, 11, 12, 13, 2, 44)), ((3,), (0, 1), (2, 4, 6))
WEIGHTS = (1.0, 3.0, 0.5)


def linear_softmax(inputs: torch.Tensor, weights: torch.Tensor, seed: int = 0) -> tuple[TorchFisher, torch.Tensor]:
    """Logits = W x, in double precision."""
    matrix = torch.randn(4, inputs.shape[1], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    batch = Batch((inputs,), weights)
    return TorchFisher({"w": matrix}, lambda at, given: given[0] @ at["w"].T, [batch]), matrix


def dense(fisher: TorchFisher) -> np.ndarray:
    return np.stack([fisher.product(row) for row in np.eye(fisher.size)])


def small_llama(folder: Path, tokenizer: Path, **changes: Any) -> TorchTarget:
    torch.manual_seed(3)
    shape: dict[str, Any] = {
        "vocab_size": 320,
        "hidden_size": 8,
        "intermediate_size": 12,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 48,
        "initializer_range": 0.4,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**(shape | changes)))
    for name, tensor in model.named_parameters():
        if "norm" in name:
            tensor.data += 0.3 * torch.randn_like(tensor)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    target = open_target(f"hf:{folder}")
    assert isinstance(target, TorchTarget)
    return target


def test_a_linear_softmax_has_its_closed_form() -> None:
    inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    shares = torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25])
    fisher, matrix = linear_softmax(inputs, shares)
    expected = np.zeros((12, 12))
    for share, x in zip(shares.tolist(), inputs.numpy(), strict=True):
        p = np.exp(matrix.numpy() @ x)
        p /= p.sum()
        expected += share * np.kron(np.diag(p) - np.outer(p, p), np.outer(x, x))
    rms = fisher.tensors[0].rms
    assert rms == pytest.approx(float(np.sqrt((matrix.numpy() ** 2).mean())))
    assert dense(fisher) == pytest.approx(rms**2 * expected, abs=1e-7)
    # A shift of all rows by one vector moves every logit alike: three directions that no input can pin.
    assert int(np.sum(np.linalg.eigvalsh(dense(fisher)) < 1e-9)) == 3


def test_a_llama_against_the_jacobian_and_finite_differences(tmp_path: Path, tokenizer_file: Path) -> None:
    target = small_llama(tmp_path, tokenizer_file)
    fisher = open_fisher(target, PROMPTS, POSITIONS, WEIGHTS)
    assert fisher.size == sum(tensor.numel() for tensor in target.model.parameters()) == 3560
    expected = np.zeros((fisher.size, fisher.size))
    names = [tensor.name for tensor in fisher.tensors]
    for ids, chosen, weight in zip(PROMPTS, POSITIONS, WEIGHTS, strict=True):

        def logits(*tensors: Any, ids: Any = ids, chosen: Any = chosen) -> Any:
            at = dict(zip(names, tensors, strict=True))
            asked = {"input_ids": torch.tensor([ids]), "use_cache": False}
            return torch.func.functional_call(target.model, at, (), asked).logits[0, list(chosen)]

        parameters = tuple(dict(target.model.named_parameters()).values())
        with sdpa_kernel(SDPBackend.MATH):
            blocks: Any = torch.func.jacrev(logits, argnums=tuple(range(len(names))))(*parameters)
        jacobian = np.concatenate(
            [
                (tensor.rms * block).reshape(len(chosen), 320, -1).detach().numpy()
                for tensor, block in zip(fisher.tensors, blocks, strict=True)
            ],
            axis=2,
        )
        for p, rows in zip(logits(*parameters).softmax(-1).double().numpy(), jacobian, strict=True):
            share = weight / sum(WEIGHTS) / len(chosen)
            expected += share * rows.T @ (np.diag(p) - np.outer(p, p)) @ rows
    rng = np.random.default_rng(0)
    for _ in range(3):
        vector = rng.standard_normal(fisher.size)
        assert fisher.product(vector) == pytest.approx(
            expected @ vector, abs=2e-5 * float(np.linalg.norm(expected @ vector))
        )
        predicted = 0.5 * 0.001**2 * float(vector @ expected @ vector)
        both = fisher.kl_nats(0.001 * vector) + fisher.kl_nats(-0.001 * vector)
        assert both / 2 == pytest.approx(predicted, rel=2e-3)


def test_every_prompt_counts_by_its_weight(tmp_path: Path, tokenizer_file: Path) -> None:
    target = small_llama(tmp_path, tokenizer_file)
    vector = np.random.default_rng(0).standard_normal(open_fisher(target, PROMPTS, POSITIONS).size)
    alone = [open_fisher(target, [p], [c]).product(vector) for p, c in zip(PROMPTS, POSITIONS, strict=True)]
    expected = np.average(np.stack(alone), axis=0, weights=WEIGHTS)
    found = open_fisher(target, PROMPTS, POSITIONS, WEIGHTS).product(vector)
    assert found == pytest.approx(expected, abs=1e-5 * float(np.linalg.norm(expected)))


def test_what_is_kept_changes_nothing(tmp_path: Path, tokenizer_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = small_llama(tmp_path, tokenizer_file)
    kept = open_fisher(target, PROMPTS, POSITIONS)
    vector = np.random.default_rng(0).standard_normal(kept.size)
    first = kept.product(vector)
    monkeypatch.setattr("foretell.targets.torch_fisher._KEPT_WORK", 0)
    assert np.array_equal(kept.product(vector), first)
    assert np.array_equal(open_fisher(target, PROMPTS, POSITIONS).product(vector), first)


def test_weights_that_are_all_zero_have_no_size(tmp_path: Path, tokenizer_file: Path) -> None:
    target = small_llama(tmp_path, tokenizer_file, attention_bias=True)
    fisher = open_fisher(target, PROMPTS, POSITIONS)
    still = [tensor for tensor in fisher.tensors if tensor.rms == 0]
    assert {tensor.name.rpartition(".")[2] for tensor in still} == {"bias"}
    found = fisher.product(np.ones(fisher.size))
    assert all(np.all(found[tensor.start : tensor.stop] == 0) for tensor in still)


def test_targets_without_weights_are_refused(tiny: Any) -> None:
    assert isinstance(torch_target(tiny), TorchTarget)
    with pytest.raises(
        InputError, match=r"target int8:tiny: cannot be differentiated: got a target that runs in torch"
    ):
        torch_target(open_target("int8:tiny"))
    with pytest.raises(InputError, match="no prompts to differentiate at: got 0 prompts"):
        open_fisher(tiny, [], [])
