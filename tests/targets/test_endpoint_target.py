"""Tests of endpoint targets against fakes of the three kinds of server, whose distributions are known here."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from foretell.base.errors import ContextError, EndpointError, InputError, VocabularyError
from foretell.distributions import TopKBlock, Vocabulary, check_block
from foretell.targets.endpoint_client import Patience
from foretell.targets.endpoint_dialect import block_of_rows
from foretell.targets.endpoint_target import EndpointTarget, open_endpoint

VOCABULARY, CONTEXT, TOP = 320, 64, 5
PROMPT = "She counted 12 boats"
Change = Callable[[str, Any], Any]


def true_logprobs(ids: Sequence[int]) -> np.ndarray:
    """What every fake believes after these tokens: a fixed random distribution."""
    seed = int.from_bytes(hashlib.sha256(repr(list(ids)).encode()).digest()[:4], "big")
    logits = np.random.default_rng(seed).normal(0, 3, VOCABULARY)
    return np.asarray(logits - np.logaddexp.reduce(logits))


def biased_logprobs(ids: Sequence[int], bias: Mapping[int, float]) -> np.ndarray:
    logits = true_logprobs(ids)
    for token, lift in bias.items():
        logits[token] += lift
    return np.asarray(logits - np.logaddexp.reduce(logits))


def top_and_one_more(ids: Sequence[int], top: int, sampled: int) -> dict[int, float]:
    """The top tokens and, as servers do, one from further down."""
    truth = true_logprobs(ids)
    listed = [*np.argsort(-truth)[:top], sampled]
    return {int(token): float(truth[token]) for token in listed}


def top_with_bias(body: Any) -> dict[int, float]:
    """What a server that reports log-probabilities after the bias lists for a request."""
    truth = biased_logprobs(body["prompt"], {int(token): lift for token, lift in body["logit_bias"].items()})
    return {int(token): float(truth[token]) for token in np.argsort(-truth)[: body["logprobs"]]}


class Fake:
    """One server of each kind; `change` may spoil an answer by its path."""

    def __init__(
        self, kind: str, vocabulary: Vocabulary, reply: Any, change: Change = lambda _, answer: answer
    ) -> None:
        self.kind, self.vocabulary, self.reply, self.change = kind, vocabulary, reply, change

    def __call__(self, method: str, path: str, body: Any) -> Any:
        name = path.removeprefix("/v1").strip("/").replace("/", "_")
        answer = getattr(self, f"{self.kind}_{name}", lambda _: None)(body)
        return self.reply(status=404) if answer is None else self.reply(self.change(path, answer))

    def _tokens(self, body: Any) -> Any:
        return {"tokens": list(self.vocabulary.encode(body.get("content") or body.get("prompt")))}

    def llama_models(self, _: Any) -> Any:
        meta = {"n_vocab": VOCABULARY, "n_params": 7, "size": 28, "ftype": "Q4_1"}
        return {"data": [{"id": "tiny", "aliases": ["t"], "owned_by": "llamacpp", "meta": meta}]}

    def llama_props(self, _: Any) -> Any:
        return {"default_generation_settings": {"n_ctx": CONTEXT}, "build_info": "b7000"}

    llama_tokenize = _tokens

    def llama_completion(self, body: Any) -> Any:
        if body["post_sampling_probs"]:
            truth = biased_logprobs(body["prompt"], dict(body["logit_bias"]))
            top = np.argsort(-truth)[: body["n_probs"]].tolist()
            return {
                "completion_probabilities": [{"top_probs": [{"id": i, "prob": float(np.exp(truth[i]))} for i in top]}],
                "tokens_evaluated": len(body["prompt"]),
                "generation_settings": {"post_sampling_probs": True, "samplers": body["samplers"]},
            }
        listed = top_and_one_more(body["prompt"], body["n_probs"] - 1, int(np.argmin(true_logprobs(body["prompt"]))))
        listed_too = top_and_one_more(body["prompt"], body["n_probs"], next(iter(listed)))
        entries = [{"id": token, "logprob": logprob} for token, logprob in listed_too.items()]
        return {
            "completion_probabilities": [{"top_logprobs": entries}],
            "tokens_evaluated": len(body["prompt"]),
            "generation_settings": {"post_sampling_probs": body["post_sampling_probs"]},
        }

    def vllm_models(self, _: Any) -> Any:
        return {"data": [{"id": "tiny", "owned_by": "vllm", "root": "org/tiny", "max_model_len": CONTEXT}]}

    def vllm_version(self, _: Any) -> Any:
        return {"version": "0.20.1"}

    vllm_tokenize = _tokens

    def vllm_completions(self, body: Any) -> Any:
        ids, top = body["prompt"], body["logprobs"]
        choice: dict[str, Any] = {"prompt_logprobs": None}
        if "prompt_logprobs" in body:
            inner = [top_and_one_more(ids[:t], top, ids[t]) for t in range(1, len(ids))]
            choice["prompt_logprobs"] = [
                None,
                *({str(i): {"logprob": value, "decoded_token": "?"} for i, value in row.items()} for row in inner),
            ]
        last = top_and_one_more(ids, top, 0)
        if "logit_bias" in body:
            last = top_with_bias(body)
        choice["logprobs"] = {"top_logprobs": [{f"token_id:{i}": value for i, value in last.items()}]}
        return {"choices": [choice]}

    def plain_models(self, _: Any) -> Any:
        return {"data": [{"id": "tiny", "owned_by": "someone"}]}

    def plain_completions(self, body: Any) -> Any:
        row = top_and_one_more(body["prompt"], body["logprobs"], 1)
        if "logit_bias" in body:
            row = top_with_bias(body)
        legacy = {self.spelled(token): logprob for token, logprob in row.items()}
        usage = {"prompt_tokens": len(body["prompt"])}
        return {"choices": [{"logprobs": {"top_logprobs": [legacy]}}], "usage": usage}

    def spelled(self, token: int) -> str:
        raw = self.vocabulary.token_bytes[token] or b"<s>"
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)


@pytest.fixture
def vocabulary(tokenizer_file: Path) -> Vocabulary:
    return Vocabulary.load(tokenizer_file)


@pytest.fixture
def connect(serve: Any, reply: Any, vocabulary: Vocabulary) -> Any:
    def make(kind: str, change: Change = lambda _, answer: answer, **options: Any) -> tuple[EndpointTarget, Any]:
        server = serve(Fake(kind, vocabulary, reply, change))
        settings: dict[str, Any] = {"tokenizer": vocabulary.path, "top": TOP, "model": "tiny"} | options
        patience = Patience(attempts=2, first_wait_s=0.001)
        target = open_endpoint(server.url, patience=patience, **settings)
        return target, server

    return make


def check_truth(block: Any, ids: Sequence[int], positions: Sequence[int]) -> None:
    """The block lists the true top and the true rest."""
    assert isinstance(block, TopKBlock)
    check_block(block, VOCABULARY, "answer")
    for row, position in enumerate(positions):
        truth = true_logprobs(ids[: position + 1])
        likeliest = np.argsort(-truth)[:TOP]
        assert block.token_ids[row].tolist() == likeliest.tolist()
        np.testing.assert_allclose(block.logprobs[row], truth[likeliest], atol=1e-6)
        assert block.rest_logprob[row] == pytest.approx(math.log(1 - np.exp(truth[likeliest]).sum()), abs=1e-5)


@pytest.mark.parametrize("kind", ["llama", "vllm", "plain"])
def test_the_listed_tokens_and_the_rest_are_the_servers(connect: Any, kind: str) -> None:
    target, _ = connect(kind)
    first, second = target.encode(PROMPT), target.encode("def add(a, b):")
    positions = [[3, 0, len(first) - 1], range(len(second))]
    blocks = target.distributions([first, second], positions, "topk")
    check_truth(blocks[0], first, sorted(positions[0]))
    check_truth(blocks[1], second, positions[1])
    assert (target.head, target.kinds) == (None, ("topk",))


@pytest.mark.parametrize(
    ("kind", "engine", "weights", "context"),
    [
        ("llama", "llama.cpp b7000, /completion", "unknown: Q4_1, 7 parameters, 28 bytes", CONTEXT - 1),
        ("vllm", "vLLM 0.20.1, prompt_logprobs", "unknown: org/tiny", CONTEXT - 1),
        ("plain", "OpenAI-compatible server (someone), logprobs of completions", "unknown: tiny", 2**31 - 1),
    ],
)
def test_identity_says_what_the_server_says(connect: Any, kind: str, engine: str, weights: str, context: int) -> None:
    target, server = connect(kind)
    identity = target.identity
    assert (identity.engine, identity.weights, target.context) == (engine, weights, context)
    assert identity.name == f"endpoint:{server.url}#tiny"
    assert identity.tokenizer == target.vocabulary.digest
    assert target.vocabulary.size == VOCABULARY


def test_samplers_cannot_touch_what_is_asked(connect: Any) -> None:
    target, server = connect("llama")
    target.distributions([(5, 6, 7)], [[0, 2]], "topk")
    asked = sorted(server.posts("/completion"), key=lambda body: len(body["prompt"]))
    assert [body["prompt"] for body in asked] == [[5], [5, 6, 7]]
    assert all(body["post_sampling_probs"] is False and body["cache_prompt"] is False for body in asked)
    target, server = connect("vllm")
    target.distributions([(5, 6, 7)], [[0, 2]], "topk")
    target.distributions([(5, 6, 7)], [[2]], "topk")
    both, last_only = server.posts("/v1/completions")
    neutral = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
    assert neutral.items() <= both.items()
    assert both["prompt_logprobs"] == TOP
    assert "prompt_logprobs" not in last_only


def test_a_top_as_large_as_the_vocabulary_lists_all(connect: Any) -> None:
    target, _ = connect("llama", top=10_000)
    (block,) = target.distributions([(5, 6)], [[1]], "topk")
    assert target.top == VOCABULARY
    check_block(block, VOCABULARY, "all")
    np.testing.assert_allclose(block.logprobs[0, np.argsort(block.token_ids[0])], true_logprobs((5, 6)), atol=1e-6)


def test_the_model_may_be_left_out_or_named_by_an_alias(connect: Any) -> None:
    for model in ("", "t"):
        target, server = connect("llama", model=model)
        target.distributions([(5,)], [[0]], "topk")
        assert server.posts("/completion")[0]["model"] == (model or "tiny")
    with pytest.raises(EndpointError, match=r"no such model: got 'other', expected one of \['tiny'\]"):
        connect("llama", model="other")


def test_a_proxy_can_be_told_apart_by_hand(connect: Any) -> None:
    def hide(path: str, answer: Any) -> Any:
        return {"data": [{"id": "tiny", "owned_by": "proxy"}]} if path == "/v1/models" else answer

    assert connect("llama", hide, dialect="llama.cpp")[0].identity.engine.startswith("llama.cpp")
    with pytest.raises(InputError, match="unknown dialect: got 'other'"):
        connect("llama", hide, dialect="other")


@pytest.mark.parametrize("kind", ["llama", "vllm"])
def test_another_tokenizer_is_refused(connect: Any, kind: str) -> None:
    def shift(path: str, answer: Any) -> Any:
        return {"tokens": [1, *answer["tokens"]]} if path == "/tokenize" else answer

    with pytest.raises(VocabularyError, match="the tokenizer is not the server's"):
        connect(kind, shift)


def test_a_tokenizer_with_more_tokens_than_the_server(connect: Any) -> None:
    def fewer(path: str, answer: Any) -> Any:
        if path == "/v1/models":
            answer["data"][0]["meta"]["n_vocab"] = VOCABULARY - 1
        return answer

    with pytest.raises(VocabularyError, match="another vocabulary: got 320 tokens, expected 319"):
        connect("llama", fewer)


def test_a_folder_says_how_large_the_vocabulary_is(connect: Any, tmp_path: Path, vocabulary: Vocabulary) -> None:
    (tmp_path / "tokenizer.json").write_bytes(vocabulary.path.read_bytes())
    (tmp_path / "manifest.json").write_text('{"vocabulary": {"size": 384}}')
    assert connect("vllm", tokenizer=tmp_path)[0].vocabulary.size == 384
    with pytest.raises(VocabularyError, match="got 384 tokens, expected 320"):
        connect("llama", tokenizer=tmp_path)


def _without_logprobs(path: str, answer: Any) -> Any:
    if "completion" in path:
        answer.pop("completion_probabilities", None)
        for choice in answer.get("choices", []):
            choice.update(logprobs=None, prompt_logprobs=None)
    return answer


@pytest.mark.parametrize("kind", ["llama", "vllm", "plain"])
def test_missing_log_probabilities(connect: Any, kind: str) -> None:
    target, _ = connect(kind, _without_logprobs)
    for position in (0, 1):
        with pytest.raises(EndpointError, match="missing log-probabilities"):
            target.distributions([(5, 6)], [[position]], "topk")


def _spoil_plain(entries: dict[str, Any]) -> Change:
    def change(path: str, answer: Any) -> Any:
        if path == "/v1/completions":
            answer["choices"][0]["logprobs"]["top_logprobs"] = [entries]
        return answer

    return change


@pytest.mark.parametrize(
    ("entries", "error", "match"),
    [
        ({"a": -1.0, "b": -2.0}, EndpointError, "too few log-probabilities: got 2 tokens, expected 5.*top=2"),
        ({"a": -0.1, "b": -0.2, "c": -9.0, "d": -9.0, "e": -9.0}, EndpointError, "sum to 1.72.*, expected at most 1"),
        ({"a": "much", "b": -2.0, "c": -3.0, "d": -4.0, "e": -5.0}, EndpointError, "bad log-probability: got 'much'"),
        ({"a": 0.5, "b": -2.0, "c": -3.0, "d": -4.0, "e": -5.0}, EndpointError, "bad log-probability: got 0.5"),
        ({"a": None, "b": -2.0, "c": -3.0, "d": -4.0, "e": -5.0}, EndpointError, "bad log-probability: got None"),
        ({"no such": -1.0}, VocabularyError, "'no such': 0 tokens with these bytes"),
        ({"\ufffd": -1.0}, VocabularyError, "bytes that are no text were replaced"),
    ],
)
def test_plain_answers_that_cannot_be_used(
    connect: Any, entries: dict[str, Any], error: type[Exception], match: str
) -> None:
    target, _ = connect("plain", _spoil_plain(entries))
    with pytest.raises(error, match=match):
        target.distributions([(5, 6)], [[1]], "topk")


def test_a_token_string_of_two_tokens_is_refused(connect: Any, vocabulary: Vocabulary, tmp_path: Path) -> None:
    # an added token, written with a real space, that spells what an ordinary byte-level token does
    word = next(piece for piece in vocabulary.token_bytes if piece.startswith(b" ") and len(piece) > 2).decode()
    tokenizer = Tokenizer.from_file(str(vocabulary.path))
    assert tokenizer.add_tokens([word]) == 1
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    target, _ = connect("plain", _spoil_plain({word: -1.0}), tokenizer=tmp_path)
    with pytest.raises(VocabularyError, match=f"{word!r}: 2 tokens with these bytes"):
        target.distributions([(5, 6)], [[1]], "topk")


def test_the_chat_form_of_log_probabilities_is_read_by_its_bytes(connect: Any, vocabulary: Vocabulary) -> None:
    def chat_form(path: str, answer: Any) -> Any:
        if path == "/v1/completions":
            tokens = top_and_one_more((5, 6), TOP, 0)
            listed = [
                {"token": "\ufffd", "bytes": list(vocabulary.token_bytes[i] or b"<s>"), "logprob": value}
                for i, value in tokens.items()
            ]
            answer["choices"][0]["logprobs"] = {"content": [{"top_logprobs": listed}]}
        return answer

    target, _ = connect("plain", chat_form)
    (block,) = target.distributions([(5, 6)], [[1]], "topk")
    check_truth(block, (5, 6), [1])


def test_a_server_that_reads_another_prompt_is_refused(connect: Any) -> None:
    def with_opening_token(path: str, answer: Any) -> Any:
        if path == "/v1/completions":
            answer["usage"]["prompt_tokens"] += 1
        if path == "/completion":
            answer["tokens_evaluated"] += 1
        return answer

    with pytest.raises(EndpointError, match="another prompt was read: got 3 tokens, expected 2"):
        connect("plain", with_opening_token)[0].distributions([(5, 6)], [[1]], "topk")
    with pytest.raises(EndpointError, match="another question was answered: got 3 tokens read"):
        connect("llama", with_opening_token)[0].distributions([(5, 6)], [[1]], "topk")


def test_token_ids_beyond_the_vocabulary(connect: Any) -> None:
    def beyond(path: str, answer: Any) -> Any:
        if path == "/completion":
            answer["completion_probabilities"][0]["top_logprobs"][0]["id"] = VOCABULARY
        return answer

    with pytest.raises(VocabularyError, match=f"unknown token id.*to {VOCABULARY}, expected 0 to {VOCABULARY - 1}"):
        connect("llama", beyond)[0].distributions([(5, 6)], [[1]], "topk")


def test_bad_questions_are_refused(connect: Any, vocabulary: Vocabulary) -> None:
    target, server = connect("llama")
    with pytest.raises(InputError, match="got 'dense', expected 'topk'"):
        target.distributions([(1,)], [[0]], "dense")
    with pytest.raises(ContextError, match=f"got {CONTEXT} tokens, expected 1 to {CONTEXT - 1}"):
        target.distributions([(1,) * CONTEXT], [[0]], "topk")
    with pytest.raises(InputError, match="an endpoint needs its model's tokenizer"):
        open_endpoint(server.url, "tiny", tokenizer=None)
    with pytest.raises(InputError, match="bad option: got top=0"):
        open_endpoint(server.url, "tiny", tokenizer=vocabulary.path, top=0)


def test_a_mass_that_is_all_listed_leaves_a_rest_of_zero() -> None:
    block = block_of_rows([{0: math.log(0.75), 1: math.log(0.25)}], 2, 2, "here")
    check_block(block, 2, "here")
    assert np.exp(block.rest_logprob[0]) < 1e-6


@pytest.mark.parametrize("kind", ["llama", "vllm", "plain"])
def test_lists_under_a_bias_are_the_servers(connect: Any, kind: str) -> None:
    target, server = connect(kind)
    bias = {7: 9.0, 11: 12.0} | dict([target.biased.leader or (7, 9.0)])
    first, second = target.rows_with_bias((5, 6), [bias, {}])
    truth = biased_logprobs((5, 6), bias)
    assert set(first) == set(np.argsort(-truth)[:TOP].tolist())
    assert all(first[token] == pytest.approx(truth[token], abs=1e-9) for token in first)
    assert set(second) == set(np.argsort(-true_logprobs((5, 6)))[:TOP].tolist())
    path = "/completion" if kind == "llama" else "/v1/completions"
    bodies = sorted(server.posts(path), key=lambda body: len(body["logit_bias"]))
    assert [len(body["logit_bias"]) for body in bodies] == [0, len(bias)]
    assert kind != "llama" or (bodies[1]["samplers"], bodies[1]["temperature"]) == ([], 1.0)


def test_probabilities_of_zero_are_not_listed(connect: Any) -> None:
    def underflow(path: str, answer: Any) -> Any:
        if path == "/completion":
            answer["completion_probabilities"][0]["top_probs"][-1]["prob"] = 0.0
        return answer

    target, _ = connect("llama", underflow)
    (row,) = target.rows_with_bias((5, 6), [{7: 9.0}])
    assert len(row) == TOP - 1


def test_a_llama_server_that_samples_first_is_refused(connect: Any) -> None:
    def sampling(path: str, answer: Any) -> Any:
        if path == "/completion":
            answer["generation_settings"]["samplers"] = ["top_k"]
        return answer

    target, _ = connect("llama", sampling)
    with pytest.raises(EndpointError, match="another question was answered"):
        target.rows_with_bias((5, 6), [{7: 9.0}])
