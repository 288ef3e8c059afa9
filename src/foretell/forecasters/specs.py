"""Spec strings to forecasters: 'ngram:5:stdlib', 'pool:log:uniform+unigram:notes.txt', 'python:mine.py:next_token'."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from foretell.base.errors import InputError
from foretell.distributions import Distributions, Vocabulary
from foretell.forecasters.composed import ComposedForecaster, read_members, split_members
from foretell.forecasters.corpus import open_corpus
from foretell.forecasters.crosswalk import NODES, CrosswalkForecaster
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.infinigram import InfinigramForecaster
from foretell.forecasters.lowrank import LowRankForecaster
from foretell.forecasters.next_checkpoint import open_next
from foretell.forecasters.ngram import NgramForecaster
from foretell.forecasters.ngram_counts import NgramCounts, check_order, count_ngrams
from foretell.forecasters.ngram_table import SUFFIX, NgramTable
from foretell.forecasters.pool import LINEAR, LOGARITHMIC, PoolForecaster
from foretell.forecasters.program import ProgramForecaster, load_program
from foretell.forecasters.python_function import PythonForecaster
from foretell.forecasters.rows import RowRules
from foretell.forecasters.saved import open_saved
from foretell.forecasters.surrogate import SurrogateForecaster
from foretell.forecasters.tokenized_corpus import Progress, tokenize_corpus
from foretell.forecasters.uniform import UniformForecaster
from foretell.targets.composite_definition import load_definition
from foretell.targets.target import Target

KNOWN = (
    "uniform",
    "unigram:CORPUS",
    "ngram:N:CORPUS",
    "infinigram:CORPUS",
    "model:TARGET",
    "crosswalk:TARGET",
    "lowrank:DIR",
    "next:METHOD:RUN@STEP",
    "python:MODULE:FUNCTION",
    "program:FOLDER",
    "file:DIR",
    "pool:A+B",
    "pool:log:A+B",
    "composed:FILE:NAME=SPEC,NAME=SPEC",
)
TINY = "tiny"
#: The counts of the tiny target's training text, beside the target.
TINY_COUNTS = f"ngram-counts{SUFFIX}"


def is_reference(name: str) -> bool:
    """Whether a forecaster of this spec knows text but no model: it belongs to the reference panel.

    >>> is_reference("pool:log:uniform+ngram:3:stdlib"), is_reference("model:tiny@768")
    (True, False)
    """
    if name.startswith("pool:"):
        return all(is_reference(member) for member in name.removeprefix("pool:").removeprefix("log:").split("+"))
    return name.partition(":")[0] in ("uniform", "unigram", "ngram", "infinigram")


def tiny_counts_path() -> Path:
    """Where the shipped counts are: CORPUS 'tiny'."""
    return Path(str(files("foretell.targets"))) / "shipped" / "tiny" / TINY_COUNTS


@dataclass(frozen=True)
class _Opening:
    """What the parts of a spec are opened with."""

    vocabulary: Vocabulary
    open_target: Callable[[str], Target]
    practice: Distributions | None
    renormalise: bool
    model_kind: str | None
    progress: Progress | None


def open_forecaster(
    spec: str,
    vocabulary: Vocabulary,
    *,
    open_target: Callable[[str], Target],
    practice: Distributions | None = None,
    renormalise: bool = False,
    model_kind: str | None = None,
    progress: Progress | None = None,
) -> Forecaster:
    """The forecaster that a spec names, ready to forecast in a vocabulary.

    Args:
        open_target: called with TARGET of 'model:TARGET'.
        practice: a truth to fit a pool's weights on (without it they are equal), whose prompts serve
            'next:METHOD:RUN@STEP' to measure on.
        renormalise: rows of a function or a file that do not sum to 1 are divided by their sum, and `describe` says so.
        model_kind: what a 'model:TARGET' is asked for: 'dense', 'factored' or 'topk'; what it gives best where None.
        progress: called with bytes done and in total while a corpus is tokenised.

    Raises:
        InputError: an unknown spec, with those that are known; a corpus, module or folder that cannot be read.
        VocabularyError: a table, model or file for another tokenizer.
    """
    return _open(spec, _Opening(vocabulary, open_target, practice, renormalise, model_kind, progress))


def build_table(
    corpus_spec: str, vocabulary: Vocabulary, order: int, path: Path, progress: Progress | None = None
) -> NgramTable:
    """Count a corpus's n-grams up to an order and save them; the file is a CORPUS for n-gram forecasters.

    Raises:
        InputError: a bad order, corpus or name.
    """
    check_order(order, str(path))
    text = tokenize_corpus(open_corpus(corpus_spec), vocabulary, progress)
    table = NgramTable(count_ngrams(text, vocabulary.size, order), text.describe())
    table.save(path)
    return table


def _open(spec: str, opening: _Opening) -> Forecaster:
    kind, _, rest = spec.partition(":")
    if kind == "uniform" and not rest:
        return UniformForecaster(opening.vocabulary.size)
    opener = _OPENERS.get(kind)
    if opener is None or not rest:
        raise _unknown(spec)
    return opener(spec, rest, opening)


def _unigram(spec: str, corpus: str, opening: _Opening) -> Forecaster:
    counts, facts = _counts(corpus, 1, opening)
    return NgramForecaster(spec, counts, 1, facts)


def _ngram(spec: str, rest: str, opening: _Opening) -> Forecaster:
    number, _, corpus = rest.partition(":")
    if not number.isdecimal() or not corpus:
        raise _unknown(spec)
    order = int(number)
    check_order(order, spec)
    counts, facts = _counts(corpus, order, opening)
    return NgramForecaster(spec, counts, order, facts)


def _counts(corpus: str, order: int, opening: _Opening) -> tuple[NgramCounts, dict[str, Any]]:
    table = tiny_counts_path() if corpus == TINY else Path(corpus)
    if table.suffix == SUFFIX:
        loaded = NgramTable.load(table, opening.vocabulary)
        return loaded.counts, loaded.facts
    text = tokenize_corpus(open_corpus(corpus), opening.vocabulary, opening.progress)
    return count_ngrams(text, opening.vocabulary.size, order), text.describe()


def _infinigram(spec: str, corpus: str, opening: _Opening) -> Forecaster:
    if corpus == TINY or corpus.endswith(SUFFIX):
        raise InputError(
            "counts are no text",
            where=spec,
            got="a built table",
            expected="the text itself: an infinigram looks for suffixes of any length",
            fix="Give `stdlib`, a file or a folder.",
        )
    text = tokenize_corpus(open_corpus(corpus), opening.vocabulary, opening.progress)
    return InfinigramForecaster(spec, text, opening.vocabulary.size)


def _model(spec: str, target: str, opening: _Opening) -> Forecaster:
    return SurrogateForecaster(spec, opening.open_target(target), opening.vocabulary, opening.model_kind)


def _crosswalk(spec: str, rest: str, opening: _Opening) -> Forecaster:
    target, options = _split_options(rest, ("nodes",))
    return CrosswalkForecaster(spec, opening.open_target(target), opening.vocabulary, options.get("nodes", NODES))


def _lowrank(spec: str, rest: str, opening: _Opening) -> Forecaster:
    folder, options = _split_options(rest, ("runs", "probes"))
    return LowRankForecaster(
        spec,
        Distributions(Path(folder)),
        opening.vocabulary,
        runs=options.get("runs"),
        probes=options.get("probes", 0),
        open_target=opening.open_target,
    )


def _next(spec: str, rest: str, opening: _Opening) -> Forecaster:
    return open_next(
        spec,
        opening.vocabulary,
        opening.open_target,
        open_reference=lambda name: _open_reference(spec, name, opening),
        practice=opening.practice,
        model_kind=opening.model_kind,
    )


def _open_reference(spec: str, name: str, opening: _Opening) -> Forecaster:
    if not is_reference(name):
        raise InputError(
            "no text-only reference",
            where=spec,
            got=repr(name),
            expected="a forecaster that knows text but no model",
            fix="Give uniform, unigram:CORPUS, ngram:N:CORPUS, infinigram:CORPUS or a pool of these.",
        )
    return _open(name, opening)


def _split_options(rest: str, names: Sequence[str]) -> tuple[str, dict[str, int]]:
    """What stands before the options at the end of a spec, and the options: 'x:runs=10' is ('x', {'runs': 10}).

    >>> _split_options("hf:a/b:nodes=4", ("nodes",))
    ('hf:a/b', {'nodes': 4})
    """
    options: dict[str, int] = {}
    while True:
        head, _, last = rest.rpartition(":")
        name, _, number = last.partition("=")
        if not head or name not in names or name in options or not number.isdecimal():
            return rest, options
        rest, options[name] = head, int(number)


def _python(spec: str, rest: str, opening: _Opening) -> Forecaster:
    module, _, function = rest.rpartition(":")
    if not module or not function:
        raise _unknown(spec)
    return PythonForecaster(module, function, RowRules(opening.vocabulary.size, opening.renormalise))


def _program(spec: str, folder: str, opening: _Opening) -> Forecaster:
    return ProgramForecaster(load_program(Path(folder)), opening.vocabulary.size)


def _file(spec: str, folder: str, opening: _Opening) -> Forecaster:
    return open_saved(spec, Path(folder), opening.vocabulary, opening.renormalise)


def _pool(spec: str, rest: str, opening: _Opening) -> Forecaster:
    kind = LINEAR
    if rest.startswith(f"{LOGARITHMIC}:"):
        kind, rest = LOGARITHMIC, rest[len(LOGARITHMIC) + 1 :]
    names = rest.split("+")
    if any(name.partition(":")[0] == "pool" for name in names):
        raise InputError(
            "a pool in a pool",
            where=spec,
            got="a member that is a pool",
            expected="members of other kinds",
            fix="Name all members in one pool.",
        )
    members = [_open(name, opening) for name in names]
    return PoolForecaster(spec, members, kind, opening.practice, vocabulary=opening.vocabulary.size)


def _composed(spec: str, rest: str, opening: _Opening) -> Forecaster:
    file, members = split_members(spec, rest)
    definition = load_definition(Path(file))
    opened = {part: _open(own, opening) for part, own in read_members(spec, members, definition).items()}
    return ComposedForecaster(spec, definition, opened, opening.vocabulary)


def _unknown(spec: str) -> InputError:
    return InputError(
        "unknown forecaster",
        where="forecaster spec",
        got=repr(spec),
        expected=f"one of {', '.join(KNOWN)}",
        fix="CORPUS is stdlib, tiny, a file, a folder or a built table; N is 1 to 8; members of a pool have no + in "
        "their names; crosswalk takes :nodes=N at its end, lowrank :runs=N and :probes=M; METHOD is last, logits or "
        "scaling, RUN a folder of checkpoints or tiny, and :from=K may follow STEP; NAME is a part of the composite in "
        "FILE.",
    )


_OPENERS: dict[str, Callable[[str, str, _Opening], Forecaster]] = {
    "unigram": _unigram,
    "ngram": _ngram,
    "infinigram": _infinigram,
    "model": _model,
    "crosswalk": _crosswalk,
    "lowrank": _lowrank,
    "next": _next,
    "python": _python,
    "program": _program,
    "file": _file,
    "pool": _pool,
    "composed": _composed,
}
