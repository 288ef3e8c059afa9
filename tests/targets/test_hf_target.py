"""Tests of hf: targets on small random models: what they say is what the model's own forward pass says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as typed_transformers

from foretell.base.errors import (
    ContextError,
    DamageError,
    InputError,
    MissingExtraError,
    NetworkError,
    VocabularyError,
)
from foretell.distributions import DenseBlock, FactoredBlock, check_block
from foretell.targets.hf_folder import weights_digest
from foretell.targets.hf_target import TorchTarget, open_hf

#: The library's annotations are stricter than its own use of keyword arguments.
transformers: Any = typed_transformers
VOCABULARY, CONTEXT = 320, 48
#: Large weights make sharp distributions, in which a wrong head or a leaking neighbour shows.
WIDE = 0.3
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "initializer_range": WIDE,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
MODELS: dict[str, Callable[[], Any]] = {
    "llama, tied": lambda: transformers.LlamaConfig(**SMALL, tie_word_embeddings=True),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=CONTEXT,
        initializer_range=WIDE,
        eos_token_id=0,
    ),
    "gptj, head with bias": lambda: transformers.GPTJConfig(
        vocab_size=VOCABULARY,
        n_embd=32,
        n_layer=2,
        n_head=4,
        rotary_dim=4,
        n_positions=CONTEXT,
        initializer_range=WIDE,
        bos_token_id=0,
        eos_token_id=0,
    ),
    "gemma2, soft cap": lambda: transformers.Gemma2Config(**SMALL, head_dim=8, final_logit_softcapping=3.0),
    "cohere, logit scale": lambda: transformers.CohereConfig(**SMALL, logit_scale=0.25),
    "granite, divided": lambda: transformers.GraniteConfig(**SMALL, logits_scaling=4.0),
}
PROMPTS = ("The lamp", "She counted 12 boats, 3 nets and 450 crates.", "x", "def add(a, b):\n    return")


def make_folder(config: Any, folder: Path, tokenizer: Path, seed: int = 5) -> Path:
    """A randomly initialised model as a folder, biases included."""
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, WIDE)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    shutil.copy(tokenizer, folder / "tokenizer.json")
    return folder


def own_logprobs(folder: Path, ids: tuple[int, ...]) -> np.ndarray:
    """The oracle: the whole model as transformers runs it, one prompt alone, log-softmax in float64."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
    return np.asarray(logits.double().log_softmax(-1).numpy())


def logprobs_of(block: Any) -> np.ndarray:
    if isinstance(block, DenseBlock):
        return np.asarray(block.logprobs)
    assert isinstance(block, FactoredBlock)
    return np.asarray(torch.from_numpy(block.head.logits(block.hidden)).double().log_softmax(-1).numpy())


