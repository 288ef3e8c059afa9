"""Which prompts were drawn, and that they are the ones that were committed to: cards, draw, openings.

A pool is committed to as one Merkle root over its cards. A card shows a prompt's slice and a salted hash of its record,
so that a prompt can be opened alone and the others stay closed. What an attempt draws follows from the root, the
charter's digest and the attempt's number: nobody chooses.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from foretell.base.canonical import canonical_json, digest_bytes, read_json
from foretell.base.errors import ForgeryError, OrderError
from foretell.ledger import commitment, leaf_hash, tree_root
from foretell.suites import Prompt, Suite, proportional_shares
from foretell.verdicts.charter import Charter

CARDS_SCHEMA = "foretell.pool/1"
_DRAW = b"foretell draw 1\0"
_SALT = re.compile("[0-9a-f]{64}")


def card_leaf(commitment: str, slice_name: str) -> bytes:
    """The leaf of one card."""
    return leaf_hash(canonical_json({"commitment": commitment, "slice": slice_name}))


@dataclass(frozen=True)
class Cards:
    """The public side of a pool: for each prompt its slice and the commitment to its record."""

    name: str
    slices: tuple[str, ...]
    commitments: tuple[str, ...]

    @property
    def leaves(self) -> list[bytes]:
        """The leaf of each card in the tree."""
        return [card_leaf(c, s) for c, s in zip(self.commitments, self.slices, strict=True)]

    @property
    def root(self) -> str:
        """The Merkle root over the cards, hex: what a charter commits to."""
        return tree_root(self.leaves).hex()

    def write(self) -> bytes:
        """The cards as the bytes of their file."""
        cards = [[c, s] for c, s in zip(self.commitments, self.slices, strict=True)]
        return canonical_json({"schema": CARDS_SCHEMA, "name": self.name, "cards": cards})

    @classmethod
    def parse(cls, data: bytes, root: str, where: str) -> Cards:
        """Read cards and compare them with the root that a charter names.

        Raises:
            ForgeryError: they are of another pool, or no cards.
        """
        try:
            value = read_json(data)
            cards = cls(value["name"], tuple(s for _, s in value["cards"]), tuple(c for c, _ in value["cards"]))
            found = cards.root if cards.write() == data else "of other bytes than cards are written in"
        except (ValueError, KeyError, TypeError) as error:
            found = f"no cards ({error!r})"
        if found != root:
            raise ForgeryError(
                "another pool than the charter's",
                where=where,
                got=f"root {found}",
                expected=root,
                fix="The pool was exchanged after the charter; ask for the one that was committed to.",
            )
        return cards


def draw_indices(cards: Cards, used: AbstractSet[int], count: int, charter: str, attempt: int) -> tuple[int, ...]:
    """The prompts of an attempt: from each slice its share of those with the smallest SHA-256 of the draw's name.

    Args:
        used: indices that earlier attempts drew from this pool.
        count: how many prompts, in proportion to what each slice has left (largest remainders).
        charter: the charter's digest.

    Raises:
        OrderError: too few fresh prompts are left.

    >>> cards = Cards("p", ("a", "b") * 4, tuple("01234567"))
    >>> first = draw_indices(cards, set(), 4, "sha256:00", 1)
    >>> sorted(cards.slices[i] for i in first), set(draw_indices(cards, set(first), 4, "sha256:00", 2)) & set(first)
    (['a', 'a', 'b', 'b'], set())
    """
    fresh: dict[str, list[int]] = {}
    for index, name in enumerate(cards.slices):
        if index not in used:
            fresh.setdefault(name, []).append(index)
    left = sum(map(len, fresh.values()))
    if left < count:
        raise OrderError(
            "the pool is used up",
            where=f"pool {cards.name!r}",
            got=f"{left} prompts that no attempt used",
            expected=f"{count}",
            fix="Write a charter with a new pool, or draw fewer.",
        )
    name_of_draw = _DRAW + canonical_json([cards.root, charter, attempt])

    def lot(index: int) -> bytes:
        return hashlib.sha256(name_of_draw + index.to_bytes(8, "big")).digest()

    shares = proportional_shares({name: len(indices) for name, indices in fresh.items()}, count)
    chosen = [index for name, indices in fresh.items() for index in sorted(indices, key=lot)[: shares[name]]]
    return tuple(sorted(chosen))


@dataclass(frozen=True)
class Opening:
    """One prompt with the salt that its commitment was made with: enough to check that prompt alone."""

    index: int
    salt: str
    prompt: Prompt

    @property
    def commitment(self) -> str:
        """What the prompt's card has to say, hex."""
        return commitment(bytes.fromhex(self.salt), canonical_json(self.prompt.row())).hex()

    @property
    def text_digest(self) -> str:
        """Digest of the text: how a prompt is known again in another pool."""
        return digest_bytes(self.prompt.text.encode())

    def record(self) -> dict[str, Any]:
        """The opening for JSON."""
        return {"index": self.index, "salt": self.salt, "prompt": self.prompt.row()}

    def line(self) -> bytes:
        """The opening as a line of openings.jsonl."""
        return canonical_json(self.record()) + b"\n"


