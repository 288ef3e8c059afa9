"""Tests of gguf: targets on a small GGUF written here: widened exactly, converted once, refused where in doubt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
import transformers

from foretell.base.canonical import digest_file
from foretell.base.errors import InputError
from foretell.distributions import DenseBlock
from foretell.targets.gguf_target import open_gguf

VOCABULARY, HIDDEN, HEADS, KV_HEADS, LAYERS, FEED, CONTEXT = 320, 64, 4, 2, 2, 96, 64
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
WriteGGUF = Callable[..., Path]


@pytest.fixture(scope="module")
def model() -> Any:
    """The Llama that is written as a GGUF: the oracle."""
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=FEED,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=CONTEXT,
        initializer_range=0.2,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
    )
    return transformers.LlamaForCausalLM(config).eval()  # type: ignore[no-untyped-call]


def permuted(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows in llama.cpp's rotary order: pairs beside each other instead of halves apart."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


@pytest.fixture
def write_gguf(model: Any, tokenizer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteGGUF:
    """Write the model as a GGUF, in F32 or with its large matrices quantised; the cache is the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def write(quantisation: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32, **settings: Any) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_block_count(LAYERS)
        writer.add_context_length(CONTEXT)
        writer.add_embedding_length(HIDDEN)
        writer.add_feed_forward_length(FEED)
        writer.add_head_count(HEADS)
        writer.add_head_count_kv(KV_HEADS)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(10000.0)
        writer.add_rope_dimension_count(HIDDEN // HEADS)
        writer.add_vocab_size(VOCABULARY)
        add_tokenizer(writer, tokenizer_file, settings.pop("pre", "smollm"))
        for key, value in settings.items():
            writer.add_string(f"llama.{key.replace('__', '.')}", value)
        for name, array in tensors(model).items():
            kind = quantisation if array.ndim > 1 else gguf.GGMLQuantizationType.F32
            writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer_file: Path, pre: str) -> None:
    merges = json.loads(tokenizer_file.read_text())["model"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(sorted(merges["vocab"], key=merges["vocab"].__getitem__))
    control = [gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * (VOCABULARY - 1)
    writer.add_token_types(control)
    writer.add_token_merges([" ".join(pair) for pair in merges["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)


def tensors(model: Any) -> dict[str, np.ndarray]:
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    out = {"token_embd.weight": state["model.embed_tokens.weight"], "output_norm.weight": state["model.norm.weight"]}
    for layer in range(LAYERS):
        for theirs, ours in NAMES.items():
            array = state[f"model.layers.{layer}.{theirs}.weight"]
            if ours in ("attn_q", "attn_k"):
                array = permuted(array, HEADS if ours == "attn_q" else KV_HEADS)
            out[f"blk.{layer}.{ours}.weight"] = np.ascontiguousarray(array)
    return out


def own_logprobs(model: Any, ids: tuple[int, ...]) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(model(torch.tensor([ids])).logits[0].double().log_softmax(-1).numpy())


def test_float32_gguf_is_the_model_itself(write_gguf: WriteGGUF, model: Any, tokenizer_file: Path) -> None:
    path, said = write_gguf(), list[str]()
    target = open_gguf(path, say=said.append)
    ids = target.encode("She counted 12 boats, 3 nets and 450 crates.")
    (block,) = target.distributions([ids], [range(len(ids))], "dense")
    assert isinstance(block, DenseBlock)
    np.testing.assert_allclose(block.logprobs, own_logprobs(model, ids), atol=1e-5, rtol=0)
    assert target.head is not None
    assert target.identity.weights == digest_file(path)
    assert target.context == CONTEXT
    assert len(said) == 1
    # a second opening converts nothing
    again = open_gguf(path, say=said.append)
    assert len(said) == 1
    (once_more,) = again.distributions([ids], [range(len(ids))], "dense")
    assert isinstance(once_more, DenseBlock)
    np.testing.assert_array_equal(once_more.logprobs, block.logprobs)


def test_quantised_gguf_is_widened_exactly(write_gguf: WriteGGUF, model: Any) -> None:
    kind = gguf.GGMLQuantizationType.Q8_0
    target = open_gguf(write_gguf(kind))
    embedding = tensors(model)["token_embd.weight"]
    expected = gguf.quants.dequantize(gguf.quants.quantize(embedding, kind), kind)
    assert target.head is not None
    np.testing.assert_array_equal(target.head.weight, expected)
    assert np.abs(expected - embedding).max() > 0


def test_numbers_are_read_digit_by_digit_where_the_file_says_so(write_gguf: WriteGGUF, tokenizer_file: Path) -> None:
    smollm, gpt2 = open_gguf(write_gguf(pre="smollm")), open_gguf(write_gguf(pre="gpt-2"))
    original = smollm.vocabulary.load(tokenizer_file)
    for text in ("boats 450 12", "a1b22", "Nobody said why;\n\n  nobody's", "<s>x"):
        assert smollm.encode(text) == original.encode(text)
    assert [len(t.vocabulary.tokenizer.pre_tokenizer.pre_tokenize_str(" 450")) for t in (smollm, gpt2)] == [4, 1]


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"pre": "something-new"}, r"tokenizer\.ggml\.pre 'something-new', expected one whose way of cutting"),
        ({"rope__scaling__type": "yarn"}, r"rotary scaling \(yarn\)"),
    ],
)
def test_what_transformers_would_lose_is_refused(write_gguf: WriteGGUF, settings: dict[str, str], match: str) -> None:
    with pytest.raises(InputError, match=match):
        open_gguf(write_gguf(**settings))


def test_not_a_gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "notes.gguf"
    path.write_bytes(b"no model at all, just some bytes" * 8)
    with pytest.raises(InputError, match=r"notes\.gguf: cannot use this GGUF"):
        open_gguf(path)
    with pytest.raises(InputError, match="no such file"):
        open_gguf(tmp_path / "absent.gguf")


def test_a_gguf_that_is_cut_short(write_gguf: WriteGGUF, tmp_path: Path) -> None:
    path = write_gguf()
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(InputError, match="cannot use this GGUF"):
        open_gguf(path)
