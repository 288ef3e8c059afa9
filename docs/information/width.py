"""The simulation and the memory of width.md, measured: python docs/information/width.py simulation|memory.

The simulation makes final layers of models in every architecture of the table and reads their rank (some minutes); the
memory is that of one process which reads 1,500 positions of a vocabulary of 262,144.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from foretell.distributions import Head, log_softmax
from foretell.information.layer.hidden_width import width_of
from foretell.information.layer.spectrum import spectrum_of

WIDTHS = (16, 17, 24, 32, 50, 64, 100, 128, 200, 256, 384, 512, 768, 1024)
#: Widths above take too long in every architecture, so norms keep no bias there.
_ALL_BIASES_TO = 256
#: Positions more than the width; how uneven directions are; and a LayerNorm's bias beside its gain.
_SPARE, _UNEVEN, _NORM_BIAS = 200, (0.0, 0.5), 0.1
_POSITIONS, _TOKENS, _WIDTH, _BLOCK = 1500, 262_144, 1024, 16


def architectures(width: int) -> Iterator[tuple[str, bool, bool]]:
    """Norm, and whether it and the head have a bias."""
    for norm in ("rms", "layer", "none"):
        for head, own in ((False, False), (True, False), (False, True), (True, True)):
            if not own or (norm == "layer" and width <= _ALL_BIASES_TO):
                yield norm, own, head


def final_layer(rng: np.random.Generator, width: int, norm: str, own: bool, head: bool, uneven: float) -> np.ndarray:
    """Log-probabilities of a made-up model, float32 (positions, tokens)."""
    positions, tokens = width + _SPARE, min(4096, max(512, 3 * width))
    states = rng.normal(size=(positions, width)) * np.exp(rng.normal(size=width) * uneven)
    gain = np.exp(0.3 * rng.normal(size=width))
    if norm == "layer":
        states -= states.mean(axis=1, keepdims=True)
    if norm != "none":
        states = states / np.sqrt(np.mean(states**2, axis=1, keepdims=True) + 1e-6) * gain
    if own:
        states = states + _NORM_BIAS * rng.normal(size=width)
    weight = (1.5 * rng.normal(size=(tokens, width)) / np.sqrt(width)).astype(np.float32)
    bias = rng.normal(size=tokens).astype(np.float32) if head else None
    return log_softmax(Head(weight, bias).logits(states))


def simulation() -> None:
    """Outcomes by release; each wrong answer on a line of its own."""
    outcomes: dict[str, Counter[str]] = {}
    for width in WIDTHS:
        rng = np.random.default_rng(width)
        for norm, own, head in architectures(width):
            for uneven in _UNEVEN:
                exact = final_layer(rng, width, norm, own, head, uneven)
                right = width - (norm == "layer") + (own or head)
                for name, rows in (("float32", exact), ("float16", exact.astype(np.float16)), ("1", exact.round(1))):
                    found = width_of(spectrum_of(lambda rows=rows: iter([rows]), exact.shape[1], len(exact)))
                    rank = found.found.rank
                    outcome = "not determined" if rank is None else "right" if rank == right else "wrong"
                    outcomes.setdefault(name, Counter())[outcome] += 1
                    if outcome == "wrong":
                        widths = [one.width for one in found.readings]
                        print(f"{name}: {norm}, norm bias {own}, head bias {head}: {rank} for {right}; {widths}")
        print(f"width {width} done", file=sys.stderr)
    for name, counts in outcomes.items():
        print(f"{name}: {counts.total()} made, " + ", ".join(f"{n} {outcome}" for outcome, n in counts.items()))


def memory() -> None:
    """The peak of this process."""
    rng = np.random.default_rng(0)
    head = Head(rng.standard_normal((_TOKENS, _WIDTH), dtype=np.float32) / np.float32(_WIDTH**0.5))
    states = 2 * rng.standard_normal((_POSITIONS, _WIDTH), dtype=np.float32)

    def rows() -> Iterator[np.ndarray]:
        return (log_softmax(head.logits(states[at : at + _BLOCK])) for at in range(0, _POSITIONS, _BLOCK))

    found = width_of(spectrum_of(rows, _TOKENS, _POSITIONS))
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(f"rank {found.found.rank} of {_POSITIONS} positions, {_TOKENS} tokens: {int(peak.split()[1]) / 1e6:.2f} GB")


if __name__ == "__main__":
    {"simulation": simulation, "memory": memory}[sys.argv[1]]()
