"""Targets `endpoint:URL#MODEL`: models behind an OpenAI-compatible server, known on their top k tokens only."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from foretell.base.errors import ContextError, EndpointError, InputError, VocabularyError
from foretell.base.files import MANIFEST
from foretell.distributions import Block, Head, Vocabulary
from foretell.targets.endpoint_client import KEY_VARIABLES, Client, Patience
from foretell.targets.endpoint_dialect import BiasedDialect, Dialect, Row, block_of_rows, part
from foretell.targets.endpoint_llama import LlamaServer
from foretell.targets.endpoint_plain import PlainServer
from foretell.targets.endpoint_vllm import VllmServer
from foretell.targets.hf_folder import CONFIG
from foretell.targets.target import TargetIdentity

Answer = TypeVar("Answer")
_MODELS = "/v1/models"
#: vLLM's own limit, and enough for the likely tokens.
DEFAULT_TOP = 20
_CONCURRENCY = 4
#: Tokens of prompts in one call of `distributions`: small enough that a stopped run loses little.
_BATCH_TOKENS = 4096
#: Texts on which tokenizers that differ do differ: numbers, white space, contractions, accents, scripts, emoji.
_PROBES = (
    "The capital of France is",
    "  for i in range(1024):\n\treturn x[i] ** 2  # 3.14159\r\n\n\n",
    "He'd said they'll \"never\" know; we've 007 reasons.",
    "Zażółć gęślą jaźń — naïve café, Привет, 北京の天気, مرحبا 🙂👩‍🔬",
)


def open_endpoint(
    url: str,
    model: str = "",
    *,
    tokenizer: Path | None,
    top: int = DEFAULT_TOP,
    dialect: str = "",
    concurrency: int = _CONCURRENCY,
    patience: Patience | None = None,
) -> EndpointTarget:
    """A served model as a target.

    The server's kind is read from /v1/models (llama.cpp and vLLM name themselves there); anything else is taken for
    plain completions. A key is read from FORETELL_API_KEY, else OPENAI_API_KEY.

    Args:
        url: the part in front of /v1.
        model: its name there; may be left out where one model is served.
        tokenizer: the model's tokenizer.json, or a folder with it (a truth, a model folder).
        top: how many of the likeliest tokens are asked for at each position.
        dialect: 'llama.cpp', 'vllm' or 'plain' where the server (a proxy) does not tell.
        concurrency: requests at a time.
        patience: how long to wait and how often to ask again.

    Raises:
        MissingExtraError: the extra `endpoint` is not installed.
        InputError: no tokenizer, a bad URL or option.
        VocabularyError: the tokenizer is not the server's.
        EndpointError: the server cannot be reached, refuses, or does not serve the model.
    """
    name = f"endpoint:{url}#{model}"
    client = Client(url, _key(), patience or Patience())
    if tokenizer is None:
        fix = "Give tokenizer=PATH: the model's tokenizer.json, its folder, or a truth of the same model."
        raise _bad(name, "an endpoint needs its model's tokenizer", "none", "a tokenizer.json", fix)
    if top < 1 or concurrency < 1:
        raise _bad(name, "bad option", f"top={top}, concurrency={concurrency}", "1 or more", "Raise it.")
    entry = _served_entry(client, model)
    model, kind = model or str(entry["id"]), dialect or _DIALECTS.get(str(entry.get("owned_by")), "plain")
    server: Dialect
    if kind == "llama.cpp":
        server = LlamaServer(client, model, entry)
    elif kind == "vllm":
        server = VllmServer(client, model, entry)
    elif kind == "plain":
        server = PlainServer(client, model, entry, Vocabulary.load(tokenizer))
    else:
        raise _bad(name, "unknown dialect", repr(dialect), "llama.cpp, vllm or plain", "Choose one of the three.")
    vocabulary = _vocabulary(tokenizer, server.served.vocabulary)
    _check_tokenizer(server, vocabulary, client.root)
    return EndpointTarget(f"endpoint:{client.root}#{model}", server, vocabulary, top, concurrency)


_DIALECTS = {"llamacpp": "llama.cpp", "vllm": "vllm"}


class EndpointTarget:
    """A served model; its truths list the top k tokens and hold the rest as one mass.

    Args:
        name: what it is called: 'endpoint:', the server and the model.
        dialect: how the server is asked.
        top: tokens listed a position, or the whole vocabulary where that is smaller.
    """

    def __init__(self, name: str, dialect: Dialect, vocabulary: Vocabulary, top: int, concurrency: int) -> None:
        served = dialect.served
        self._dialect, self._concurrency = dialect, concurrency
        self.vocabulary, self.context = vocabulary, served.context
        self.top = min(top, vocabulary.size)
        self.batch_tokens = _BATCH_TOKENS
        self.identity = TargetIdentity(name, served.weights, vocabulary.digest, served.engine, served.dtype)

    @property
    def head(self) -> Head | None:
        """None: hidden states stay in the server."""
        return None

    @property
    def kinds(self) -> tuple[str, ...]:
        """What `distributions` gives."""
        return ("topk",)

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids as the tokenizer.json reads the text, special tokens included."""
        return self.vocabulary.encode(text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        """One block a prompt, rows by ascending position; kind 'topk' only (see `Target`).

        Raises:
            ContextError: a prompt is empty or longer than the server's context.
            InputError: another kind.
            EndpointError: the server refused or failed, also after retries.
        """
        where = self.identity.name
        if kind != "topk":
            fix = "Collect with --kind topk."
            raise _bad(where, "a kind that a server does not give", repr(kind), "'topk'", fix)
        for ids in batch:
            if not 0 < len(ids) <= self.context:
                raise ContextError(
                    "a prompt that the target cannot read",
                    where=where,
                    got=f"{len(ids)} tokens",
                    expected=f"1 to {self.context}",
                    fix="Shorten the prompt, leave it out of the suite, or start the server with a larger context.",
                )
        groups = [self._dialect.groups(sorted(chosen)) for chosen in positions]
        asked = [(ids, group) for ids, cut in zip(batch, groups, strict=True) for group in cut]
        answers = iter(self._ask_all(asked))
        blocks: list[Block] = []
        for cut in groups:
            rows = [row for _ in cut for row in next(answers)]
            blocks.append(block_of_rows(rows, self.top, self.vocabulary.size, where))
        return blocks

    @property
    def biased(self) -> BiasedDialect:
        """The server, as far as it takes a bias.

        Raises:
            InputError: it is of a kind that does not.
        """
        if not isinstance(self._dialect, BiasedDialect):
            fix = "Use an OpenAI-compatible server with logit_bias."
            raise _bad(self.identity.name, "a server that takes no bias", type(self._dialect).__name__, "one", fix)
        return self._dialect

    def rows_with_bias(self, ids: Sequence[int], biases: Sequence[Mapping[int, float]]) -> list[Row]:
        """The top rows after all these tokens under each bias, a few requests at a time; the first failure ends all."""
        return self._in_parallel([partial(self.biased.ask_biased, ids, bias, self.top) for bias in biases])

    def _ask_all(self, asked: Sequence[tuple[Sequence[int], tuple[int, ...]]]) -> list[list[Row]]:
        """Answers in order, a few requests at a time; the first failure ends the rest."""
        return self._in_parallel([partial(self._dialect.ask, ids, group, self.top) for ids, group in asked])

    def _in_parallel(self, questions: Sequence[Callable[[], Answer]]) -> list[Answer]:
        pool = ThreadPoolExecutor(self._concurrency)
        try:
            futures = [pool.submit(question) for question in questions]
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)


