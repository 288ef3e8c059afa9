"""What printing and the size of the bias cost: the two tables of rebuild.md, on one distribution of the shipped model.

python docs/information/rebuild.py        (a few seconds)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from foretell.forecasters.dense import dense_logprobs
from foretell.information.rebuild.logit_bias import agreement, by_reference, by_sum
from foretell.information.rebuild.rebuilding import Interface, rebuild
from foretell.targets.specs import open_target

TEXT, TOP, LIFTED = "The lamp in the hall was lit at six and nobody asked why", 20, 19


def reported(logits: np.ndarray, bias: Mapping[int, float]) -> np.ndarray:
    """Log-probabilities under a bias, computed in the logits' own precision."""
    lifted = logits.copy()
    lifted[list(bias)] += np.array(list(bias.values()), logits.dtype)
    lifted -= lifted.max()
    return np.asarray(lifted - np.log(np.exp(lifted).sum(dtype=logits.dtype)))


def printing(logits: np.ndarray, decimals: int | None) -> str:
    """One line: rebuilt from what a server prints."""

    def top(bias: Mapping[int, float]) -> dict[int, float]:
        logs = reported(logits, bias).astype(float)
        shown = logs if decimals is None else logs.round(decimals)
        return {int(token): float(shown[token]) for token in np.argsort(-logs)[:TOP]}

    found = rebuild(Interface("here", lambda: top({}), lambda biases: [top(one) for one in biases], TOP), len(logits))
    truth = reported(logits.astype(float), {})
    one = agreement(found.logprobs[None], truth[None])
    told = f"{logits.dtype}" if decimals is None else f"{logits.dtype}, {decimals} decimals"
    return (
        f"| {told} | {found.error_nats:.1e} | {one.largest_nats:.1e} | {one.median_bits:.1f} | {one.worst_bits:.1f} |"
    )


def size(logits: np.ndarray, bias: float) -> str:
    """One line: nineteen tokens from the middle of the ranking, lifted by one bias."""
    truth = reported(logits.astype(float), {})
    order = np.argsort(-truth)
    tokens, first = order[len(order) // 2 :][:LIFTED], int(order[0])
    plain, logs = reported(logits, {}), reported(logits, dict.fromkeys(tokens.tolist(), bias))
    rebuilt = by_reference(logs[tokens], bias, float(logs[first]), 0.0, float(plain[first]))
    summed, log_d = by_sum(logs[tokens], bias)
    bits = [agreement(one[None], truth[tokens][None]).worst_bits for one in (rebuilt, summed)]
    return f"| {bias:g} | {bits[0]:.1f} | {bits[1]:.1f} | {log_d / np.log(2):.1f} |"


if __name__ == "__main__":
    target = open_target("tiny")
    ids = target.encode(TEXT)
    exact = dense_logprobs(target.distributions([ids], [[len(ids) - 1]], "dense")[0], target.vocabulary.size)[0]
    print("| the server computes and prints | stated error, nats | largest error | bits, median | bits, worst |")
    print("|---|---|---|---|---|")
    print(printing(exact, None))
    for decimals in (None, 6, 5, 4, 3, 2):
        print(printing(exact.astype(np.float32), decimals))
    print("\n| bias | worst bits, by reference | worst bits, by sum | log₂ D |\n|---|---|---|---|")
    for bias in (2.0, 5.0, 10.0, 15.0, 20.0, 40.0, 100.0):
        print(size(exact.astype(np.float32), bias))
