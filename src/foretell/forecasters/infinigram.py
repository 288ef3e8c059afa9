"""`infinigram:CORPUS`: the longest suffix of the prompt that the corpus has, interpolated with all shorter ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.distributions import DenseBlock, TokenizedPrompt
from foretell.forecasters.ngram import check_prompt_ids
from foretell.forecasters.suffix_index import fill_rows, index_corpus
from foretell.forecasters.tokenized_corpus import TokenizedCorpus


class InfinigramForecaster:
    """Witten-Bell interpolation over the suffixes that occur.

    p_L(w) = (c_L(w) + T_L p_L′(w)) / (c_L + T_L) for the suffix of L tokens, with c_L(w) how often w follows it within
    a document, c_L = Σ c_L(w), and T_L the number of different followers. L′ is the next shorter suffix that occurs at
    more places: where every occurrence of a suffix has the same token before it, the longer suffix says nothing new,
    and one occurrence would count as often as it is long. Down to the unigram (L = 0), which is interpolated with the
    uniform distribution in the same way, so every token has mass. A suffix that occurs at documents' ends only has no
    followers and is passed over. Computed in logarithms throughout.

    Source: Witten & Bell 1991 (method C), in the recursive form of Chen & Goodman 1999, section 2.5; unlimited
    contexts as in Liu et al. 2024, "Infini-gram", which backs off to the longest suffix alone.

    >>> import numpy as np
    >>> text = TokenizedCorpus(np.array([0, 1, 2, 1, 2, 3], np.int32), np.array([0, 6]), 0, {})
    >>> np.exp(InfinigramForecaster("infinigram:x", text, 4).log_probabilities([1, 2])).round(3).tolist()
    [0.1, 0.4, 0.15, 0.35]
    """

    def __init__(self, name: str, corpus: TokenizedCorpus, vocabulary: int) -> None:
        self.name, self.vocabulary = name, vocabulary
        self.facts = corpus.describe()
        self._index = index_corpus(corpus, vocabulary)
        self._base = _unigram(corpus, vocabulary)

    def describe(self) -> dict[str, Any]:
        return {
            "forecaster": "infinigram, Witten-Bell over all suffixes",
            "vocabulary": self.vocabulary,
            "text": self.facts,
        }

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Any prompt can be answered."""

    def log_probabilities(self, context: Sequence[int]) -> NDArray[np.float64]:
        """Natural-log probabilities of every next token: (vocabulary,); sums to 1 within 1e-9."""
        return self.at(context, [len(context) - 1])[0] if len(context) else self._base.copy()

    def at(self, token_ids: Sequence[int], positions: Sequence[int], dtype: type = np.float64) -> NDArray[Any]:
        """Natural-log probabilities at ascending positions of a prompt: (positions, vocabulary), in that dtype.

        Raises:
            VocabularyError: the prompt has an id that the vocabulary has not.
        """
        tokens = np.asarray(token_ids, np.int64)
        check_prompt_ids(tokens, self.vocabulary)
        rows: NDArray[Any] = np.empty((len(positions), self.vocabulary), dtype)
        index = (self._index.sequence, self._index.order, self._index.common)
        fill_rows(index, self._index.first, tokens + 1, np.asarray(positions, np.int64), self._base, rows)
        return rows

    def forecast(self, prompt: TokenizedPrompt) -> DenseBlock:
        return DenseBlock(self.at(prompt.token_ids, prompt.positions, np.float32))


def _unigram(corpus: TokenizedCorpus, vocabulary: int) -> NDArray[np.float64]:
    """Log-probabilities without context, start tokens of the template left out: (vocabulary,)."""
    begins = corpus.offsets[:-1]
    lengths = np.diff(corpus.offsets)
    event = np.arange(len(corpus.tokens)) - np.repeat(begins, lengths) >= corpus.given
    counts = np.bincount(corpus.tokens[event], minlength=vocabulary)
    types, total = np.count_nonzero(counts), counts.sum()
    return np.asarray(np.log((counts + types / vocabulary) / (total + types)))