def _key() -> str | None:
    return next((value for name in KEY_VARIABLES if (value := os.environ.get(name, "").strip())), None)


def _served_entry(client: Client, model: str) -> dict[str, Any]:
    """The model's entry in /v1/models; an empty one where the server keeps no such list."""
    answer = client.get(_MODELS)
    if answer is None and model:
        return {}
    entries = [entry for entry in part(answer, "data") or [] if isinstance(entry, dict) and "id" in entry]
    chosen = [entry for entry in entries if model == entry["id"] or model in (entry.get("aliases") or ())]
    if not model and len(entries) == 1:
        chosen = entries
    if len(chosen) != 1:
        raise EndpointError(
            "no such model" if model else "which model?",
            where=client.root + _MODELS,
            got=repr(model),
            expected=f"one of {[entry['id'] for entry in entries]}",
            fix="Give it as endpoint:URL#MODEL.",
        )
    return chosen[0]


def _vocabulary(tokenizer: Path, served: int | None) -> Vocabulary:
    """The vocabulary, as large as the server says, else as the folder's manifest or config says, else the tokenizer's.

    Raises:
        VocabularyError: the server gives probabilities to fewer tokens than the tokenizer has, or to others than the
            folder says.
    """
    alone = Vocabulary.load(tokenizer)
    stated = None
    for file, keys in ((MANIFEST, ("vocabulary", "size")), (CONFIG, ("vocab_size",))):
        if stated is None and (alone.path.parent / file).is_file():
            stated = part(json.loads((alone.path.parent / file).read_text(encoding="utf-8")), *keys)
    size = served or stated or alone.size
    if size < alone.size or (stated is not None and size != stated):
        raise VocabularyError(
            "another vocabulary",
            where=str(alone.path),
            got=f"{stated or alone.size} tokens",
            expected=f"{size}, as the server says",
            fix="Give the tokenizer.json of the very model that is served.",
        )
    return Vocabulary(alone.path, size)


def _check_tokenizer(server: Dialect, vocabulary: Vocabulary, root: str) -> None:
    for text in _PROBES:
        theirs, ours = server.tokenize(text), list(vocabulary.encode(text))
        if theirs is not None and theirs != ours:
            raise VocabularyError(
                "the tokenizer is not the server's",
                where=f"{root}/tokenize",
                got=f"{theirs[:12]} for {text!r}",
                expected=f"{ours[:12]}, as {vocabulary.path} reads it",
                fix="Give the tokenizer.json of the very model that is served.",
            )


def _bad(where: str, what: str, got: str, expected: str, fix: str) -> InputError:
    return InputError(what, where=where, got=got, expected=expected, fix=fix)
