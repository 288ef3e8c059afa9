"""Small real tokenizers, corpora of random tokens, and a cache folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from foretell.distributions import TokenizedPrompt, Vocabulary
from foretell.forecasters.tokenized_corpus import TokenizedCorpus

# The first example of a test compiles kernels, which is no failure.
settings.register_profile("forecasters", deadline=None)
settings.load_profile("forecasters")

TEXTS = [
    "one two three two one\n",
    "def f(x):\n    return x + 1\n",
    "three two one, one two three.",
    "été naïve 中文 🙂",
]


def _train(path: Path, opening: str | None) -> Vocabulary:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=["<s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    if opening is not None:
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{opening} $A", special_tokens=[("<s>", 0)])
    tokenizer.save(str(path))
    return Vocabulary.load(path)


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    """Every text opens with a start token, id 0."""
    return _train(tmp_path_factory.mktemp("opened") / "tokenizer.json", "<s>")


@pytest.fixture(scope="session")
def bare_vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    """No token is added to a text."""
    return _train(tmp_path_factory.mktemp("bare") / "tokenizer.json", None)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, for this test only."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "foretell" / "corpora"


@pytest.fixture(scope="session")
def lay_out() -> Callable[..., TokenizedCorpus]:
    """Lists of token ids as a corpus."""

    def build(documents: Sequence[Sequence[int]], given: int = 0, tokenizer: str = "sha256:none") -> TokenizedCorpus:
        tokens = np.array([token for document in documents for token in document], np.int32)
        offsets = np.cumsum([0, *(len(document) for document in documents)], dtype=np.int64)
        return TokenizedCorpus(tokens, offsets, given, {"corpus": "random", "tokenizer": tokenizer})

    return build


@pytest.fixture(scope="session")
def ask() -> Callable[..., TokenizedPrompt]:
    """A prompt of token ids, scored at its last position unless others are named."""

    def build(token_ids: Sequence[int], positions: Sequence[int] | None = None, name: str = "p") -> TokenizedPrompt:
        at = (len(token_ids) - 1,) if positions is None else tuple(positions)
        return TokenizedPrompt(name, "all", 1.0, name, "text", tuple(token_ids), at)

    return build
