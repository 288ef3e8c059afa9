"""Interpolated Kneser-Ney on token ids, and the unigram reference, as full next-token distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError, VocabularyError
from foretell.distributions import DenseBlock, TokenizedPrompt
from foretell.forecasters.ngram_counts import NgramCounts, check_order, children_sums


def discount(once: int, twice: int) -> float:
    """The absolute discount of an order, strictly between 0 and 1.

    D = n₁ / (n₁ + 2 n₂). Where n₁ or n₂ is zero, as on tiny corpora, the estimate would be 0 (nothing for the unseen),
    1 (nothing left of what was seen once) or 0/0: then one imagined n-gram of each kind is added, and D =
    (n₁ + 1) / (n₁ + 1 + 2 (n₂ + 1)).

    Args:
        once: n₁, how many n-grams have count 1.
        twice: n₂, how many have count 2.

    Source: Ney, Essen & Kneser 1994; Chen & Goodman 1999, section 2.6.

    >>> discount(6, 2)
    0.6
    >>> discount(0, 0)
    0.3333333333333333
    """
    if once == 0 or twice == 0:
        once, twice = once + 1, twice + 1
    return once / (once + 2 * twice)


class KneserNey:
    """The model: p(w | context) for all w at once.

    p_k(w|h) = max(a(hw) − D_k, 0) / a(h·) + D_k N₁₊(h·) / a(h·) · p_{k−1}(w|h′), with h′ the context without its
    first token, a the raw count for the top order and the adjusted count below it, N₁₊(h·) the number of different
    tokens after h. Order 1 is interpolated with the uniform distribution, so every token has mass. A context that was
    never seen before a token passes everything on; a context shorter than the order allows enters at its own order.

    Args:
        order: at most the counts' own; a lower order of a table is what counting at that order gives.

    Source: Kneser & Ney 1995; Chen & Goodman 1999, section 2.7, in the interpolated form with one discount an order.

    >>> import numpy as np
    >>> from foretell.forecasters.ngram_counts import count_ngrams
    >>> from foretell.forecasters.tokenized_corpus import TokenizedCorpus
    >>> text = TokenizedCorpus(np.array([0, 1, 2, 1, 2, 3], np.int32), np.array([0, 6]), 0, {})
    >>> np.exp(KneserNey(count_ngrams(text, 4, 2), 2).log_probabilities([1])).round(3).tolist()
    [0.06, 0.12, 0.76, 0.06]
    """

    def __init__(self, counts: NgramCounts, order: int) -> None:
        check_order(order, "n-gram model")
        if order > counts.order:
            raise InputError(
                "the table is too short",
                where="n-gram model",
                got=f"order {order}",
                expected=f"an order up to the table's {counts.order}",
                fix=f"Ask for ngram:{counts.order}, or build a table of a higher order.",
            )
        self.counts, self.order, self.vocabulary = counts, order, counts.vocabulary
        self._adjusted = [counts.adjusted(k, order) for k in range(1, order + 1)]
        self.discounts = [_discount_of(adjusted) for adjusted in self._adjusted]
        self._totals = [
            children_sums(level, adjusted) for level, adjusted in zip(counts.levels, self._adjusted, strict=False)
        ]
        self._types = [
            children_sums(level, adjusted > 0) for level, adjusted in zip(counts.levels, self._adjusted, strict=False)
        ]
        self._first = self._order_one()
        self._first_log = np.log(self._first)
        self._scratch = np.zeros(self.vocabulary)

    def _order_one(self) -> NDArray[np.float64]:
        adjusted, total, cut = self._adjusted[0], self._totals[0][0], self.discounts[0]
        left = cut * self._types[0][0] / total
        return np.asarray(np.maximum(adjusted - cut, 0) / total + left / self.vocabulary)

    def log_probabilities(self, context: Sequence[int]) -> NDArray[np.float64]:
        """Natural-log probabilities of every next token: (vocabulary,); sums to 1 within 1e-9.

        Args:
            context: token ids; the last order − 1 of them count.
        """
        if not len(context):
            return self._first_log.copy()
        return np.asarray(self.at(context, [len(context) - 1])[0])

    def at(self, token_ids: Sequence[int], positions: Sequence[int], dtype: type = np.float64) -> NDArray[Any]:
        """Natural-log probabilities at positions of a prompt: (positions, vocabulary), in that dtype.

        Raises:
            VocabularyError: the prompt has an id that the vocabulary has not.
        """
        reach = max(self.order - 1, 1)
        begin = max(min(positions) - reach + 1, 0)
        tokens = np.asarray(token_ids[begin : max(positions) + 1], np.int64)
        check_prompt_ids(tokens, self.vocabulary)
        nodes = self.counts.nodes(tokens, self.order - 1) if self.order > 1 else []
        result: NDArray[Any] = np.empty((len(positions), self.vocabulary), dtype)
        for row, position in enumerate(positions):
            self._fill(result[row], [found[p] for k, found in enumerate(nodes) if (p := position - begin - k) >= 0])
        return result

    def _fill(self, out: NDArray[Any], contexts: list[NDArray[np.int64]]) -> None:
        """Write one row: dense work once, for order 1; the longer contexts touch their followers only.

        Args:
            contexts: nodes of the contexts of 1, 2, … tokens, -1 where unseen.
        """
        weight = 1.0
        touched = []
        for length in range(len(contexts), 0, -1):
            node = contexts[length - 1]
            total = int(self._totals[length][node]) if node >= 0 else 0
            if total == 0:
                continue
            level, cut = self.counts.levels[length], self.discounts[length]
            children = slice(level.first[node], level.first[node + 1])
            tokens = level.tokens[children]
            self._scratch[tokens] += weight * np.maximum(self._adjusted[length][children] - cut, 0) / total
            touched.append(tokens)
            weight *= cut * int(self._types[length][node]) / total
        np.add(self._first_log, np.log(weight), out=out)
        for tokens in touched:
            out[tokens] = np.log(self._scratch[tokens] + weight * self._first[tokens])
        for tokens in touched:
            self._scratch[tokens] = 0.0


def _discount_of(adjusted: NDArray[np.integer]) -> float:
    return discount(int(np.count_nonzero(adjusted == 1)), int(np.count_nonzero(adjusted == 2)))


def check_prompt_ids(tokens: NDArray[np.integer], vocabulary: int) -> None:
    """Raise a VocabularyError if a token of a prompt is outside the vocabulary."""
    if len(tokens) and (tokens.min() < 0 or tokens.max() >= vocabulary):
        raise VocabularyError(
            "unknown token id in a prompt",
            where="forecast",
            got=str(int(tokens.max() if tokens.max() >= vocabulary else tokens.min())),
            expected=f"ids from 0 to {vocabulary - 1}",
            fix="Give the forecaster the tokenizer that made the prompt's tokens (--like TRUTH).",
        )


class NgramForecaster:
    """`ngram:N:CORPUS` and `unigram:CORPUS`.

    The unigram is order 1 on raw counts: relative frequency, discounted once and interpolated with uniform, so that
    every token has mass.

    Args:
        facts: where the counts came from (`describe()` of the corpus or table).
    """

    def __init__(self, name: str, counts: NgramCounts, order: int, facts: dict[str, Any]) -> None:
        self.name, self.facts = name, facts
        self.model = KneserNey(counts, order)

    def describe(self) -> dict[str, Any]:
        return {
            "forecaster": "interpolated Kneser-Ney",
            "order": self.model.order,
            "discounts": self.model.discounts,
            "vocabulary": self.model.vocabulary,
            "text": self.facts,
        }

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Any prompt can be answered."""

    def forecast(self, prompt: TokenizedPrompt) -> DenseBlock:
        return DenseBlock(self.model.at(prompt.token_ids, prompt.positions, np.float32))
