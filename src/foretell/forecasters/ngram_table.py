"""A built table: the n-gram counts of a corpus in one small file, exact.

A safetensors file of compressed byte columns (`.safetensors`, schema foretell.ngrams/1). What is stored for each level
k from 2 are two small numbers: how many children each node of the level above has, and which ones. The n-gram without
its first token occurs wherever the n-gram does, so a child is named by its rank among the children of its parent's
*suffix*, of which there are few; ranks of siblings ascend and are stored as gaps. The columns are split into bytes and
packed with LZMA. Raw counts are stored for the longest n-grams; those of shorter ones follow from the documents'
first tokens, which are stored too.

Source: ranks within the suffix's children are the context-based identifiers of Pibiri & Venturini 2017, "Efficient
Data Structures for Massive N-Gram Datasets".
"""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from foretell.base.canonical import digest_bytes
from foretell.base.errors import InputError, VocabularyError
from foretell.base.files import damaged, write_atomically
from foretell.distributions import Vocabulary
from foretell.forecasters.ngram_counts import Level, NgramCounts, raw_from_longer

SCHEMA = "foretell.ngrams/1"
SUFFIX = ".safetensors"
#: Columns are bytes of small numbers without alignment, where LZMA does best without its positional contexts.
_LZMA = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]
_BYTES = 4
_Ints = NDArray[np.integer]


@dataclass(frozen=True)
class NgramTable:
    """Counts with what they came from.

    Attributes:
        facts: corpus, digest, licence, tokenizer (digest), documents, bytes, tokens.
    """

    counts: NgramCounts
    facts: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the table, whole or not at all; `load` gives back equal counts.

        Raises:
            InputError: the name does not end in `.safetensors`, by which a table is known.
        """
        if path.suffix != SUFFIX:
            raise InputError(
                "bad name for a table",
                where=str(path),
                got=repr(path.suffix),
                expected=f"a name that ends in {SUFFIX}",
                fix=f"Write to {path.with_suffix(SUFFIX).name}.",
            )
        arrays = {name: _pack(column) for name, column in _columns(self.counts).items()}
        facts = {"order": self.counts.order, "vocabulary": self.counts.vocabulary, "facts": self.facts}
        text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
        metadata = {"schema": SCHEMA, "table": text, "content": _content_digest(arrays, text)}
        write_atomically(path, lambda temporary: save_file(arrays, temporary, metadata))

    @classmethod
    def load(cls, path: Path, vocabulary: Vocabulary) -> NgramTable:
        """Read a table for a vocabulary.

        Raises:
            VocabularyError: the table counts another tokenizer's tokens.
            InputError: the file is no table, or there is none.
            DamageError: the file is not what was written.
        """
        arrays, table = _read(path)
        facts = table["facts"]
        if (facts["tokenizer"], table["vocabulary"]) != (vocabulary.digest, vocabulary.size):
            raise VocabularyError(
                "a table for another tokenizer",
                where=str(path),
                got=f"{facts['tokenizer']} with {table['vocabulary']} ids",
                expected=f"{vocabulary.digest} with {vocabulary.size} ids",
                fix="Build the table again from its text with this tokenizer, or forecast from the text itself.",
            )
        columns = {name: _unpack(packed) for name, packed in arrays.items()}
        return cls(_counts(columns, table["vocabulary"], table["order"]), facts)


def _columns(counts: NgramCounts) -> dict[str, _Ints]:
    columns: dict[str, _Ints] = {"raw": counts.levels[-1].raw}
    for length, level in enumerate(counts.levels, 1):
        nodes = np.flatnonzero(level.starts)
        columns[f"starts.{length}.nodes"] = np.diff(nodes, prepend=0)
        columns[f"starts.{length}.documents"] = level.starts[nodes]
        if length > 1:
            parent = np.repeat(np.arange(len(level.first) - 1), np.diff(level.first))
            rank = level.suffix - _suffix_first(counts.levels, length)[parent]
            columns[f"level.{length}.children"] = np.diff(level.first)
            columns[f"level.{length}.gaps"] = _gaps(rank, level.first, parent)
    return columns


def _suffix_first(levels: tuple[Level, ...] | list[Level], length: int) -> _Ints:
    """For each parent of a level: the first child of the parent's suffix, from which ranks count."""
    above = levels[length - 2]
    return np.asarray(above.first[above.suffix])


