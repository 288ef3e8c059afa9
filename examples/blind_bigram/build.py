"""Make table.npz for bigram.py: python build.py [TARGET [CORPUS]], by default `tiny` and Python's standard library."""

import sys
from pathlib import Path

import numpy as np

from foretell.forecasters.corpus import open_corpus
from foretell.forecasters.tokenized_corpus import tokenize_corpus
from foretell.targets.specs import open_target

# How many successors of each token the table keeps: more are better, and larger.
KEPT = 16

target, corpus = [*sys.argv[1:], *("tiny", "stdlib")[len(sys.argv) - 1 :]]
vocabulary = open_target(target).vocabulary
text = tokenize_corpus(open_corpus(corpus), vocabulary)
single = np.bincount(text.tokens, minlength=vocabulary.size) + 1.0  # plus one: nothing is impossible

inside = np.ones(len(text.tokens) - 1, bool)
inside[text.offsets[1:-1] - 1] = False  # the last token of a document has no successor
first, second = text.tokens[:-1][inside].astype(np.int64), text.tokens[1:][inside]
pairs, counts = np.unique(first * vocabulary.size + second, return_counts=True)
first, second = np.divmod(pairs, vocabulary.size)
totals = np.bincount(first, weights=counts, minlength=vocabulary.size)

best_first = np.lexsort((second, -counts, first))
rank = np.arange(len(pairs)) - np.searchsorted(first, first)
successors = np.zeros((vocabulary.size, KEPT), np.uint32)
shares = np.zeros((vocabulary.size, KEPT), np.float16)
kept = rank < KEPT
chosen = best_first[kept]
successors[first[chosen], rank[kept]] = second[chosen]
shares[first[chosen], rank[kept]] = counts[chosen] / totals[first[chosen]]

path = Path(__file__).with_name("table.npz")
np.savez_compressed(path, single=(single / single.sum()).astype(np.float32), successors=successors, shares=shares)
print(f"{path}: {path.stat().st_size:,} bytes from {len(text.tokens):,} tokens of {corpus}")
