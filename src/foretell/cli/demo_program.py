"""The blind program of the demo: a bigram table of the text that `tiny` was trained on, and what reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foretell.distributions import DenseBlock, TokenizedPrompt, Vocabulary
from foretell.forecasters.specs import open_forecaster
from foretell.targets.specs import open_target

#: Successors that the table keeps of each token.
_KEPT = 32
_SETTINGS = """\
name = "bigrams"
entry = "python:predict:predict"
helpers = []
"""
_SOURCE = '''\
"""Natural-log probabilities of the next token from a table of bigrams; the rest is spread like single tokens."""

from pathlib import Path

import numpy as np

table = np.load(Path(__file__).with_name("bigrams.npz"))
single, successors, known = (table[name] for name in ("single", "successors", "known"))
single = single.astype(np.float64)


def predict(token_ids):
    last = token_ids[-1]
    listed = np.exp(known[last].astype(np.float64))
    probabilities = np.exp(single)
    probabilities[successors[last]] = 0
    probabilities *= (1 - listed.sum()) / probabilities.sum()
    probabilities[successors[last]] = listed
    return np.log(probabilities / probabilities.sum())
'''


def write_program(folder: Path, vocabulary: Vocabulary) -> None:
    """Write the program's folder."""
    folder.mkdir(parents=True)
    folder.joinpath("program.toml").write_text(_SETTINGS, encoding="utf-8")
    folder.joinpath("predict.py").write_text(_SOURCE, encoding="utf-8")
    bigrams = _table("ngram:2:tiny", vocabulary)
    successors = np.argsort(-bigrams, axis=1)[:, :_KEPT].astype(np.uint16)
    known = np.take_along_axis(bigrams, successors.astype(np.int64), axis=1).astype(np.float16)
    single = _table("unigram:tiny", vocabulary)[0].astype(np.float16)
    np.savez_compressed(folder / "bigrams.npz", single=single, successors=successors, known=known)


def _table(spec: str, vocabulary: Vocabulary) -> np.ndarray:
    """Log-probabilities after each single token: (vocabulary, vocabulary)."""
    ids = tuple(range(vocabulary.size))
    prompt = TokenizedPrompt("table", "all", 1.0, "table", "", ids, ids)
    block = open_forecaster(spec, vocabulary, open_target=open_target).forecast(prompt)
    assert isinstance(block, DenseBlock)
    return block.logprobs
