"""The width is found on made-up and on real architectures, and where it cannot be told no number is given."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.distributions import log_softmax
from foretell.information.layer.hidden_width import BEYOND, HiddenWidth, Rank, fewest_positions, width_of
from foretell.information.layer.spectrum import spectrum_of

from .made_models import Norm, in_blocks, made, spectrum

SIZES = [16, 23, 64, 128, 384]
#: Norm, bias of the norm, bias of the head: the rank beyond the width, and whether a part is always the same.
ARCHITECTURES: list[tuple[Norm, bool, bool, int, bool]] = [
    ("none", False, False, 0, False),
    ("none", False, True, 1, True),
    ("rms", False, False, 0, False),
    ("rms", False, True, 1, True),
    ("layer", False, False, -1, False),
    ("layer", True, False, 0, True),
    ("layer", False, True, 0, True),
    ("layer", True, True, 0, True),
]


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize(("norm", "norm_bias", "bias", "beyond", "offset"), ARCHITECTURES)
def test_the_rank_and_its_readings(
    width: int, norm: Norm, norm_bias: bool, bias: bool, beyond: int, offset: bool
) -> None:
    model = made(width, width, width + 60, max(400, 3 * width), norm, norm_bias, bias)
    found = width_of(spectrum(model.logprobs()))
    assert (found.found.rank, found.offset) == (width + beyond, offset)
    right = [one for one in found.readings if one.width == width]
    assert len(found.readings) == 2
    assert len(right) == 1
    assert ("LayerNorm" in right[0].architecture) == (norm == "layer")
    assert ("no bias" in right[0].architecture) == (not offset)


@pytest.mark.parametrize(("width", "norm", "bias"), [(768, "layer", True), (1024, "rms", False)])
def test_wide_models(width: int, norm: Norm, bias: bool) -> None:
    found = width_of(spectrum(made(1, width, width + 40, 2500, norm, bias=bias).logprobs()))
    assert (found.found.rank, found.offset) == (width, bias)


def config(kind: str, tied: bool) -> Any:
    sizes: dict[str, Any]
    same: dict[str, Any] = {
        "vocab_size": 700,
        "tie_word_embeddings": tied,
        "pad_token_id": 0,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    if kind == "llama":
        sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
        return transformers.LlamaConfig(**same, **sizes)
    if kind == "gpt2":
        return transformers.GPT2Config(**same, n_embd=48, n_layer=2, n_head=4, n_positions=64)
    if kind == "opt":
        sizes = {"hidden_size": 48, "word_embed_proj_dim": 48, "ffn_dim": 96, "num_hidden_layers": 2}
        return transformers.OPTConfig(**same, **sizes, num_attention_heads=4, max_position_embeddings=64)
    if kind == "phi":
        sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
        return transformers.PhiConfig(**same, **sizes)
    sizes = {"hidden_size": 48, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]}
    return transformers.GPTNeoConfig(**same, **sizes, max_position_embeddings=64)


#: The bias of a fresh LayerNorm is zero; set to something it is that of a trained one.
REAL = [
    ("llama", True, False, 48, False),
    ("llama", False, False, 48, False),
    ("gpt2", True, False, 47, False),
    ("gpt2", False, True, 48, True),
    ("opt", True, True, 48, True),
    ("gptneo", False, False, 47, False),
    ("phi", False, True, 48, True),
]


@pytest.mark.parametrize(("kind", "tied", "trained", "rank", "offset"), REAL)
def test_random_transformers(kind: str, tied: bool, trained: bool, rank: int, offset: bool) -> None:
    torch.manual_seed(0)
    auto: Any = transformers.AutoModelForCausalLM
    model = auto.from_config(config(kind, tied)).eval()
    norms = [one for one in model.modules() if isinstance(one, torch.nn.LayerNorm)]
    with torch.no_grad():
        for norm in norms if trained else []:
            norm.bias.normal_()
        logits = model(torch.randint(1, 700, (6, 30))).logits.flatten(0, 1).float().numpy()
    found = width_of(spectrum(log_softmax(logits)))
    assert (found.found.rank, found.offset) == (rank, offset)
    assert 48 in [one.width for one in found.readings]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 40), st.sampled_from([1e-5, 1e-3, 1e-2]))
def test_known_rank_with_noise(seed: int, rank: int, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    exact = rng.normal(size=(80, rank)) @ rng.normal(size=(rank, 300))
    noisy = (exact + rng.normal(0, sigma, exact.shape)).astype(np.float32)
    found = width_of(spectrum_of(in_blocks(noisy), 300, 80, error_nats=sigma)).found
    assert found.rank == rank, found


@pytest.mark.parametrize("digits", [4, 3, 2, 1])
def test_rounding_costs_gap_and_not_the_answer(digits: int) -> None:
    logprobs = made(3, 64, 300, 900).logprobs()
    exact = width_of(spectrum(logprobs)).found
    found = width_of(spectrum(logprobs.round(digits))).found
    assert found.rank == 64
    assert exact.gap_nats is not None
    assert found.gap_nats is not None
    assert found.gap_nats < exact.gap_nats


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_other_types(kind: type[np.floating]) -> None:
    logprobs = made(3, 64, 300, 900).logprobs()
    found = width_of(spectrum(logprobs.astype(kind))).found
    assert found.rank == 64
    assert found.gap_nats is not None
    # Float32 computing makes the noise, whatever its results are written in.
    assert found.gap_nats > 3


def test_a_larger_drop_further_down_is_no_width() -> None:
    """More positions than tokens: in double precision the largest drop is where centring takes the last dimension."""
    logprobs = made(4, 32, 400, 150).logprobs().astype(np.float64)
    values = np.linalg.svd(logprobs - logprobs.mean(axis=1, keepdims=True), compute_uv=False)
    assert int(np.argmax(values[:-1] / values[1:])) + 1 == 149
    assert width_of(spectrum(logprobs)).found.rank == 32


@pytest.mark.parametrize("positions", [40, 64, 64 + BEYOND - 1])
def test_too_few_positions(positions: int) -> None:
    found = width_of(spectrum(made(5, 64, positions, 900).logprobs()))
    assert found.found.rank is None
    assert found.found.reason is not None
    assert "too few positions" in found.found.reason
    assert found.found.at_least == positions - BEYOND
    assert found.readings == ()
    assert "not determined" in found.sentences()[0]


def test_the_fewest_positions() -> None:
    assert fewest_positions(spectrum(made(5, 64, 200, 900).logprobs()), 64) == 64 + BEYOND


def test_repeated_rows_count_once_and_never_make_a_rank() -> None:
    logprobs = made(6, 64, 50, 900).logprobs()
    again = logprobs + np.random.default_rng(0).normal(0, 1e-6, logprobs.shape).astype(np.float32)
    found = width_of(spectrum(np.concatenate([logprobs, again])))
    assert (found.positions, found.given) == (50, 100)
    assert found.found.rank is None


def test_one_row_again_and_again() -> None:
    found = width_of(spectrum(np.repeat(made(6, 64, 1, 900).logprobs(), 40, axis=0))).found
    assert found.reason == "1 different positions and 900 tokens are too few"


@pytest.mark.parametrize("cap", [10.0, 30.0])
def test_a_soft_cap_has_no_rank(cap: float) -> None:
    model = made(7, 64, 400, 1500)
    logits = cap * np.tanh(3 * model.head.logits(model.states) / cap)
    found = width_of(spectrum(log_softmax(logits.astype(np.float32)))).found
    assert found.rank is None
    assert found.reason is not None
    assert "soft cap" in found.reason


def test_noise_that_nobody_named_is_no_rank() -> None:
    logprobs = made(8, 32, 200, 900).logprobs()
    noisy = (logprobs + np.random.default_rng(0).normal(0, 0.01, logprobs.shape)).astype(np.float32)
    found = width_of(spectrum(noisy)).found
    assert found.rank is None
    assert found.reason is not None
    assert "after a drop of" in found.reason
    assert "at 32" in found.reason
    assert width_of(spectrum_of(in_blocks(noisy), 900, 200, error_nats=0.01)).found.rank == 32


def test_half_precision_computing_has_to_be_said() -> None:
    logits = made(8, 32, 200, 900).head.logits(made(8, 32, 200, 900).states)
    half = log_softmax((logits.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32))
    assert width_of(spectrum(half)).found.rank is None
    assert width_of(spectrum_of(in_blocks(half), 900, 200, "bfloat16")).found.rank == 32


def test_too_coarse_to_tell() -> None:
    found = width_of(spectrum((0.05 * made(9, 64, 300, 900).logprobs()).round(0))).found
    assert found.rank is None


def test_no_layer_narrower_than_the_vocabulary() -> None:
    found = width_of(spectrum(made(10, 200, 500, 150).logprobs())).found
    assert found.rank is None
    assert found.reason is not None
    assert "no output layer narrower" in found.reason


def test_probabilities_that_were_mixed() -> None:
    one, other = (made(seed, 16, 200, 900).logprobs() for seed in (1, 2))
    assert width_of(spectrum(np.logaddexp(one, other) - np.float32(np.log(2)))).found.rank is None


def test_every_case_has_words() -> None:
    for offset in (True, False, None):
        found = HiddenWidth(Rank("found", 64, 5.0, 64), offset, 100, 100, 900, "float32")
        assert len(found.sentences()) == 2
        assert len(found.readings) == (4 if offset is None else 2)


LARGE = """
import numpy as np
from foretell.distributions import Head, log_softmax
from foretell.information.layer.hidden_width import width_of
from foretell.information.layer.spectrum import spectrum_of
tokens, positions, width = 262_144, 320, 48
rng = np.random.default_rng(0)
head = Head(rng.standard_normal((tokens, width), dtype=np.float32))
states = rng.standard_normal((positions, width), dtype=np.float32)
rows = lambda: (log_softmax(head.logits(states[at : at + 16])) for at in range(0, positions, 16))
found = width_of(spectrum_of(rows, tokens, positions))
# The peak since this program began: a child's ru_maxrss starts at its parent's size.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(found.found.rank, peak.split()[1])
"""


def test_a_large_vocabulary_takes_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, timeout=300, check=True)
    rank, peak_kib = map(int, done.stdout.split())
    assert rank == 48
    assert peak_kib < 600_000  # all log-probabilities in double precision alone would take 655,360
