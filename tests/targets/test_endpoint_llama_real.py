"""Tests of endpoint targets on llama.cpp's real server, on loopback, against torch on the same SmolLM2 file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xllamacpp
from tokenizers import Tokenizer, pre_tokenizers

from foretell.base.errors import VocabularyError
from foretell.distributions import DenseBlock, TopKBlock, check_block
from foretell.targets.endpoint_client import Patience
from foretell.targets.endpoint_target import EndpointTarget, open_endpoint
from foretell.targets.hf_target import TorchTarget
from foretell.targets.smollm2 import open_smollm2, smollm2_gguf

CONTEXT, TOP = 256, 100
#: Ordinary English and code. Measured: 0.003 nats on average; llama.cpp rounds activations to 8 bits for 4-bit weights.
MEAN_KL_NATS = 0.02
PROMPTS = (
    "The capital of France is",
    "def add(a, b):\n    return a +",
    "She opened the door and saw that the",
    "In 1987, the price of 12 eggs was",
    "Water boils at one hundred degrees",
    "x",
)


@pytest.fixture(scope="module")
def torch_target() -> TorchTarget:
    return open_smollm2()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server whose own samplers are set to distort: what it reports must not show them."""
    params = xllamacpp.CommonParams()
    params.model.path = str(smollm2_gguf())
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    params.sampling.temp = 0.3
    params.sampling.top_k = 3
    params.sampling.penalty_repeat = 1.5
    server = xllamacpp.Server(params)
    yield server.listening_address
    del server


@pytest.fixture(scope="module")
def endpoint(url: str, torch_target: TorchTarget) -> EndpointTarget:
    tokenizer = torch_target.vocabulary.path.parent
    return open_endpoint(url, "smollm2", tokenizer=tokenizer, top=TOP)


def coarse_kl_nats(truth: np.ndarray, block: TopKBlock) -> float:
    """KL from truth to the answer with everything that is not listed as one outcome: at most the full divergence."""
    listed = np.exp(truth[block.token_ids[0]])
    rest = 1 - listed.sum()
    inside = listed * (truth[block.token_ids[0]] - block.logprobs[0])
    return float(inside.sum() + rest * (np.log(rest) - block.rest_logprob[0]))


def test_top_probabilities_are_those_of_torch(endpoint: EndpointTarget, torch_target: TorchTarget) -> None:
    divergences = []
    for text in PROMPTS:
        ids = endpoint.encode(text)
        (block,) = endpoint.distributions([ids], [[len(ids) - 1]], "topk")
        assert isinstance(block, TopKBlock)
        check_block(block, 49_152, text)
        assert block.token_ids.shape == (1, TOP)
        (dense,) = torch_target.distributions([ids], [[len(ids) - 1]], "dense")
        assert isinstance(dense, DenseBlock)
        divergences.append(coarse_kl_nats(dense.logprobs[0].astype(np.float64), block))
    assert min(divergences) >= 0
    assert np.mean(divergences) < MEAN_KL_NATS


def test_inner_positions_and_the_capital(endpoint: EndpointTarget) -> None:
    ids = endpoint.encode("The capital of France is Paris")
    (block,) = endpoint.distributions([ids], [[4, 0]], "topk")
    assert isinstance(block, TopKBlock)
    assert block.token_ids[1, 0] == ids[5]
    assert np.exp(block.logprobs[1, 0]) == pytest.approx(0.773, abs=0.01)
    (alone,) = endpoint.distributions([ids[:1]], [[0]], "topk")
    assert isinstance(alone, TopKBlock)
    np.testing.assert_array_equal(block.token_ids[0], alone.token_ids[0])


def test_identity_context_and_vocabulary(endpoint: EndpointTarget) -> None:
    assert endpoint.identity.engine.startswith("llama.cpp ")
    assert endpoint.identity.weights == "unknown: Q4_1, 134515008 parameters, 96576768 bytes"
    assert (endpoint.context, endpoint.vocabulary.size) == (CONTEXT - 1, 49_152)
    longest = [(5,) * endpoint.context]
    assert len(endpoint.distributions(longest, [[endpoint.context - 1]], "topk")[0]) == 1


def test_a_tokenizer_that_reads_text_otherwise_is_refused(url: str, torch_target: TorchTarget, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(torch_target.vocabulary.path))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(VocabularyError, match="the tokenizer is not the server's"):
        open_endpoint(url, "smollm2", tokenizer=tmp_path, patience=Patience(attempts=1))


def test_parts_of_characters_have_lists_too(endpoint: EndpointTarget, torch_target: TorchTarget) -> None:
    """Where the likeliest token is a part of a character, a generated one would leave the server's answer empty."""
    ids = endpoint.encode("日本の首都は東京です。韓国の首都は")
    (dense,) = torch_target.distributions([ids], [range(len(ids))], "dense")
    assert isinstance(dense, DenseBlock)
    pieces = torch_target.vocabulary.token_bytes
    likeliest = [pieces[token] for token in dense.logprobs.argmax(axis=1)]
    broken = [position for position, piece in enumerate(likeliest) if "\ufffd" in piece.decode(errors="replace")]
    assert broken
    (block,) = endpoint.distributions([ids], [broken[:4]], "topk")
    assert isinstance(block, TopKBlock)
    check_block(block, 49_152, "parts of characters")


def test_log_probabilities_after_a_bias_are_those_of_the_raw_logits(endpoint: EndpointTarget) -> None:
    """What `foretell information rebuild` rests on; the server's own samplers, set to distort, must not show."""
    ids, leader = endpoint.encode(PROMPTS[0]), endpoint.biased.leader
    assert leader is not None
    (block,) = endpoint.distributions([ids], [[len(ids) - 1]], "topk")
    assert isinstance(block, TopKBlock)
    plain = dict(zip(block.token_ids[0].tolist(), block.logprobs[0].tolist(), strict=True))
    lead, lifted = dict([leader]), list(plain)[1:40]
    led, row = endpoint.rows_with_bias(ids, [lead, dict.fromkeys(lifted, 20.0) | {leader[0]: 60.0}])
    first = next(iter(plain))
    reference = plain[first] + led[leader[0]] - leader[1] - led[first]
    for token in lifted:
        rebuilt = reference + (row[token] - 20.0) - (row[leader[0]] - 60.0)
        assert rebuilt == pytest.approx(plain[token], abs=2e-4)


def test_its_openai_interface_reports_before_the_bias(url: str, torch_target: TorchTarget) -> None:
    tokenizer = torch_target.vocabulary.path.parent
    plain = open_endpoint(url, "smollm2", tokenizer=tokenizer, top=5, dialect="plain")
    ids = plain.encode(PROMPTS[0])
    before, after = plain.rows_with_bias(ids, [{}, {3000: 20.0}])
    assert before == pytest.approx(after, abs=1e-3)