def read_openings(data: bytes, where: str) -> list[Opening]:
    """Openings from the bytes of openings.jsonl.

    Raises:
        ForgeryError: they are not what `Opening.line` writes.
    """
    try:
        openings = [read_opening(json.loads(line)) for line in data.splitlines()]
        if b"".join(opening.line() for opening in openings) == data:
            return openings
        got = "lines that are not canonical"
    except (ValueError, KeyError, TypeError) as error:
        got = repr(error)
    raise ForgeryError(
        "no openings",
        where=where,
        got=got,
        expected="lines with index, salt and prompt, in canonical JSON",
        fix="Ask for the file that the log names.",
    )


def read_opening(value: dict[str, Any]) -> Opening:
    """An opening from its record.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    row = dict(value["prompt"])
    scored = tuple(row.pop("scored")) if isinstance(row["scored"], list) else row.pop("scored")
    prompt = Prompt(**row, scored=scored)
    texts = (prompt.id, prompt.text, prompt.slice, prompt.document)
    places = scored if isinstance(scored, tuple) else ()
    if not all(isinstance(text, str) for text in texts) or type(prompt.weight) not in (int, float):
        raise TypeError("a prompt of other than texts, and a number for its weight")
    if not (places or scored in ("last", "all")) or not all(type(place) is int for place in places):
        raise TypeError(f"scored {scored!r}")
    if _SALT.fullmatch(str(value["salt"])) is None:
        raise ValueError(f"salt {value['salt']!r}")
    return Opening(int(value["index"]), str(value["salt"]), prompt)


def check_openings(openings: Sequence[Opening], cards: Cards, drawn: Sequence[int], where: str) -> None:
    """Every drawn prompt is there, once, in order, and is the one that its card commits to.

    Raises:
        ForgeryError: a prompt is missing, added, swapped or doubled, or is of another slice.
    """

    def refuse(what: str, got: str, expected: str) -> None:
        fix = "Ask for the prompts that were sealed; an attempt on others proves nothing."
        raise ForgeryError(what, where=where, got=got, expected=expected, fix=fix)

    indices = [opening.index for opening in openings]
    if indices != list(drawn):
        missing, added = sorted(set(drawn) - set(indices)), sorted(set(indices) - set(drawn))
        got = f"missing {missing}, not drawn {added}" if missing or added else "another order, or one twice"
        refuse("other prompts than were drawn", got, f"the {len(drawn)} drawn prompts in the pool's order")
    for opening in openings:
        if opening.commitment != cards.commitments[opening.index]:
            refuse(
                "a prompt that was swapped",
                f"prompt {opening.prompt.id!r} with commitment {opening.commitment}",
                cards.commitments[opening.index],
            )
        if opening.prompt.slice != cards.slices[opening.index]:
            refuse("a prompt of another slice", opening.prompt.slice, cards.slices[opening.index])
    texts = [opening.text_digest for opening in openings]
    if len(set(texts)) < len(texts):
        refuse("one text twice", f"{len(texts)} prompts with {len(set(texts))} texts", "different texts")


def opened_suite(openings: Sequence[Opening], charter: Charter, attempt: int) -> Suite:
    """The suite of an attempt: the opened prompts with the charter's weights."""
    prompts = []
    for opening in openings:
        prompt = opening.prompt
        weight = charter.weights.get(prompt.slice, prompt.weight)
        prompts.append(Prompt(prompt.id, prompt.text, prompt.slice, weight, prompt.document, prompt.scored))
    return Suite(f"{charter.pool.name}, attempt {attempt}", tuple(prompts))