def _gaps(rank: _Ints, first: _Ints, parent: _Ints) -> _Ints:
    """The first sibling's rank, then how many candidates lie between siblings."""
    gaps = np.diff(rank, prepend=0) - 1
    begins = first[:-1][np.diff(first) > 0]
    gaps[begins] = rank[begins]
    return gaps


def _ranks(gaps: _Ints, first: _Ints, parent: _Ints) -> _Ints:
    """The inverse of `_gaps`."""
    steps = np.cumsum(gaps + 1)
    before = np.concatenate([[0], steps])[first[:-1]]
    return np.asarray(steps - before[parent] - 1)


def _counts(columns: dict[str, _Ints], vocabulary: int, order: int) -> NgramCounts:
    tokens = np.arange(vocabulary, dtype=np.int32)
    none = np.zeros(vocabulary, np.int32)
    levels = [Level(np.array([0, vocabulary]), tokens, none, none, _starts(columns, 1, vocabulary))]
    for length in range(2, order + 1):
        first = np.concatenate([[0], np.cumsum(columns[f"level.{length}.children"])])
        parent = np.repeat(np.arange(len(first) - 1), np.diff(first))
        ranks = _ranks(columns[f"level.{length}.gaps"], first, parent)
        suffix = (ranks + _suffix_first(levels, length)[parent]).astype(np.int32)
        starts = _starts(columns, length, len(suffix))
        levels.append(Level(first, levels[-1].tokens[suffix], suffix, np.zeros(len(suffix), np.int32), starts))
    raw = columns["raw"].astype(np.int32)
    complete: list[Level] = []
    for level in reversed(levels):
        if complete:
            raw = raw_from_longer(complete[-1], level.starts)
        complete.append(Level(level.first, level.tokens, level.suffix, raw, level.starts))
    return NgramCounts(vocabulary, tuple(reversed(complete)))


def _starts(columns: dict[str, _Ints], length: int, nodes: int) -> NDArray[np.int32]:
    starts = np.zeros(nodes, np.int32)
    starts[np.cumsum(columns[f"starts.{length}.nodes"])] = columns[f"starts.{length}.documents"]
    return starts


def _pack(column: _Ints) -> NDArray[np.uint8]:
    """Lowest bytes of all numbers, then the second ones …, through LZMA: uint8 (bytes,)."""
    planes = np.ascontiguousarray(np.asarray(column, "<u4").view(np.uint8).reshape(-1, _BYTES).T)
    packed = lzma.compress(planes.tobytes(), format=lzma.FORMAT_RAW, filters=_LZMA)
    return np.frombuffer(packed, np.uint8)


def _unpack(packed: NDArray[np.uint8]) -> _Ints:
    planes = lzma.decompress(packed.tobytes(), format=lzma.FORMAT_RAW, filters=_LZMA)
    columns = np.frombuffer(planes, np.uint8).reshape(_BYTES, -1)
    return np.ascontiguousarray(columns.T).view("<u4")[:, 0].astype(np.int64)


def _content_digest(arrays: dict[str, NDArray[np.uint8]], text: str) -> str:
    parts = [digest_bytes(arrays[name].tobytes()) for name in sorted(arrays)]
    return digest_bytes("\n".join([*sorted(arrays), *parts, text]).encode())


def _read(path: Path) -> tuple[dict[str, NDArray[np.uint8]], dict[str, Any]]:
    if not path.is_file():
        raise _no_table(path, "no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise damaged(path, str(error), f"a table of schema {SCHEMA}") from error
    if metadata.get("schema") != SCHEMA:
        raise _no_table(path, f"schema {metadata.get('schema')!r}")
    if (got := _content_digest(arrays, metadata["table"])) != metadata["content"]:
        raise damaged(path, got, metadata["content"])
    return arrays, dict(json.loads(metadata["table"]))


def _no_table(path: Path, got: str) -> InputError:
    return InputError(
        "no n-gram table",
        where=str(path),
        got=got,
        expected=f"a table of schema {SCHEMA}",
        fix="Build one from a text, or give the text itself as the corpus.",
    )
