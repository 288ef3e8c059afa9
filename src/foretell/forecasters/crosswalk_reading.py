"""How a target's tokenizer reads what another model writes on after a prompt: bytes in, the next token out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.distributions import Vocabulary

#: In place of a token: the text does not leave the prompt's own tokens standing, or is no text (not UTF-8).
UNFIT = -1
#: In place of a token: nothing can be read yet; the text ends within its first character, and no token begins so.
UNREADABLE = -2
#: A prompt's last tokens that are read again with each continuation; more where these few alone read otherwise.
_TAIL_TOKENS = 4


@dataclass(frozen=True)
class Tail:
    """The end of a prompt: its last tokens, and the bytes that they stand for."""

    token_ids: tuple[int, ...]
    text: bytes


@dataclass(frozen=True)
class Readings:
    """What comes next in some texts, as the target's tokenizer cuts them.

    Attributes:
        tokens: (texts,), the token after the prompt, UNFIT or UNREADABLE.
        settled: (texts,), whether a further token follows it, so that a longer text is taken to read the same.
    """

    tokens: NDArray[np.int64]
    settled: NDArray[np.bool_]


class Reader:
    """A target's tokenizer, as a reader of bytes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.tokenizer = vocabulary.tokenizer
        self.pieces = vocabulary.token_bytes
        self.lengths = [len(piece) for piece in self.pieces]
        self.by_bytes = {piece: token for token, piece in enumerate(self.pieces) if piece}

    def tail(self, token_ids: Sequence[int]) -> Tail:
        """The fewest last tokens, at least four, that are read as these same tokens when they stand alone.

        Where no end of the prompt is so, it is the whole prompt. An end within a character is taken without this check.

        Args:
            token_ids: the prompt's tokens that have bytes.
        """
        for count in range(_TAIL_TOKENS, len(token_ids)):
            found = self._tail(token_ids[-count:])
            text, rest = complete_text(found.text)
            if text is not None and (rest or self._encode([text])[0] == list(found.token_ids)):
                return found
        return self._tail(token_ids)

    def _tail(self, token_ids: Sequence[int]) -> Tail:
        return Tail(tuple(token_ids), b"".join(self.pieces[token] for token in token_ids))

    def read(self, tail: Tail, texts: Sequence[bytes]) -> Readings:
        """The token after the tail, for each way in which the text may go on.

        Args:
            texts: what comes after the tail; a last character that is cut short is left out. Where nothing else is
                there, the longest token with these bytes stands for the reading, which is not settled.
        """
        tokens = np.full(len(texts), UNFIT, np.int64)
        settled = np.ones(len(texts), bool)
        places: list[int] = []
        readable: list[str] = []
        for place, text in enumerate(texts):
            read, rest = complete_text(tail.text + text)
            if read is None:
                continue
            if len(rest) >= len(text):
                tokens[place], settled[place] = self.longest(text), False
                continue
            places.append(place)
            readable.append(read)
        for place, read, ids in zip(places, readable, self._encode(readable), strict=True):
            tokens[place], settled[place] = self._after(tail, ids, len(read.encode()))
        return Readings(tokens, settled)

    def _after(self, tail: Tail, ids: list[int], size: int) -> tuple[int, bool]:
        """The token after the tail and whether another follows; `size` is the text's bytes."""
        count = len(tail.token_ids)
        if sum(self.lengths[token] for token in ids) != size:  # a special token's own spelling
            return UNFIT, True
        if len(ids) > count and tuple(ids[:count]) == tail.token_ids:
            return ids[count], len(ids) > count + 1
        last = size - self.lengths[ids[-1]]
        return UNFIT, last > len(tail.text)

    def longest(self, text: bytes) -> int:
        """The longest token that these bytes begin with."""
        stops = range(len(text), 0, -1)
        return next((self.by_bytes[text[:stop]] for stop in stops if text[:stop] in self.by_bytes), UNREADABLE)

    def _encode(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        return [found.ids for found in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def complete_text(data: bytes) -> tuple[str | None, bytes]:
    r"""The text up to its last complete character, and the bytes of a character that is cut short; None: no text.

    >>> complete_text("né".encode()[:2]), complete_text(b"a\xff")
    (('n', b'\xc3'), (None, b''))
    """
    try:
        return data.decode(), b""
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return None, b""
        return data[: error.start].decode(), data[error.start :]
