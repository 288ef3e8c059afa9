"""A blind program to start from: the next token by the last one, from counts that build.py made.

It runs in a sandbox with Python's standard library and numpy, this folder at its own place, and nothing else. The
function gets the tokens up to a position, as a list, and returns one of
- the natural-log probability of every token of the vocabulary;
- a tuple (token_ids, logprobs) or (token_ids, logprobs, rest_logprob), where the rest is the mass of all other tokens.
It is asked everything twice, in two orders, and has to give the same bytes each time: keep nothing between calls. Draw
random numbers, if any, from the seed in FORETELL_SEED and the question. print() goes to the error output, which is
shown when something fails.
"""

from pathlib import Path

import numpy as np

with np.load(Path(__file__).with_name("table.npz")) as table:
    SINGLE = table["single"].astype(np.float64)
    SUCCESSORS = table["successors"].astype(np.int64)
    SHARES = table["shares"].astype(np.float64)

# How much of the mass goes by the last token; the rest goes by how frequent tokens are at all.
TRUST = 0.9


def next_token(token_ids: list[int]) -> np.ndarray:
    """Log-probabilities of all tokens, given those so far."""
    last = token_ids[-1]
    listed = TRUST * SHARES[last]
    probabilities = (1 - listed.sum()) * SINGLE
    np.add.at(probabilities, SUCCESSORS[last], listed)
    return np.log(probabilities / probabilities.sum())
