"""A vocabulary: which bytes each token id stands for, and the digest of the tokenizer that says so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from foretell.base.canonical import digest_file
from foretell.base.errors import InputError

TOKENIZER = "tokenizer.json"
_BYTE_TOKEN_LENGTH = len("<0x00>")


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer in the `tokenizers` format, and the number of tokens that the model gives probabilities to.

    Attributes:
        path: the tokenizer.json.
        size: may exceed the tokenizer's own count where a model's output layer is padded.
    """

    path: Path
    size: int

    @classmethod
    def load(cls, path: Path, size: int | None = None) -> Vocabulary:
        """Read a tokenizer.json, or the one in a folder (a truth, a model folder).

        Raises:
            InputError: there is none, or `tokenizers` cannot read it.
        """
        file = path / TOKENIZER if path.is_dir() else path
        try:
            count = Tokenizer.from_file(str(file)).get_vocab_size(with_added_tokens=True)
        except Exception as error:  # the library raises a bare Exception
            raise InputError(
                "cannot read the tokenizer",
                where=str(file),
                got=str(error),
                expected="a tokenizer.json of the `tokenizers` library",
                fix="Give a tokenizer.json, a model folder that has one, or a truth made by `foretell collect`.",
            ) from error
        return cls(file, count if size is None else size)

    @cached_property
    def digest(self) -> str:
        """Digest of the tokenizer file."""
        return digest_file(self.path)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer itself, without truncation or padding."""
        tokenizer = Tokenizer.from_file(str(self.path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, with the special tokens that the tokenizer's own template adds."""
        return tuple(self.tokenizer.encode(text).ids)

    @cached_property
    def token_bytes(self) -> list[bytes]:
        """The bytes of each token id, length `size`; empty for special tokens and for padding of the output layer."""
        pieces: list[bytes] = [b""] * self.size
        special = {token.content for token in self.tokenizer.get_added_tokens_decoder().values() if token.special}
        to_byte = _byte_level_alphabet() if _is_byte_level(self.path) else None
        for piece, token in self.tokenizer.get_vocab(with_added_tokens=True).items():
            if piece not in special and token < self.size:
                pieces[token] = _piece_bytes(piece, to_byte)
        return pieces

    @cached_property
    def token_lengths(self) -> np.ndarray:
        """Bytes of text that each token stands for: float32 (size,)."""
        return np.array([len(piece) for piece in self.token_bytes], np.float32)


def _is_byte_level(path: Path) -> bool:
    return '"ByteLevel"' in json.dumps(json.loads(path.read_text(encoding="utf-8")).get("decoder"))


def _byte_level_alphabet() -> dict[str, int]:
    """GPT-2's map from printable characters back to bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + index): byte for index, byte in enumerate(others)}


def _piece_bytes(piece: str, to_byte: dict[str, int] | None) -> bytes:
    if to_byte is not None and all(character in to_byte for character in piece):
        return bytes(to_byte[character] for character in piece)
    if len(piece) == _BYTE_TOKEN_LENGTH and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("\u2581", " ").encode()
