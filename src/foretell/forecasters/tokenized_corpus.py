"""A corpus as token ids, document by document, and the cache that keeps it for the next run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from foretell.base.canonical import digest_bytes, digest_value
from foretell.base.errors import InputError, StorageError, VocabularyError
from foretell.base.files import damaged, write_atomically
from foretell.distributions import Vocabulary
from foretell.forecasters.corpus import Corpus

#: Called with what is done and the total, both in bytes of text.
Progress = Callable[[int, int], None]

_SCHEMA = "foretell.tokens/1"
#: Text that is encoded in one call: enough for the tokenizer's own threads, little memory.
_BATCH_BYTES = 4 << 20


@dataclass(frozen=True)
class TokenizedCorpus:
    """Token ids of documents, laid end to end.

    Attributes:
        tokens: (tokens,), int32; each document as the tokenizer encodes a prompt, special tokens included.
        offsets: (documents + 1,), int64; document d is tokens[offsets[d]:offsets[d + 1]].
        given: how many tokens the tokenizer's template puts before every text (0 or 1 as a rule). They are context:
            nothing is learnt about when they appear.
        facts: corpus, digest, licence, tokenizer, documents, bytes: for manifests.
    """

    tokens: NDArray[np.int32]
    offsets: NDArray[np.int64]
    given: int
    facts: dict[str, Any]

    def __len__(self) -> int:
        return len(self.tokens)

    def describe(self) -> dict[str, Any]:
        """The facts with the number of tokens."""
        return self.facts | {"tokens": len(self.tokens)}


def cache_folder() -> Path:
    """Where tokenised corpora are kept: foretell/corpora in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foretell" / "corpora"


def tokenize_corpus(corpus: Corpus, vocabulary: Vocabulary, progress: Progress | None = None) -> TokenizedCorpus:
    """Encode a corpus, or read it from the cache, which is keyed by the digests of text and tokenizer.

    Where the cache cannot be written (no room, no permission) the corpus is not kept; the result is the same.

    Raises:
        InputError: the corpus holds no text, or changed while it was read.
        VocabularyError: the tokenizer makes ids that the vocabulary has not.
        DamageError: the cached file is not what was written.
    """
    digest, documents, size = corpus.measure
    facts = {
        "corpus": corpus.name,
        "digest": digest,
        "licence": corpus.licence,
        "tokenizer": vocabulary.digest,
        "documents": documents,
        "bytes": size,
    }
    path = cache_folder() / f"{digest_value([digest, vocabulary.digest])[len('sha256:') :]}.safetensors"
    if path.is_file():
        tokens, offsets, given = _read(path)
    else:
        tokens, offsets = _encode(corpus, vocabulary, progress)
        given = leading_special_tokens(vocabulary)
        with suppress(StorageError):  # documented: the cache only saves time
            _write(path, tokens, offsets, given)
    if not np.any(np.diff(offsets) > given):
        raise InputError(
            "empty corpus",
            where=corpus.name,
            got=f"{documents} documents without text",
            expected="text to learn from",
            fix="Check the path.",
        )
    _check_ids(tokens, vocabulary, corpus.name)
    return TokenizedCorpus(tokens, offsets, given, facts)


def leading_special_tokens(vocabulary: Vocabulary) -> int:
    """How many special tokens the tokenizer's template puts before a text."""
    mask = vocabulary.tokenizer.encode("a").special_tokens_mask
    return mask.index(0) if 0 in mask else len(mask)


def _encode(
    corpus: Corpus, vocabulary: Vocabulary, progress: Progress | None
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    digest, _, total = corpus.measure
    pieces: list[NDArray[np.int32]] = []
    done = 0
    for texts, size in _batches(corpus):
        pieces += [np.asarray(encoding.ids, np.int32) for encoding in vocabulary.tokenizer.encode_batch_fast(texts)]
        done += size
        if progress is not None:
            progress(done, total)
    if done != total or replace(corpus).measure[0] != digest:  # a copy reads again
        raise InputError(
            "the corpus changed",
            where=corpus.name,
            got="another text at the second reading",
            expected="the same",
            fix="Run the command again when nothing writes to these files.",
        )
    offsets = np.cumsum([0, *(len(piece) for piece in pieces)], dtype=np.int64)
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int32), offsets


def _batches(corpus: Corpus) -> Iterator[tuple[list[str], int]]:
    texts: list[str] = []
    size = 0
    for document in corpus.documents():
        texts.append(document.text)
        size += len(document.text.encode())
        if size >= _BATCH_BYTES:
            yield texts, size
            texts, size = [], 0
    if texts:
        yield texts, size


def _check_ids(tokens: NDArray[np.int32], vocabulary: Vocabulary, where: str) -> None:
    if tokens.max() >= vocabulary.size:
        raise VocabularyError(
            "unknown token id",
            where=where,
            got=str(int(tokens.max())),
            expected=f"ids from 0 to {vocabulary.size - 1}",
            fix="Give the tokenizer that belongs to the model, with its full vocabulary size.",
        )


def _content_digest(tokens: NDArray[Any], offsets: NDArray[np.int64], given: int) -> str:
    return digest_bytes(tokens.tobytes() + offsets.tobytes() + str(given).encode())


def _write(path: Path, tokens: NDArray[np.int32], offsets: NDArray[np.int64], given: int) -> None:
    metadata = {"schema": _SCHEMA, "given": str(given), "content": _content_digest(tokens, offsets, given)}
    arrays: dict[str, NDArray[Any]] = {"tokens": tokens, "offsets": offsets}
    write_atomically(path, lambda temporary: save_file(arrays, temporary, metadata))


def _read(path: Path) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
            tokens, offsets = file.get_tensor("tokens"), file.get_tensor("offsets")
        given = int(metadata["given"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise damaged(path, str(error), f"a file of schema {_SCHEMA}") from error
    if (got := _content_digest(tokens, offsets, given)) != metadata["content"]:
        raise damaged(path, got, metadata["content"])
    return tokens, offsets, given
