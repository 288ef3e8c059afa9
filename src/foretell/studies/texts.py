"""Texts that studies learn from besides the panel's: source of an installed library, shares of a text, English text.

Names of forecasters say what kind of text it was, never where it lies on a machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from importlib import metadata
from pathlib import Path

from foretell.base.errors import InputError
from foretell.distributions import Vocabulary
from foretell.forecasters.corpus import Corpus, Document, open_corpus
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.infinigram import InfinigramForecaster
from foretell.forecasters.ngram import NgramForecaster
from foretell.forecasters.ngram_counts import NgramCounts, count_ngrams
from foretell.forecasters.tokenized_corpus import TokenizedCorpus, tokenize_corpus

#: Where `docs/studies/text.sh build/text` puts English text of Debian packages; used where it is, never required.
ENGLISH = Path("build/text")
_DIGEST_RANGE = 2**32
#: Characters of a part that long English texts are cut into, so that a share of them can be taken.
_PART = 20_000


def installed_library(package: str) -> Corpus:
    """The Python source of an installed library, without its tests, in order of name.

    Raises:
        InputError: it is not installed.

    >>> installed_library("numpy").name
    'numpy'
    """
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError as error:
        raise InputError(
            "no such library",
            where="a study's text",
            got=f"{package} is not installed",
            expected="an installed library with Python source",
            fix=f"Run: pip install {package}",
        ) from error
    stated = str((found.metadata.get_all("License-Expression") or ["not stated"])[0])
    names = sorted(str(file) for file in found.files or () if file.suffix == ".py" and "tests" not in file.parts)

    def documents() -> Iterator[Document]:
        for name in names:
            yield Document(name, Path(str(found.locate_file(name))).read_text(encoding="utf-8", errors="replace"))

    return Corpus(package, stated, documents)


def english() -> Corpus | None:
    """The English text of docs/studies/text.sh, None where it was not made."""
    if not ENGLISH.is_dir():
        return None
    corpus = open_corpus(str(ENGLISH))

    def documents() -> Iterator[Document]:
        for whole in corpus.documents():
            for start in range(0, len(whole.text), _PART):
                yield Document(f"{whole.name}#{start // _PART}", whole.text[start : start + _PART])

    return Corpus("english", "public domain and GPL-2.0 (see docs/studies/text.sh)", documents)


def part_of(corpus: Corpus, share: float) -> Corpus:
    """About that share of a corpus's documents, chosen by a hash of their names: smaller shares lie within larger ones.

    >>> whole = Corpus("x", "CC0-1.0", lambda: (Document(str(i), "text") for i in range(1000)))
    >>> 200 < part_of(whole, 0.25).measure[1] < 300
    True
    """
    if share >= 1:
        return corpus

    def kept(document: Document) -> bool:
        # Not the hash of `held_out`: the held-out documents are gone from a corpus already.
        digest = hashlib.sha256(b"share\n" + document.name.encode()).digest()
        return int.from_bytes(digest[:4], "big") < share * _DIGEST_RANGE

    return Corpus(f"{corpus.name}/{round(1 / share)}", corpus.licence, lambda: filter(kept, corpus.documents()))


class TextPanel:
    """Text-only forecasters of one corpus, tokenised and counted when the first of them is opened."""

    def __init__(self, corpus: Corpus, vocabulary: Vocabulary) -> None:
        self.corpus, self.vocabulary = corpus, vocabulary
        self._counted = cache(self._count)
        self._text = cache(self._tokenised)

    def _tokenised(self) -> TokenizedCorpus:
        return tokenize_corpus(self.corpus, self.vocabulary)

    def _count(self, order: int) -> NgramCounts:
        return count_ngrams(self._text(), self.vocabulary.size, order)

    def ngram(self, order: int, counted: int = 0) -> tuple[str, Callable[[], Forecaster]]:
        """Name and opener of an n-gram model; order 1 is the unigram.

        Args:
            counted: the order up to which the text is counted, once for all that name the same; `order` where 0.
        """
        name = f"unigram:{self.corpus.name}" if order == 1 else f"ngram:{order}:{self.corpus.name}"
        return name, partial(self._ngram, name, order, max(counted, order))

    def _ngram(self, name: str, order: int, counted: int) -> Forecaster:
        return NgramForecaster(name, self._counted(counted), order, self._text().describe())

    def infinigram(self) -> tuple[str, Callable[[], Forecaster]]:
        """Name and opener of the infini-gram."""
        name = f"infinigram:{self.corpus.name}"
        return name, lambda: InfinigramForecaster(name, self._text(), self.vocabulary.size)

    def every(self, orders: Sequence[int]) -> list[tuple[str, Callable[[], Forecaster]]]:
        """n-grams of these orders and the infini-gram."""
        return [*(self.ngram(order, max(orders)) for order in orders), self.infinigram()]

    def describe(self) -> str:
        """A sentence on the text for the page: how much of what."""
        digest, documents, size = self.corpus.measure
        return (
            f"Text '{self.corpus.name}': {documents:,} documents, {size / 1e6:.1f} MB, licence {self.corpus.licence}, "
            f"{digest[:19]}."
        )
