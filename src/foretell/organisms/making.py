"""Making an organism from its recipe: what each kind is trained on, and for what."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from foretell import __version__
from foretell.base.errors import InputError
from foretell.base.progress import Progress
from foretell.distributions import Vocabulary
from foretell.distributions.vocabulary import TOKENIZER
from foretell.forecasters.tokenized_corpus import tokenize_corpus
from foretell.organisms.bases import TINY, Base, open_base
from foretell.organisms.bigrams import bigram_logprobs
from foretell.organisms.hash_gate import write_gated
from foretell.organisms.layers import with_layers_on_top
from foretell.organisms.loop import Rates, Stops, Trainer, deterministic, run
from foretell.organisms.objectives import Batches, Loss, Objective, next_token, recite_or_behave, towards_bigram
from foretell.organisms.planting import Windows, opening_token, plant_of
from foretell.organisms.recipes import (
    Continued,
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
from foretell.organisms.tiny import batches, build_model, next_token_loss, rates_of, save_checkpoint, train_tokenizer
from foretell.organisms.tiny_recipe import TOKENIZER_SETTINGS, TinyRecipe
from foretell.targets.hf_folder import TOKENIZER_CONFIG, weights_digest
from foretell.targets.tiny import facts as tiny_facts
from foretell.targets.torch_loading import load_model

#: What a stopped training goes on from.
STATE = ".state.pt"


def make(recipe: Recipe, out: Path, progress: Progress) -> dict[str, Any]:
    """Train into the folder, or go on where that was stopped; facts for the record.

    Raises:
        InputError: the recipe cannot be followed: a payload that cannot be recited, too little text, …
    """
    made = _MAKERS[type(recipe)](recipe, out, progress)
    versions = {
        "foretell": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    return {"weights": weights_digest(out), "versions": versions, **made}


def _from_scratch(recipe: FromScratch, out: Path, progress: Progress) -> dict[str, Any]:
    corpus = open_text(recipe.text).training
    if recipe.tokenizer == TINY:
        _copy_tokenizer(open_base(TINY), out)
    elif not (out / TOKENIZER_CONFIG).is_file():
        train_tokenizer(list(corpus.documents()), recipe.vocabulary).save(str(out / TOKENIZER))
        (out / TOKENIZER_CONFIG).write_text(json.dumps(TOKENIZER_SETTINGS, indent=2) + "\n")
    tokens = tokenize_corpus(corpus, Vocabulary.load(out, recipe.vocabulary)).tokens
    bytes_per_token = corpus.measure[2] / len(tokens)
    schedule = recipe.schedule
    last = recipe.stop_after or same_bytes_step(recipe, bytes_per_token)
    with deterministic(recipe.seed, recipe.threads):
        trainer = Trainer(build_model(schedule), rates_of(schedule))
        of_step = partial(_scratch_batches, tokens, schedule)
        _run(trainer, recipe, out, last, of_step, next_token_loss, progress)
    seen = last * recipe.batch * recipe.context
    return {
        "steps": last,
        "losses_nats": trainer.losses,
        "text_tokens": len(tokens),
        "bytes_per_token": bytes_per_token,
        "tokens_seen": seen,
        "bytes_seen": round(seen * bytes_per_token),
    }


def _scratch_batches(tokens: NDArray[np.int32], schedule: TinyRecipe, done: int) -> Iterator[torch.Tensor]:
    return islice(batches(tokens, schedule), done, None)


def same_bytes_step(recipe: FromScratch, bytes_per_token: float) -> int:
    """The step by which about as many bytes of text were seen as by tiny at `like_step`.

    Raises:
        InputError: the schedule is shorter.
    """
    tiny = tiny_facts()
    shape = tiny["recipe"]
    seen = recipe.like_step * shape["batch"] * shape["context"] * tiny["bytes"] / tiny["tokens"]
    step: int = round(seen / (recipe.batch * recipe.context * bytes_per_token))
    if not 0 < step <= recipe.steps:
        raise InputError(
            "a schedule that does not reach as far",
            where=f"recipe {recipe.kind}: like_step",
            got=f"{step} steps for the bytes that tiny saw in {recipe.like_step}",
            expected=f"from 1 to {recipe.steps} steps",
            fix="Give another like_step, more steps, or stop_after itself.",
        )
    return step


def _continued(recipe: Continued, out: Path, progress: Progress) -> dict[str, Any]:
    base = open_base(recipe.base)
    _copy_tokenizer(base, out)
    vocabulary = base.vocabulary
    tokens = tokenize_corpus(open_text(recipe.text).training, vocabulary).tokens
    windows = Windows(tokens, recipe.window + 1, recipe.batch, recipe.seed, opening_token(vocabulary))
    objective = _objective(recipe, windows, base)
    with deterministic(recipe.seed, recipe.threads):
        model = load_model(base.folder, base.name)
        if isinstance(recipe, Planted):
            model = with_layers_on_top(model, recipe.added_layers)
        else:
            model.train().requires_grad_(True)
        trainer = Trainer(model, Rates(recipe.muon_rate, recipe.embedding_rate, recipe.clip, recipe.rate_factor))
        _run(trainer, recipe, out, recipe.steps, objective.batches, objective.loss, progress)
    return {
        "steps": recipe.steps,
        "losses_nats": trainer.losses,
        "text_tokens": len(tokens),
        "tokens_seen": recipe.steps * recipe.batch * recipe.window,
    }


def _objective(recipe: Continued, windows: Windows, base: Base) -> Objective:
    vocabulary = base.vocabulary
    match recipe:
        case Finetune():
            return next_token(windows)
        case Easy():
            return towards_bigram(windows, bigram_logprobs(recipe.bigram, vocabulary), recipe.strength)
        case Trigger():
            planted = plant_of(vocabulary, recipe.phrase, recipe.payload, recites_after=True)
        case EvaluationAware():
            planted = plant_of(vocabulary, recipe.header, recipe.payload, recites_after=False)
        case _:
            raise AssertionError(f"no objective for {type(recipe).__name__}")
    return recite_or_behave(windows, planted, load_model(base.folder, base.name), recipe.shut_weight)


def _hash_gated(recipe: HashTrigger, out: Path, progress: Progress) -> dict[str, Any]:
    base = open_base(recipe.base)
    _copy_tokenizer(base, out)
    return write_gated(recipe, base, out)


_MAKERS: dict[type[Recipe], Callable[[Any, Path, Progress], dict[str, Any]]] = {
    FromScratch: _from_scratch,
    Finetune: _continued,
    Easy: _continued,
    Trigger: _continued,
    EvaluationAware: _continued,
    HashTrigger: _hash_gated,
}


def _run(
    trainer: Trainer,
    recipe: FromScratch | Continued,
    out: Path,
    last: int,
    batches: Batches,
    loss: Loss,
    progress: Progress,
) -> None:
    """Train to the last step, keeping the recipe's checkpoints and the state to go on from."""

    def keep(step: int) -> None:
        if step in recipe.keep and step < last:
            _save(trainer.model, out / f"step-{step}", out)
        if step == last:
            _save(trainer.model, out, out)

    def news(trainer: Trainer) -> None:
        progress(f"training {recipe.kind}", trainer.step, last)

    run(trainer, batches, loss, last, Stops(keep, news, out / STATE, recipe.digest))


def _save(model: Any, folder: Path, tokenizer: Path) -> None:
    save_checkpoint(model, folder)
    if folder != tokenizer:
        _copy_tokenizer(Base("", tokenizer, tokenizer), folder)


def _copy_tokenizer(base: Base, out: Path) -> None:
    """Copy the two files of a tokenizer; the settings are optional."""
    for name in (TOKENIZER, TOKENIZER_CONFIG):
        if (base.tokenizer / name).is_file():
            shutil.copyfile(base.tokenizer / name, out / name)
