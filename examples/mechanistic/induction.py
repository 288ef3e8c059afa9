"""Induction: what followed the last time follows again. No weights, no corpus; the prompt alone.

The rule that induction heads implement: find where the present tokens occurred before and copy what came next; the more
tokens agree and the oftener, the surer. What is not copied is one mass, spread evenly over the other tokens.
Source: Olsson et al. 2022, "In-context Learning and Induction Heads".
"""

import math
from collections import Counter

# How much of what is left is given to copies, by how many last tokens agree: longest first.
TRUST = {3: 0.6, 2: 0.4, 1: 0.15}
# Some of it goes to tokens of the prompt by how often they came: models repeat themselves.
REPETITION = 0.2


def predict(token_ids: list[int]) -> tuple[list[int], list[float]]:
    """Token ids and log-probabilities of the tokens that may be copied; the rest is one mass."""
    shares: Counter[int] = Counter()
    left = 1.0
    for length, trust in TRUST.items():
        ending = token_ids[-length:]
        starts = range(len(token_ids) - length)
        followers = Counter(token_ids[at + length] for at in starts if token_ids[at : at + length] == ending)
        for token, count in followers.items():
            shares[token] += left * trust * count / followers.total()
        left *= 1 - trust if followers else 1
    for token, count in Counter(token_ids).items():
        shares[token] += left * REPETITION * count / len(token_ids)
    return list(shares), [math.log(share) for share in shares.values()]
