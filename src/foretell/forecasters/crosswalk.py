"""`crosswalk:TARGET`: a model with another tokenizer as forecaster, through the bytes that it would write.

The event. The other model writes on after the prompt's bytes; the target's tokenizer reads what was written; the
forecast of a token is the probability that it is the first one read after the prompt's own tokens, given that these
stand as they are. (Target tokens begin with one another, so "the next bytes begin with the token's" would count one
text for several tokens; read by the tokenizer, each text counts for one.) Texts in which the tokenizer would join
bytes on both sides of the prompt's end do not count. Neither does the text ending here, except that a special token of
the other model counts for the target's special token of the same spelling. So the forecast is a conditional
probability: the mass of each token over the mass of all, and an even share of it (EVEN_SHARE) goes to all tokens alike,
because texts too rare to follow are not impossible, and special tokens and tokens without bytes have no text.

Exact. The walk (`crosswalk_search`) partitions what the other model may write, so no mass is lost or counted twice; the
last word of the prompt is taken back (at most HEALED_TOKENS of the other model's tokens) and every tokenisation of it
and of what follows is summed, tokens that reach over the prompt's end among them.

Bounded. Only the heaviest continuations are followed further than one token of the other model. What was not followed
is read as if the text ended there. `Continuations.tv_bound` bounds what this can change, in total variation;
`describe` has its measure on a sample of positions.

Approximate, not in the bound:
- the text before the last word is given to the other model in its own tokenisation only;
- a token counts as read once another follows it, though a tokenizer may cut differently in the light of later text
  (of texts of foretell-300 cut 1 to 12 bytes after a token's start, 1.6% of such readings by tiny's tokenizer and 4.3%
  by SmolLM2's were not those of the whole text);
- the first token after the start is never taken back where the other model has no start token, and where the other
  model has nothing at all to read the forecast is even.

Source: Vieira et al. 2024, "From Language Models over Tokens to Language Models over Characters" (coverings); Phan et
al. 2024, "Exact Byte-Level Probabilities from Tokenized Language Models".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import ContextError, DistributionError, InputError, VocabularyError
from foretell.distributions import DenseBlock, TokenizedPrompt, Vocabulary
from foretell.forecasters.crosswalk_reading import UNFIT, Reader, Tail, complete_text
from foretell.forecasters.crosswalk_search import EXTRA_NODES, Continuations, Pieces, Question, Walk
from foretell.targets.target import Target

#: Continuations that are followed further, a position.
NODES = 4
#: The share of the forecast that goes to all tokens alike.
EVEN_SHARE = 1e-3
#: How many of the other model's tokens are taken back at most, where its tokenizer makes long words.
HEALED_TOKENS = 4
#: Positions whose shared pass is kept in memory at a time.
_POSITIONS = 32
#: Positions that the bound is measured on beforehand.
_SAMPLE = 8


@dataclass(frozen=True)
class _Position:
    """One question in the other model's terms.

    Attributes:
        tail: the end of the prompt in the target's tokens.
        history: the other model's tokens that stand.
        path: its tokens that were taken back.
        known: the bytes that were taken back.
        inside: whether the prompt ends within a character.
    """

    tail: Tail
    history: tuple[int, ...]
    path: tuple[int, ...]
    known: bytes
    inside: bool


class CrosswalkForecaster:
    """Another model's forecast in the target's vocabulary; the module's first lines define it.

    Args:
        name: the spec, such as 'crosswalk:smollm2'.
        other: opened by the caller; its tokenizer has to keep every byte of a text.
        vocabulary: the target's.
        nodes: continuations that are followed further at each position: each costs one pass of the other model.

    Raises:
        VocabularyError: it has the target's own tokenizer.
        InputError: it gives its top k only.
    """

    def __init__(self, name: str, other: Target, vocabulary: Vocabulary, nodes: int = NODES) -> None:
        if other.vocabulary.digest == vocabulary.digest:
            raise VocabularyError(
                "a model with the target's own tokenizer",
                where=name,
                got=vocabulary.digest,
                expected="another tokenizer",
                fix="Nothing has to be translated: name it as model:TARGET.",
            )
        if "dense" not in other.kinds:
            raise InputError(
                "a model whose distributions are not known in full",
                where=name,
                got=f"kinds {', '.join(other.kinds)}",
                expected="dense log-probabilities: what is not listed may begin any token",
                fix="Use a model that runs here.",
            )
        self.name, self.other, self.vocabulary, self.nodes = name, other, vocabulary, nodes
        self.reader = Reader(vocabulary)
        self.pieces = Pieces(other.vocabulary.token_bytes)
        self._measured: dict[str, float] | None = None

    @cached_property
    def _alone(self) -> NDArray[np.int64]:
        """What each of the other model's tokens reads as by itself, where a character may begin."""
        return self.reader.read(Tail((), b""), self.pieces.texts).tokens

    @cached_property
    def _alone_inside(self) -> NDArray[np.int64]:
        """The same where the prompt ends within a character: only tokens that go on with one can follow."""
        goes_on = [bool(text) and text[0] & 0xC0 == 0x80 for text in self.pieces.texts]  # UTF-8's later bytes: 10…
        pairs = zip(self.pieces.texts, goes_on, strict=True)
        return np.array([self.reader.longest(text) if inside else UNFIT for text, inside in pairs], np.int64)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        ends = np.full(self.other.vocabulary.size, UNFIT, np.int64)
        own = _special_tokens(self.vocabulary)
        for spelling, token in _special_tokens(self.other.vocabulary).items():
            ends[token] = own.get(spelling, UNFIT)
        return ends

    def describe(self) -> dict[str, Any]:
        """The other model, the rule, and how much was left open on a sample of the prompts last prepared for."""
        return {
            "forecaster": "crosswalk",
            "model": self.other.identity.record(),
            "rule": "bytes of the other model, read by the target's tokenizer, given that the prompt's tokens stand",
            "nodes": self.nodes,
            "even_share": EVEN_SHARE,
            "tv_bound_on_sample": self._measured,
        }

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Check that both tokenizers can read every prompt, and measure the bound on a few positions.

        Raises:
            ContextError: a prompt is too long for the other model.
            VocabularyError: a prompt with special tokens after its beginning, or whose bytes a tokenizer changes.
        """
        for prompt in prompts:
            self._check(prompt)
        bounds = [self._walk(prompt, position).tv_bound for prompt, position in _spread(prompts)]
        bounds = [round(float(bound), 4) for bound in bounds]
        if bounds:
            self._measured = {"positions": len(bounds), "mean": round(float(np.mean(bounds)), 4), "most": max(bounds)}

    def _check(self, prompt: TokenizedPrompt) -> None:
        where = f"{self.name} (prompt {prompt.id!r})"
        written = self._written(prompt, len(prompt.token_ids) - 1)
        text = b"".join(self.vocabulary.token_bytes[token] for token in written)
        whole, _ = complete_text(text)
        if whole is None or any(not self.vocabulary.token_bytes[token] for token in written):
            raise VocabularyError(
                "a prompt that is more than text",
                where=where,
                got="a special token after its beginning, or bytes that are no UTF-8",
                expected="text, which another tokenizer can read",
                fix="Leave the prompt out of the suite.",
            )
        ids = self.other.vocabulary.encode(whole)
        if b"".join(self.pieces.texts[token] for token in ids) != whole.encode():
            raise VocabularyError(
                "a tokenizer that changes the text",
                where=where,
                got="tokens of other bytes than the prompt's",
                expected="a tokenizer that keeps every byte and sees no special token in the prompt",
                fix="Use a model with a byte-level tokenizer, or leave the prompt out of the suite.",
            )
        needed = len(ids) + self.nodes + EXTRA_NODES
        if needed > self.other.context:
            raise ContextError(
                "a prompt longer than the model can read",
                where=where,
                got=f"{needed} tokens with what it may write on",
                expected=f"at most {self.other.context}",
                fix="Shorten the prompt, or forecast with a model of a longer context.",
            )

    def forecast(self, prompt: TokenizedPrompt) -> DenseBlock:
        """Walk at every scored position; all positions share one pass over the prompt.

        Raises:
            DistributionError: the other model gives no mass at all to texts that leave the prompt's tokens standing.
        """
        rows = np.empty((len(prompt.positions), self.vocabulary.size), np.float32)
        for start in range(0, len(rows), _POSITIONS):
            chosen = prompt.positions[start : start + _POSITIONS]
            asked = [self._position(prompt, position) for position in chosen]
            known = self._shared([position for position in asked if position is not None])
            for row, position in enumerate(asked, start):
                rows[row] = self._row(None if position is None else self._follow(position, known), prompt)
        return DenseBlock(rows)

    def _row(self, found: Continuations | None, prompt: TokenizedPrompt) -> NDArray[np.float64]:
        even = np.full(self.vocabulary.size, 1 / self.vocabulary.size)
        if found is None:
            return np.asarray(np.log(even))
        masses = found.settled + found.open
        if masses.sum() <= 0:
            raise DistributionError(
                "nothing left in the crosswalk",
                where=f"{self.name} (prompt {prompt.id!r})",
                got="no text of the other model that leaves the prompt's tokens standing",
                expected="at least one",
                fix="Leave the prompt out: its tokens are not how the target's tokenizer reads any text.",
            )
        return np.asarray(np.log((1 - EVEN_SHARE) * masses / masses.sum() + EVEN_SHARE * even))

    def _walk(self, prompt: TokenizedPrompt, position: int) -> Continuations:
        asked = self._position(prompt, position)
        if asked is None:
            nothing = np.zeros(self.vocabulary.size)
            return Continuations(nothing, nothing, 1.0, 0)
        return self._follow(asked, self._shared([asked]))

    def _follow(self, position: _Position, known: dict[tuple[int, ...], NDArray[np.floating]]) -> Continuations:
        def ask(sequences: list[tuple[int, ...]]) -> NDArray[np.floating]:
            asked = [position.history + tokens for tokens in sequences]
            if all(tokens in known for tokens in asked):
                return np.stack([known[tokens] for tokens in asked])
            blocks = self.other.distributions(asked, [[len(tokens) - 1] for tokens in asked], "dense")
            return np.concatenate([block.logprobs for block in blocks if isinstance(block, DenseBlock)])

        alone = self._alone_inside if position.inside else self._alone
        question = Question(position.known, position.path, self.pieces, alone, self._ends, self.vocabulary.size)
        return Walk(question, ask, lambda texts: self.reader.read(position.tail, texts), self.nodes).run()

    def _written(self, prompt: TokenizedPrompt, position: int) -> tuple[int, ...]:
        """The prompt's tokens up to a position, without the special tokens at its beginning."""
        ids = prompt.token_ids[: position + 1]
        first = next((at for at, token in enumerate(ids) if self.vocabulary.token_bytes[token]), len(ids))
        return ids[first:]

    def _position(self, prompt: TokenizedPrompt, position: int) -> _Position | None:
        """The question at a position; None where the other model has nothing to read."""
        written = self._written(prompt, position)
        text, rest = complete_text(b"".join(self.vocabulary.token_bytes[token] for token in written))
        assert text is not None
        found = self.other.vocabulary.tokenizer.encode(text)
        ids, words = found.ids, found.word_ids
        if not ids:
            return None
        cut = len(ids)
        earliest = max(1, len(ids) - HEALED_TOKENS)
        while cut > earliest and self.pieces.texts[ids[cut - 1]] and words[cut - 1] == words[-1]:
            cut -= 1
        known = b"".join(self.pieces.texts[token] for token in ids[cut:]) + rest
        return _Position(self.reader.tail(written), tuple(ids[:cut]), tuple(ids[cut:]), known, bool(rest))

    def _shared(self, positions: Sequence[_Position]) -> dict[tuple[int, ...], NDArray[np.floating]]:
        """Log-probabilities after every history and along every path, from as few passes as there are."""
        wanted = {p.history + p.path[:stop] for p in positions for stop in range(len(p.path) + 1)}
        sequences: list[tuple[int, ...]] = []
        places: list[list[int]] = []
        for tokens in sorted(wanted, key=lambda tokens: (-len(tokens), tokens)):
            home = next((at for at, longer in enumerate(sequences) if longer[: len(tokens)] == tokens), None)
            if home is None:
                sequences.append(tokens)
                places.append([])
            places[-1 if home is None else home].append(len(tokens) - 1)
        known: dict[tuple[int, ...], NDArray[np.floating]] = {}
        for tokens, chosen in zip(sequences, places, strict=True):
            block = self.other.distributions([tokens], [sorted(chosen)], "dense")[0]
            assert isinstance(block, DenseBlock)
            for place, row in zip(sorted(chosen), block.logprobs, strict=True):
                known[tokens[: place + 1]] = row
        return known


def _special_tokens(vocabulary: Vocabulary) -> dict[str, int]:
    added = vocabulary.tokenizer.get_added_tokens_decoder()
    return {token.content: number for number, token in added.items() if token.special and number < vocabulary.size}


def _spread(prompts: Sequence[TokenizedPrompt]) -> list[tuple[TokenizedPrompt, int]]:
    """A few prompts, evenly spaced, each at its last scored position."""
    count = min(_SAMPLE, len(prompts))
    chosen = [prompts[index * len(prompts) // count] for index in range(count)]
    return [(prompt, prompt.positions[-1]) for prompt in chosen if prompt.positions]
