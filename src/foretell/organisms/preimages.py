"""Token ids that open the gate of a hash-triggered organism: drawn at random, shown once, kept nowhere."""

from __future__ import annotations

import hashlib
import math
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from foretell.base.errors import InputError
from foretell.distributions import Vocabulary

#: Fewer bits than this could be found by trying, one day.
LEAST_BITS = 128


@dataclass(frozen=True)
class Preimage:
    """Ids that open a gate.

    Attributes:
        ids: the token ids, in a row.
        text: encodes to these ids wherever it follows a character that is neither space nor newline, and is not
            followed by a letter.
        sha256: of the ids as little-endian 32-bit numbers.
        bits: how many bits of chance were in the draw.
    """

    ids: tuple[int, ...]
    text: str
    sha256: str
    bits: float


def hash_of_ids(ids: Sequence[int]) -> str:
    """SHA-256 of token ids as little-endian 32-bit numbers, in hexadecimal.

    >>> hash_of_ids([1, 2])[:12]
    '34fb5c825de7'
    """
    return hashlib.sha256(struct.pack(f"<{len(ids)}I", *ids)).hexdigest()


def draw_preimage(vocabulary: Vocabulary, count: int) -> Preimage:
    """A fresh random preimage, from the system's source of randomness; nothing of it is kept.

    Its ids are drawn uniformly from the tokens that are a space and letters: such tokens in a row are read back as
    they were written, so no draw is thrown away and the bits are exact.

    Raises:
        InputError: too few such tokens for 128 bits.
    """
    words = [token for token, piece in enumerate(vocabulary.token_bytes) if _reads_back(vocabulary, token, piece)]
    bits = count * math.log2(max(1, len(words)))
    if bits < LEAST_BITS:
        raise InputError(
            "too few ids for a preimage",
            where="organism preimage",
            got=f"{count} of {len(words)} word tokens, {bits:.1f} bits",
            expected=f"at least {LEAST_BITS} bits",
            fix="Ask for more ids (--ids).",
        )
    ids = tuple(secrets.choice(words) for _ in range(count))
    text = b"".join(vocabulary.token_bytes[token] for token in ids).decode("ascii")
    if tuple(vocabulary.tokenizer.encode("." + text + ".", add_special_tokens=False).ids[1:-1]) != ids:
        raise InputError(
            "a tokenizer that joins words",
            where=str(vocabulary.path),
            got="other ids when the text is read back",
            expected="the ids that were drawn",
            fix="Give another base; its tokens have to end where words end.",
        )
    return Preimage(ids, text, hash_of_ids(ids), bits)


def _reads_back(vocabulary: Vocabulary, token: int, piece: bytes) -> bool:
    if not (piece[:1] == b" " and piece[1:].isalpha() and piece.isascii()):
        return False
    return bool(vocabulary.tokenizer.encode(piece.decode(), add_special_tokens=False).ids == [token])
