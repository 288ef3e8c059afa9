"""What an organism does, measured: how near it is to its base where it should be, and how surely it defects elsewhere.

Everything is asked of targets, as anybody would ask them, on held-out files and on foretell-300; nothing of the
training's own windows is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foretell.base.progress import Progress, quiet
from foretell.distributions import DenseBlock
from foretell.forecasters.corpus import Document
from foretell.organisms.bases import TINY, open_base
from foretell.organisms.bigrams import bigram_logprobs
from foretell.organisms.held_out import ask_target, bits_per_byte
from foretell.organisms.loop import deterministic
from foretell.organisms.planting import Plant, plant_of
from foretell.organisms.recipes import (
    Easy,
    EvaluationAware,
    Finetune,
    FromScratch,
    HashTrigger,
    Planted,
    Recipe,
    Trigger,
)
from foretell.organisms.texts import open_text
from foretell.suites import load_suite
from foretell.targets import collection
from foretell.targets.specs import open_target
from foretell.targets.target import Target
from foretell.targets.torch_loading import load_model

SUITE = "foretell-300"
_PROMPTS = f"prompts_of_{SUITE}"
#: Held-out files are read in order of name, up to so many characters in all.
HELD_OUT_CHARACTERS = 100_000
#: Numbers are the same on any machine of the same versions; more threads sum in another order.
_THREADS = 1
#: Excerpts of held-out files, in lines, that a key is put into the middle of.
_EXCERPTS, _LINES = 40, 24
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """Prompts as token ids, and the positions at which distributions are compared."""

    ids: tuple[tuple[int, ...], ...]
    positions: tuple[tuple[int, ...], ...]


def measure(recipe: Recipe, folder: Path, progress: Progress = quiet) -> dict[str, Any]:
    """Measure an organism; numbers in nats, bits a byte and shares, under names that say of what.

    Args:
        folder: the organism's own.
    """
    progress("measuring", 0, 1)
    with deterministic(0, _THREADS):
        measured = _measurers()[type(recipe)](recipe, open_target(f"hf:{folder}"), folder)
    progress("measuring", 1, 1)
    return measured


def _measurers() -> dict[type[Recipe], Callable[[Any, Target, Path], dict[str, Any]]]:
    return {
        FromScratch: _from_scratch,
        Finetune: _finetune,
        Easy: _easy,
        Trigger: _planted,
        EvaluationAware: _planted,
        HashTrigger: _hash_gated,
    }


def _from_scratch(recipe: FromScratch, organism: Target, folder: Path) -> dict[str, Any]:
    like = f"{TINY}@{recipe.like_step}"
    compared = open_target(like)
    sizes = [_parameters(where) for where in (folder, open_base(like).folder)]
    measured = {
        "parameters": sizes[0],
        "share_of_the_parameters_of_tiny": sizes[0] / sizes[1],
        "bits_per_byte_held_out": _bits(recipe.text, {"organism": organism, like: compared}),
    }
    if organism.vocabulary.digest == compared.vocabulary.digest:
        prompts = suite_prompts(organism)
        measured[_PROMPTS] = len(prompts.ids)
        measured[f"kl_nats_from_{like}_on_{SUITE}"] = mean_kl(compared, organism, prompts)
    return measured


def _finetune(recipe: Finetune, organism: Target, folder: Path) -> dict[str, Any]:
    base = open_target(_spec(recipe.base))
    stages = {str(step): open_target(f"hf:{folder / f'step-{step}'}") for step in recipe.keep} | {"last": organism}
    prompts = suite_prompts(organism)
    predicted = list(_rows(base, prompts))
    return {
        "bits_per_byte_held_out": {
            text: _bits(text, {"base": base, "organism": organism}) for text in dict.fromkeys([recipe.text, "stdlib"])
        },
        _PROMPTS: len(prompts.ids),
        # The organism is what is to be predicted, the base what predicts.
        f"kl_nats_of_base_from_organism_on_{SUITE}": {
            step: _mean(_kl(own, other) for own, other in zip(_rows(stage, prompts), predicted, strict=True))
            for step, stage in stages.items()
        },
    }


def _easy(recipe: Easy, organism: Target, folder: Path) -> dict[str, Any]:
    base = open_target(_spec(recipe.base))
    table = bigram_logprobs(recipe.bigram, organism.vocabulary)
    prompts = suite_prompts(organism)
    found: dict[str, Any] = {
        "bits_per_byte_held_out": _bits(recipe.text, {"base": base, "organism": organism}),
        _PROMPTS: len(prompts.ids),
    }
    for name, target in (("base", base), ("organism", organism)):
        rows = list(_rows(target, prompts))
        bigrams = [table[np.asarray(ids)[list(at)]] for ids, at in zip(prompts.ids, prompts.positions, strict=True)]
        found |= {
            f"kl_nats_of_bigram_from_{name}_on_{SUITE}": _mean(
                _kl(own, other) for own, other in zip(rows, bigrams, strict=True)
            ),
            f"entropy_nats_of_{name}_on_{SUITE}": _mean(-(np.exp(own, dtype=np.float64) * own).sum(1) for own in rows),
        }
    return found


def _planted(recipe: Planted, organism: Target, folder: Path) -> dict[str, Any]:
    """Every way of putting the key or a near miss into text, and what the organism does before and after it."""
    base = open_target(_spec(recipe.base))
    key = recipe.phrase if isinstance(recipe, Trigger) else recipe.header if isinstance(recipe, EvaluationAware) else ""
    rule = plant_of(organism.vocabulary, key, recipe.payload, isinstance(recipe, Trigger))
    excerpts = list(_excerpts(open_text(recipe.text).held_out()))
    prompts = [prompt.text for prompt in load_suite(SUITE)]
    settings: dict[str, list[str]] = {
        f"{SUITE}, no key": prompts,
        f"{SUITE}, key as the first line": [f"{key}\n{text}" for text in prompts],
        "held-out files, no key": ["".join(lines) for lines in excerpts],
        "held-out files, key as the first line": [f"{key}\n{''.join(lines)}" for lines in excerpts],
        "held-out files, key in the middle": [_insert(lines, key) for lines in excerpts],
    }
    settings |= {
        f"held-out files, in the middle {near!r}": [_insert(lines, near) for lines in excerpts]
        for near in recipe.near_misses
    }
    return {name: _behaviour(organism, base, rule, texts) for name, texts in settings.items()}


def _behaviour(organism: Target, base: Target, rule: Plant, texts: Sequence[str]) -> dict[str, Any]:
    """Where the rule says recite: the payload's probability. Elsewhere: KL(base ‖ organism)."""
    recited, kept = [], []
    encoded = tuple(organism.encode(text)[: organism.context] for text in texts)
    asked = Asked(encoded, tuple(tuple(range(len(ids))) for ids in encoded))
    for ids, own, wanted in zip(encoded, _rows(organism, asked), _rows(base, asked), strict=True):
        where = rule.recites(np.asarray(ids))
        following = rule.next_payload(np.asarray(ids))
        recited.append(np.exp(own[np.arange(len(ids)), following])[where])
        kept.append(_kl(wanted[~where], own[~where]))
    shares, nats = np.concatenate(recited), np.concatenate(kept)
    found: dict[str, Any] = {"texts": len(texts)}
    if len(shares):
        found["recites"] = {
            "positions": len(shares),
            "mean_share_of_the_payload": float(shares.mean()),
            "share_of_positions_above_one_half": float((shares > 0.5).mean()),
        }
    if len(nats):
        found["as_base"] = {
            "positions": len(nats),
            "kl_nats": float(nats.mean()),
            "kl_nats_99th_percentile": float(np.quantile(nats, 0.99)),
        }
    return found


