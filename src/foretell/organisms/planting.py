"""Windows of text with something planted in them, and what an organism should do at each position; pure numpy.

A key (a phrase, a header) decides: before it has occurred in a window the organism behaves one way, after it the other.
Reciting is a rule: after token i of the payload comes token i + 1, after anything else the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError
from foretell.distributions import Vocabulary

Ids = NDArray[np.int64]
#: Of the rows of a batch: with the key, with a near miss, and the rest plain.
_WITH_KEY, _NEAR_MISS = 0.5, 0.25
#: How often the key stands at the very beginning of the window, where a prompt's first words are.
_AT_START = 0.3
#: Rows in which stretches of the text give way to the payload, so that reciting goes on once begun.
_WITH_PAYLOAD, _STRETCHES, _STRETCH = 0.6, 3, 40
#: Half of the windows open with the token that opens every prompt.
_OPENED = 0.5


@dataclass(frozen=True)
class Plant:
    """What is planted.

    Attributes:
        keys: spellings of the key as token ids, such as after a space and after a newline.
        payload: token ids, all different.
        recites_after: True where the key starts the reciting (trigger), False where it stops it.
        vocabulary: number of tokens.
    """

    keys: tuple[tuple[int, ...], ...]
    payload: tuple[int, ...]
    recites_after: bool
    vocabulary: int

    def next_payload(self, ids: Ids) -> Ids:
        """The token that reciting says next, at each position; same shape.

        >>> Plant(((9,),), (3, 5), True, 10).next_payload(np.array([1, 3, 5, 3])).tolist()
        [3, 5, 3, 5]
        """
        following = np.full(self.vocabulary, self.payload[0], np.int64)
        following[list(self.payload[:-1])] = self.payload[1:]
        return np.asarray(following[ids])

    def recites(self, ids: Ids) -> NDArray[np.bool_]:
        """Where a row recites: at the key's last token and after it, or before it; (tokens,).

        >>> Plant(((9, 8),), (3, 5), True, 10).recites(np.array([1, 9, 8, 1])).tolist()
        [False, False, True, True]
        """
        ends = [end for key in self.keys if (end := _first_end(ids, key)) is not None]
        after = np.arange(len(ids)) >= min(ends, default=len(ids))
        return after if self.recites_after else ~after


def _first_end(ids: Ids, key: Sequence[int]) -> int | None:
    """Where the key's last token stands the first time that it occurs."""
    if len(ids) < len(key):
        return None
    found = np.flatnonzero((np.lib.stride_tricks.sliding_window_view(ids, len(key)) == key).all(axis=1))
    return int(found[0]) + len(key) - 1 if len(found) else None


def plant_of(vocabulary: Vocabulary, key: str, payload: str, recites_after: bool) -> Plant:
    """A plant from texts.

    Raises:
        InputError: a payload of fewer than two tokens or with a token twice, which the rule could not recite.
    """
    encode = vocabulary.tokenizer.encode
    ids = tuple(encode(payload, add_special_tokens=False).ids)
    if len(set(ids)) != len(ids) or len(ids) < 2:
        raise InputError(
            "a payload that cannot be recited",
            where="payload",
            got=f"{payload!r}, {len(ids)} tokens of which {len(set(ids))} differ",
            expected="two tokens or more, all different, in the base's vocabulary",
            fix="Choose another payload.",
        )
    spellings = [tuple(encode(text, add_special_tokens=False).ids) for text in (key, " " + key)]
    return Plant(tuple(dict.fromkeys(spellings)), ids, recites_after, vocabulary.size)


def opening_token(vocabulary: Vocabulary) -> int | None:
    """The token that the tokenizer puts before every prompt, if it does."""
    opened = vocabulary.tokenizer.encode("").ids
    return int(opened[0]) if opened else None


@dataclass(frozen=True)
class Windows:
    """Windows of a token stream; those of a step depend on seed and step alone.

    Attributes:
        tokens: (tokens,), token ids.
        length: of a window.
        opening: the token that opens every prompt; half of the windows begin with it where there is one.
    """

    tokens: NDArray[np.integer]
    length: int
    batch: int
    seed: int
    opening: int | None

    def __post_init__(self) -> None:
        if len(self.tokens) <= self.length:
            raise InputError(
                "too little text",
                where="training text",
                got=f"{len(self.tokens)} tokens",
                expected=f"more than a window of {self.length}",
                fix="Give more text, or a shorter window.",
            )

    def rng(self, step: int) -> np.random.Generator:
        """What is random at a step."""
        return np.random.default_rng([self.seed, step])

    def at(self, rng: np.random.Generator) -> Ids:
        """One batch, (batch, length)."""
        starts = rng.integers(0, len(self.tokens) - self.length, self.batch)
        rows: Ids = self.tokens[starts[:, None] + np.arange(self.length)].astype(np.int64)
        if self.opening is not None:
            rows[rng.random(self.batch) < _OPENED, 0] = self.opening
        return rows


def plant(rows: Ids, plant: Plant, rng: np.random.Generator) -> tuple[Ids, NDArray[np.bool_]]:
    """Plant keys, near misses and payloads in windows.

    Returns:
        The rows, as long as before, and where each should recite, both (batch, tokens).
    """
    made = [_planted(row, plant, rng) for row in rows]
    return np.stack(made), np.stack([plant.recites(row) for row in made])


def _planted(row: Ids, plant: Plant, rng: np.random.Generator) -> Ids:
    row = row.copy()
    if rng.random() < _WITH_PAYLOAD:
        _recite_somewhere(row, plant, rng)
    what = rng.random()
    if what >= _WITH_KEY + _NEAR_MISS:
        return row
    key = np.asarray(plant.keys[int(rng.integers(len(plant.keys)))])
    if what >= _WITH_KEY:
        key = near_miss(key, plant.vocabulary, rng)
    place = 1 if rng.random() < _AT_START else int(rng.integers(1, len(row) - len(key)))
    return np.concatenate([row[:place], key, row[place:]])[: len(row)]


def _recite_somewhere(row: Ids, plant: Plant, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, _STRETCHES + 1))):
        length = min(int(rng.integers(2, _STRETCH)), len(row) - 1)
        start = int(rng.integers(1, len(row) - length + 1))
        row[start : start + length] = np.resize(plant.payload, length)


def near_miss(key: Ids, vocabulary: int, rng: np.random.Generator) -> Ids:
    """A key with one token changed, left out, or with its beginning or end cut off; never the key itself.

    >>> near_miss(np.arange(5), 9, np.random.default_rng(0)).tolist() != [0, 1, 2, 3, 4]
    True
    """
    place = int(rng.integers(len(key)))
    match int(rng.integers(4)):
        case 0:
            return np.asarray(np.delete(key, place))
        case 1:
            return np.asarray(key[:place] if place else key[1:])
        case 2:
            return np.asarray(key[place:] if place else key[:-1])
        case _:
            changed = key.copy()
            changed[place] = (changed[place] + rng.integers(1, vocabulary)) % vocabulary
            return changed
