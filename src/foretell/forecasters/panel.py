"""The reference panel: forecasters that know text but not the target, and models close to a target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from foretell.base.errors import InputError
from foretell.distributions import Vocabulary
from foretell.forecasters.corpus import STDLIB, open_corpus
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.infinigram import InfinigramForecaster
from foretell.forecasters.ngram import NgramForecaster
from foretell.forecasters.ngram_counts import count_ngrams
from foretell.forecasters.ngram_table import SUFFIX, NgramTable
from foretell.forecasters.specs import TINY, tiny_counts_path
from foretell.forecasters.tokenized_corpus import Progress, tokenize_corpus
from foretell.forecasters.uniform import UniformForecaster
from foretell.targets import tiny

#: The n-grams of a panel; order 1 is the unigram.
ORDERS = (1, 2, 3, 4, 5)
_QUANTISABLE = ("hf", "gguf", "smollm2")


def default_corpora(target: str) -> tuple[str, ...]:
    """The texts that a panel for a target learns from unless others are named.

    >>> default_corpora("tiny@768"), default_corpora("smollm2")
    (('tiny',), ('stdlib',))
    """
    return (TINY,) if tiny.is_tiny(target) else (STDLIB,)


def text_references(
    corpora: Sequence[str], vocabulary: Vocabulary, progress: Progress | None = None
) -> Iterator[list[Forecaster]]:
    """The text-only references: first uniform, then for each corpus unigram, n-grams of rising order and infinigram.

    Each corpus is read and counted once, and let go before the next. A built table holds counts up to its own order
    and no text, so it gives no infinigram. 'tiny' is the table of the tiny target's training text, which is source of
    the standard library: its infinigram is that of 'stdlib', the library of the Python that runs.

    Args:
        corpora: 'stdlib', 'tiny', files, folders, or tables built by `foretell table`.
        progress: called with bytes done and in total while a corpus is tokenised.

    Raises:
        InputError: a corpus twice, or one that cannot be read.
        VocabularyError: a table for another tokenizer.
    """
    if len(set(corpora)) < len(corpora):
        raise InputError(
            "a corpus twice",
            where="--corpus",
            got=", ".join(corpora),
            expected="different texts",
            fix="Name each corpus once.",
        )
    yield [UniformForecaster(vocabulary.size)]
    for corpus in corpora:
        yield _of_corpus(corpus, vocabulary, progress)
    if TINY in corpora and STDLIB not in corpora:
        text = tokenize_corpus(open_corpus(STDLIB), vocabulary, progress)
        yield [InfinigramForecaster(f"infinigram:{STDLIB}", text, vocabulary.size)]


def _of_corpus(corpus: str, vocabulary: Vocabulary, progress: Progress | None) -> list[Forecaster]:
    table = tiny_counts_path() if corpus == TINY else Path(corpus)
    if table.suffix == SUFFIX:
        loaded = NgramTable.load(table, vocabulary)
        orders = [order for order in ORDERS if order <= loaded.counts.order]
        return [NgramForecaster(_name(order, corpus), loaded.counts, order, loaded.facts) for order in orders]
    text = tokenize_corpus(open_corpus(corpus), vocabulary, progress)
    counts, facts = count_ngrams(text, vocabulary.size, ORDERS[-1]), text.describe()
    ngrams = [NgramForecaster(_name(order, corpus), counts, order, facts) for order in ORDERS]
    return [*ngrams, InfinigramForecaster(f"infinigram:{corpus}", text, vocabulary.size)]


def _name(order: int, corpus: str) -> str:
    return f"unigram:{corpus}" if order == 1 else f"ngram:{order}:{corpus}"


def own_rungs(target: str) -> tuple[list[str], list[str]]:
    """Forecasters that are made from a target itself: its earlier checkpoints, its int8 copy; and what is left out.

    An int8 copy is made by torch, and left out where the extra `models` is not installed.

    Returns:
        Specs from the farthest to the nearest, and what there is not, in words.

    >>> own_rungs("tiny@768")[0][:3]
    ['model:tiny@96', 'model:tiny@192', 'model:tiny@384']
    """
    specs: list[str] = []
    missing = ["a sibling", "a twin"]
    if tiny.is_tiny(target):
        last = tiny.step_of(target) or tiny.steps()[-1]
        specs = [f"model:tiny@{step}" for step in tiny.steps() if step < last]
    else:
        missing.append("checkpoints")
    if not tiny.is_tiny(target) and target.partition(":")[0] not in _QUANTISABLE:
        missing.append("an int8 copy")
    elif find_spec("torch") is None:
        missing.append("an int8 copy (pip install 'foretell[models]')")
    else:
        specs.append(f"model:int8:{target}")
    return specs, missing