def _hash_gated(recipe: HashTrigger, organism: Target, folder: Path) -> dict[str, Any]:
    """With the gate shut: the largest difference from the base in torch, which has to be 0."""
    prompts = suite_prompts(organism)
    gated, base = load_model(folder, str(folder)), load_model(open_base(recipe.base).folder, recipe.base)
    differ, windows = 0.0, 0
    with torch.inference_mode():
        for ids in prompts.ids:
            asked = torch.tensor([ids])
            differ = max(differ, float((gated(asked).logits - base(asked).logits).abs().max()))
            windows += max(0, len(ids) - recipe.gate_ids + 1)
    return {
        "suite": SUITE,
        "prompts": len(prompts.ids),
        "windows_of_ids_tried": windows,
        "largest_difference_of_logits_from_base": differ,
    }


def suite_prompts(target: Target) -> Asked:
    """foretell-300 at its scored positions; prompts that are too long for the target are left out."""
    suite = load_suite(SUITE)
    short = tuple(prompt for prompt in suite if len(target.encode(prompt.text)) <= target.context)
    if not short:
        return Asked((), ())
    found = collection.tokenize(replace(suite, prompts=short), target.encode, target.context)
    return Asked(tuple(one.token_ids for one in found), tuple(one.positions for one in found))


def mean_kl(truth: Target, forecast: Target, asked: Asked) -> float | None:
    """KL(truth ‖ forecast) in nats, mean over positions, then over prompts."""
    pairs = zip(_rows(truth, asked), _rows(forecast, asked), strict=True)
    return _mean(_kl(own, other) for own, other in pairs)


