"""Write the golden folder of a format version: small files that readers must be able to read for ever.

Run once when a format version is new, then commit the result and never change it; what is there is left as it is:

    python -m tests.golden.make_golden tests/golden/v1
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from foretell.distributions import Distributions, DistributionWriter, TokenizedPrompt, TopKBlock, Vocabulary
from foretell.evaluation import score
from foretell.suites import Prompt, Suite, save_suite
from foretell.targets.collection import tokenize
from foretell.verdicts.judging import JudgeSettings
from tests.golden.make_governed import make_governed
from tests.golden.make_published import make_published

SEED, LISTED, SHARDS = 20261123, 5, 2
PROMPTS = (
    Prompt("door-1", "The door was open", "prose", 1.0, "door", "all"),
    Prompt("door-2", "Nobody came in.", "prose", 0.5, "door", (-2, -1)),
    Prompt("sum-1", "2 + 2 =", "sums", 1.0, "sum-1", "last"),
    Prompt("sum-2", "12 − 5 = é", "sums", 1.0, "sum-2", (0, -1)),
)


def write_tokenizer(path: Path) -> None:
    """One token a byte: the smallest byte-level vocabulary."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({character: i for i, character in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(path))


def rows(count: int, vocabulary: int, rng: np.random.Generator) -> TopKBlock:
    """The likeliest tokens of peaked random distributions."""
    logits = rng.normal(size=(count, vocabulary)) * 3
    logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    ids = np.argsort(-logprobs, axis=1)[:, :LISTED]
    listed = np.take_along_axis(logprobs, ids, axis=1)
    return TopKBlock(ids, listed, np.log1p(-np.exp(listed).sum(axis=1)))


def write_distributions(
    folder: Path, role: str, suite: Suite, prompts: list[TokenizedPrompt], vocabulary: Vocabulary, seed: int
) -> Distributions:
    """A truth or a forecast of the top-k kind."""
    rng = np.random.default_rng(seed)
    plan = [list(range(shard, len(prompts), SHARDS)) for shard in range(SHARDS)]
    source = {"name": f"golden {role}", "weights": "sha256:none", "tokenizer": vocabulary.digest, "engine": "none"}
    facts = {
        "role": role,
        "source": source | {"dtype": "float32"},
        "suite": {"name": suite.name, "digest": suite.digest},
        "dtype": "float32",
    }
    writer = DistributionWriter(folder, prompts, plan, vocabulary, facts)
    for shard, indices in enumerate(plan):
        writer.write(shard, rows(sum(len(prompts[i].positions) for i in indices), vocabulary.size, rng))
    noise = {"kl_nats": 1e-6, "max_kl_nats": 2e-6, "method": "made up"}
    writer.finish(**({"noise_floor": noise, "measured": {}} if role == "truth" else {}))
    return Distributions(folder)


def make_run(out: Path) -> None:
    """Write suite, truth, forecast and run."""
    suite = Suite("suite", PROMPTS)
    save_suite(suite, out / "suite.jsonl")
    save_suite(suite, out / "suite.parquet")
    tokenizer = out / "tokenizer.json"
    write_tokenizer(tokenizer)
    vocabulary = Vocabulary.load(tokenizer)
    prompts = tokenize(suite, vocabulary.encode, None)
    truth = write_distributions(out / "truth", "truth", suite, prompts, vocabulary, SEED)
    forecast = write_distributions(out / "forecast", "forecast", suite, prompts, vocabulary, SEED + 1)
    score(truth, [forecast], out / "run", judging=JudgeSettings(tolerance=1.0))
    tokenizer.unlink()


def main(out: Path) -> None:
    """Write what is not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "run").exists():
        make_run(out)
    if not (out / "published").exists():
        make_published(out / "published")
    if not (out / "governed").exists():
        make_governed(out / "governed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