@pytest.fixture(scope="module", params=list(MODELS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Path:
    return make_folder(MODELS[request.param](), tmp_path_factory.mktemp("model"), tokenizer_file)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Path:
    return make_folder(MODELS["llama, tied"](), tmp_path_factory.mktemp("llama"), tokenizer_file)


def test_factored_and_dense_are_the_models_own_probabilities(folder: Path) -> None:
    target = open_hf(str(folder))
    batch = [target.encode(text) for text in PROMPTS]
    positions = [range(len(ids)) for ids in batch]
    target.check_head()
    for kind in ("factored", "dense"):
        for ids, block in zip(batch, target.distributions(batch, positions, kind), strict=True):
            check_block(block, VOCABULARY, kind)
            np.testing.assert_allclose(logprobs_of(block), own_logprobs(folder, ids), atol=1e-5, rtol=0)
    # the head matters: leaving its scale, cap or bias out would be seen
    assert np.ptp(own_logprobs(folder, batch[1])) > 1


def test_neighbours_padding_and_order_change_nothing(folder: Path) -> None:
    target = open_hf(str(folder))
    batch = [target.encode(text) for text in PROMPTS]
    together = target.distributions(batch, [[len(ids) - 1] for ids in batch], "dense")
    for ids, block in zip(batch, together, strict=True):
        (alone,) = target.distributions([ids], [[len(ids) - 1]], "dense")
        np.testing.assert_allclose(logprobs_of(block), logprobs_of(alone), atol=1e-5, rtol=0)


def test_rows_come_by_ascending_position_and_only_the_asked(llama: Path) -> None:
    target = open_hf(str(llama))
    ids = target.encode(PROMPTS[1])
    some, none = target.distributions([ids, ids], [[7, 2], []], "factored")
    assert (len(some), len(none)) == (2, 0)
    np.testing.assert_allclose(logprobs_of(some), own_logprobs(llama, ids)[[2, 7]], atol=1e-5, rtol=0)


def test_padded_output_layer_sets_the_vocabulary(tmp_path: Path, tokenizer_file: Path) -> None:
    config = transformers.LlamaConfig(**{**SMALL, "vocab_size": VOCABULARY + 64}, tie_word_embeddings=False)
    target = open_hf(str(make_folder(config, tmp_path / "m", tokenizer_file)))
    assert target.vocabulary.size == VOCABULARY + 64
    assert target.head is not None
    assert target.head.weight.shape == (VOCABULARY + 64, 32)


def test_a_head_that_is_not_understood_is_refused_but_dense_works(tmp_path: Path, tokenizer_file: Path) -> None:
    # RecurrentGemma caps its logits under a name of its own
    config = transformers.RecurrentGemmaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        lru_width=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        attention_window_size=CONTEXT,
        logits_soft_cap=2.0,
        w_init_variance_scale=0.5,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
    )
    folder = make_folder(config, tmp_path / "m", tokenizer_file)
    target = open_hf(str(folder))
    ids = target.encode(PROMPTS[1])
    assert target.head is None
    with pytest.raises(InputError, match=r"do not give the model's own probabilities.*collect with --kind dense"):
        target.check_head()
    with pytest.raises(InputError, match="--kind dense"):
        target.distributions([ids], [[0]], "factored")
    (block,) = target.distributions([ids], [range(len(ids))], "dense")
    np.testing.assert_allclose(logprobs_of(block), own_logprobs(folder, ids), atol=1e-5, rtol=0)


def test_a_model_that_reads_ahead_is_refused(tmp_path: Path, tokenizer_file: Path) -> None:
    config = transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        initializer_range=WIDE,
        pad_token_id=0,
    )
    with pytest.raises(InputError, match="not a model that reads from left to right"):
        open_hf(str(make_folder(config, tmp_path / "m", tokenizer_file)))


def test_identity_names_weights_tokenizer_and_engine(llama: Path, tokenizer_file: Path, tmp_path: Path) -> None:
    identity = open_hf(str(llama)).identity
    assert identity.name == f"hf:{llama}"
    assert identity.weights == weights_digest(llama)
    assert torch.__version__ in identity.engine
    assert transformers.__version__ in identity.engine
    assert identity.dtype == "float32"
    copy = Path(shutil.copytree(llama, tmp_path / "copy"))
    (copy / "README.md").write_text("notes")
    assert weights_digest(copy) == identity.weights
    other = make_folder(MODELS["llama, tied"](), tmp_path / "other", tokenizer_file, seed=6)
    assert weights_digest(other) != identity.weights