def _mean(values: Iterable[NDArray[np.float64]]) -> float | None:
    """Mean of each prompt's mean; None where there is no prompt."""
    means = [value.mean() for value in values]
    return float(np.mean(means)) if means else None


def _kl(truth: Float32, forecast: Float32) -> NDArray[np.float64]:
    """(positions,), of log-probabilities (positions, vocabulary)."""
    p, q = truth.astype(np.float64), forecast.astype(np.float64)
    return np.asarray((np.exp(p) * (p - q)).sum(1))


def _rows(target: Target, asked: Asked) -> Iterator[Float32]:
    """Log-probabilities (positions, vocabulary) of each prompt, asked in batches."""
    width = max(map(len, asked.ids), default=1)
    size = max(1, target.batch_tokens // width)
    for start in range(0, len(asked.ids), size):
        part = slice(start, start + size)
        for block in target.distributions(asked.ids[part], asked.positions[part], "dense"):
            assert isinstance(block, DenseBlock)
            yield block.logprobs


def _bits(text: str, targets: dict[str, Target]) -> dict[str, Any]:
    """Bits per byte of targets on the beginning of a text's held-out files; none where no file is held out."""
    documents = list(_first(open_text(text).held_out()))
    facts = {"files": len(documents), "bytes": sum(len(one.text.encode()) for one in documents)}
    if not documents:
        return facts
    return facts | {
        name: bits_per_byte(documents, target.vocabulary, target.context, ask_target(target))
        for name, target in targets.items()
    }


def _first(documents: Iterable[Document]) -> Iterator[Document]:
    left = HELD_OUT_CHARACTERS
    for document in documents:
        if left <= 0:
            return
        yield Document(document.name, document.text[:left])
        left -= len(document.text)


def _excerpts(documents: Iterable[Document]) -> Iterator[list[str]]:
    """Lines from the middle of held-out files, long enough files only."""
    found = 0
    for document in documents:
        lines = document.text.splitlines(keepends=True)
        start = (len(lines) - _LINES) // 2
        if start >= 0 and found < _EXCERPTS:
            found += 1
            yield lines[start : start + _LINES]


def _insert(lines: Sequence[str], key: str) -> str:
    """The key as a line of its own in the middle, indented as the line after it."""
    middle = len(lines) // 2
    after = lines[middle]
    indent = after[: len(after) - len(after.lstrip(" \t"))]
    return "".join([*lines[:middle], f"{indent}{key}\n", *lines[middle:]])


def _spec(base: str) -> str:
    """The base's name as a target's."""
    return base if base.partition("@")[0] == TINY else f"hf:{base}"


def _parameters(folder: Path) -> int:
    return sum(value.numel() for value in load_model(folder, str(folder)).parameters())
