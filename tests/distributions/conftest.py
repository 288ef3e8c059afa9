"""A vocabulary of eight words, prompts in it, and blocks of the three kinds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from foretell.distributions import Block, DenseBlock, FactoredBlock, Head, TokenizedPrompt, TopKBlock, Vocabulary

WORDS = ("<unk>", "a", "b", "c", "d", "e", "f", "g")
SIZE, WIDTH = len(WORDS), 3
FACTS = {"role": "truth", "source": {"name": "test"}, "suite": {"name": "s", "digest": "sha256:s"}, "dtype": "float32"}


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    """Eight words, split at white space."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    path = tmp_path_factory.mktemp("words") / "tokenizer.json"
    tokenizer.save(str(path))
    return Vocabulary.load(path)


@pytest.fixture(scope="session")
def prompts(words: Vocabulary) -> list[TokenizedPrompt]:
    """Five prompts of one to five tokens, every position scored."""
    texts = ["a", "a b", "c d e", "f g a b", "a b c d e"]
    made = []
    for i, text in enumerate(texts):
        ids = words.encode(text)
        made.append(
            TokenizedPrompt(f"p{i}", "odd" if i % 2 else "even", 1.0 + i, f"d{i}", text, ids, tuple(range(len(ids))))
        )
    return made


#: Prompt indices of each shard: rows lie in another order than prompts.
PLAN = [[4], [0, 2], [3, 1]]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def make_block(kind: str, rows: int, seed: int = 0) -> Block:
    rng = np.random.default_rng(seed)
    if kind == "factored":
        head_rng = np.random.default_rng(99)
        head = Head(head_rng.normal(size=(SIZE, WIDTH)).astype(np.float32), np.arange(SIZE, dtype=np.float32), 0.5, 7.5)
        return FactoredBlock(rng.normal(size=(rows, WIDTH)).astype(np.float32), head)
    logprobs = log_softmax(rng.normal(size=(rows, SIZE)) * 2)
    if kind == "dense":
        return DenseBlock(logprobs.astype(np.float32))
    if kind == "half":
        return DenseBlock(logprobs.astype(np.float16))
    ids = np.argsort(-logprobs, axis=1)[:, :3].astype(np.int32)
    listed = np.take_along_axis(logprobs, ids, axis=1).astype(np.float32)
    rest = np.log1p(-np.exp(listed.astype(np.float64)).sum(axis=1)).astype(np.float32)
    return TopKBlock(ids, listed, rest)


@pytest.fixture(scope="session")
def block_of() -> Callable[..., Block]:
    """make_block: test files of this folder are not importable from one another."""
    return make_block
