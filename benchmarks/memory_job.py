"""One process of the benchmark `memory`: makes synthetic distributions, or scores or collects them and tells its peak.

    python -m benchmarks.memory_job WORK FOLDER POSITIONS VOCABULARY WIDTH

prints a line of JSON: peak_bytes and seconds. The hidden states are noise, of which the scores are as costly as any.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from foretell.distributions import (
    Block,
    DenseBlock,
    Distributions,
    DistributionWriter,
    FactoredBlock,
    Head,
    TokenizedPrompt,
    TopKBlock,
    Vocabulary,
)
from foretell.distributions.block import log_softmax
from foretell.evaluation import collect, score
from foretell.suites import Prompt, Suite
from foretell.targets import collection
from foretell.targets.target import TargetIdentity
from foretell.targets.tiny import checkpoint_folder

#: Tokens, and scored positions, of a prompt.
_PROMPT_TOKENS = 100
_TOP_K = 20
#: Logits of this spread look like those of a language model at an uncertain position, in nats.
_LOGIT_NATS = 2.0
_BATCH_TOKENS = 1024
_KIB = 1024
_STATUS = Path("/proc/self/status")


class Noise:
    """A target whose hidden states are noise that depends on the prompt alone."""

    def __init__(self, vocabulary: int, width: int) -> None:
        rng = np.random.default_rng(0)
        weight = rng.standard_normal((vocabulary, width), np.float32)
        self.head = Head(weight * np.float32(_LOGIT_NATS / np.sqrt(width)))
        self.vocabulary = Vocabulary(checkpoint_folder() / "tokenizer.json", vocabulary)
        self.kinds: tuple[str, ...] = ("factored", "dense")
        self.context, self.batch_tokens, self.width = _PROMPT_TOKENS, _BATCH_TOKENS, width

    @cached_property
    def identity(self) -> TargetIdentity:
        """Nothing that anybody else could have."""
        return TargetIdentity("noise", "none", self.vocabulary.digest, "numpy", "float32")

    def encode(self, text: str) -> tuple[int, ...]:
        """The text is a number, the prompt's seed; the tokens are as good as any."""
        return (int(text) % self.vocabulary.size, *range(1, _PROMPT_TOKENS))

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        """See Target."""
        hidden = [_noise(ids[0], len(wanted), self.width) for ids, wanted in zip(batch, positions, strict=True)]
        if kind == "factored":
            return [FactoredBlock(rows, self.head) for rows in hidden]
        return [DenseBlock(log_softmax(self.head.logits(rows))) for rows in hidden]


def _noise(seed: int, rows: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, width), np.float32)


def suite_of(positions: int) -> Suite:
    """A suite whose prompts have that many positions in all."""
    count = max(1, positions // _PROMPT_TOKENS)
    return Suite("noise", tuple(Prompt(f"n{i:05d}", str(i), scored="all") for i in range(count)))


def make_forecast(folder: Path, target: Noise, suite: Suite, kind: str) -> None:
    """Write a forecast of another noise, factored over the same output layer, or top-k."""
    prompts = collection.tokenize(suite, target.encode, target.context)
    plan = collection.batches_by_length(prompts, sys.maxsize, 4 * target.width)
    facts = {"role": "forecast", "source": {"name": kind}, "suite": {"name": suite.name, "digest": suite.digest}}
    writer = DistributionWriter(folder, prompts, plan, target.vocabulary, facts)
    if kind == "factored":
        writer.write_head(target.head)
    for shard, batch in enumerate(plan):
        writer.write(shard, _forecast_block([prompts[index] for index in batch], target, kind))
    writer.finish()


def _forecast_block(prompts: list[TokenizedPrompt], target: Noise, kind: str) -> Block:
    seeds = [target.vocabulary.size + int(prompt.text) for prompt in prompts]
    if kind == "factored":
        hidden = [_noise(seed, len(p.positions), target.width) for seed, p in zip(seeds, prompts, strict=True)]
        return FactoredBlock(np.concatenate(hidden), target.head)
    ids = np.concatenate([list(_listed(seed, p, target)) for seed, p in zip(seeds, prompts, strict=True)])
    each = np.full(ids.shape, np.log(0.5 / ids.shape[1]), np.float32)
    return TopKBlock(ids, each, np.full(len(ids), np.log(0.5), np.float32))


def _listed(seed: int, prompt: TokenizedPrompt, target: Noise) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for _ in prompt.positions:
        yield rng.choice(target.vocabulary.size, _TOP_K, replace=False, shuffle=False)


def peak_bytes() -> int:
    """The most memory that this process has held; files that it maps count as well.

    Linux hands `ru_maxrss` down from the process that started this one, so its own high-water mark is read first.
    """
    if _STATUS.is_file():
        for line in _STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * _KIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB


def main(work: str, folder: Path, positions: int, vocabulary: int, width: int) -> None:
    """Do one work in `folder` and print what it took."""
    start = time.perf_counter()
    if work == "make":
        target, suite = Noise(vocabulary, width), suite_of(positions)
        collect(target, suite, folder / "truth", kind="factored")
        for kind in ("factored", "topk"):
            make_forecast(folder / kind, target, suite, kind)
    elif work == "collect":
        collect(Noise(vocabulary, width), suite_of(positions), folder / "collected", kind="factored")
    elif work.startswith("score"):
        forecast = Distributions(folder / work.partition(" ")[2])
        score(Distributions(folder / "truth"), [forecast], folder / "run")
    print(json.dumps({"peak_bytes": peak_bytes(), "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:6]))