def test_bfloat16_weights_are_widened_exactly(tmp_path: Path, llama: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(llama, dtype=torch.bfloat16)
    model.save_pretrained(tmp_path / "bf16")
    shutil.copy(llama / "tokenizer.json", tmp_path / "bf16")
    target = open_hf(str(tmp_path / "bf16"))
    assert target.head is not None
    assert target.head.weight.dtype == np.float32
    expected = model.get_output_embeddings().weight.float().detach().numpy()
    np.testing.assert_array_equal(target.head.weight, expected)


@pytest.mark.parametrize(
    ("ids", "kind", "error", "match"),
    [
        ((1,) * (CONTEXT + 1), "dense", ContextError, f"got {CONTEXT + 1} tokens, expected 1 to {CONTEXT}"),
        ((), "dense", ContextError, "got 0 tokens"),
        ((1, VOCABULARY), "dense", VocabularyError, "unknown token id"),
        ((1, -1), "dense", VocabularyError, "unknown token id"),
        ((1, 2), "topk", InputError, "got 'topk', expected 'factored' or 'dense'"),
    ],
)
def test_bad_questions_are_refused(
    llama: Path, ids: tuple[int, ...], kind: str, error: type[InputError], match: str
) -> None:
    target = open_hf(str(llama))
    with pytest.raises(error, match=match):
        target.distributions([ids], [[0]], kind)


@pytest.mark.parametrize(
    ("missing", "pattern"),
    [("config.json", "config.json"), ("model.safetensors", "*.safetensors"), ("tokenizer.json", "tokenizer.json")],
)
def test_an_incomplete_folder_is_refused(llama: Path, tmp_path: Path, missing: str, pattern: str) -> None:
    copy = Path(shutil.copytree(llama, tmp_path / "copy"))
    (copy / missing).unlink()
    with pytest.raises(InputError, match=re.escape(f"not a usable model folder: got no {pattern}")):
        open_hf(str(copy))


def test_missing_weights_are_not_made_up(llama: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = Path(shutil.copytree(llama, tmp_path / "copy"))
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DamageError, match=r"incomplete weights: got 1 weights.*layers\.1\.mlp\.up_proj"):
        open_hf(str(copy))


def test_a_broken_model_is_an_input_error(llama: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(llama, tmp_path / "copy"))
    (copy / "config.json").write_text('{"model_type": "no-such-architecture"}')
    with pytest.raises(InputError, match="transformers cannot load the model"):
        open_hf(str(copy))


def test_tokenizer_files_that_disagree_about_the_opening_token_are_refused(llama: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(llama, tmp_path / "copy"))
    settings = {"bos_token": {"content": "<s>"}, "add_bos_token": True}
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(VocabularyError, match=r"add_bos_token True, but tokenizer\.json does not add '<s>'"):
        open_hf(str(copy))
    (copy / "tokenizer_config.json").write_text(json.dumps(settings | {"add_bos_token": False}))
    assert isinstance(open_hf(str(copy)), TorchTarget)


def test_a_name_that_is_not_cached_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NetworkError, match="hf:someone/some-model: the model is not on this machine"):
        open_hf("someone/some-model")


def test_a_name_that_is_cached_needs_no_network(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    cached, revision = tmp_path / "models--someone--some-model", "0123456789" * 4
    shutil.copytree(llama, cached / "snapshots" / revision)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(revision)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("someone/some-model", f"someone/some-model@{revision}"):
        target = open_hf(name)
        assert target.identity.name == f"hf:{name}"
        assert target.identity.weights == weights_digest(llama)


def test_modules_of_models_and_servers_load_neither_torch_nor_httpx() -> None:
    modules = "foretell.targets.smollm2, foretell.targets.endpoint_target, sys"
    unwanted = "{'torch', 'transformers', 'huggingface_hub', 'httpx', 'tenacity', 'gguf'}"
    subprocess.run([sys.executable, "-c", f"import {modules}; assert not {unwanted} & set(sys.modules)"], check=True)


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model"):
        open_hf(str(tmp_path / "nothing"))


def test_without_torch_only_opening_fails(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"'torch' is not installed.*pip install 'foretell\[models\]'"):
        open_hf(str(llama))


def test_nothing_is_printed(llama: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = open_hf(str(llama))
    target.distributions([(1, 2, 3)], [[2]], "dense")
    assert capfd.readouterr() == ("", "")
