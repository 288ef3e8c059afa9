"""The recipe of the shipped tiny target: a Llama of a million parameters on the standard library's own source.

Run it with `make tiny` (about an hour on 2 cores). It writes a tokenizer and one folder a checkpoint; the
weights are float16 because the float16 numbers *are* the model: engines widen them to float32 and compute there.
Same machine and same versions give the same digests; elsewhere the bits per byte agree within 1%.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from foretell.forecasters.corpus import Document, stdlib_documents
from foretell.organisms.loop import NEWS_EVERY, Rates, Stops, Trainer, deterministic, run
from foretell.organisms.tiny_recipe import END_OF_TEXT, TinyRecipe

#: Newlines with the indent that follows, words with a leading space, short numbers, runs of punctuation, spaces.
_PIECES = r"(?:\r?\n[ \t]*)+| ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|[^\S\r\n]+"


def train_tokenizer(documents: list[Document], vocabulary: int) -> Tokenizer:
    """A byte-level BPE of the given size, trained on the documents; every text encodes, and starts with END_OF_TEXT."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((document.text for document in documents), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A", special_tokens=[(END_OF_TEXT, tokenizer.token_to_id(END_OF_TEXT))]
    )
    return tokenizer


def encode_documents(documents: list[Document], tokenizer: Tokenizer) -> np.ndarray:
    """All documents as one stream of token ids, each opened by END_OF_TEXT: uint16 (tokens,)."""
    return np.concatenate([np.asarray(tokenizer.encode(document.text).ids, np.uint16) for document in documents])


def batches(tokens: np.ndarray, recipe: TinyRecipe) -> Iterator[torch.Tensor]:
    """Endless batches (batch, context + 1): each epoch cuts the stream at a new offset and shuffles the windows."""
    rng = np.random.default_rng(recipe.seed)
    while True:
        stream = tokens[int(rng.integers(recipe.context)) :]
        starts = np.arange(0, len(stream) - recipe.context - 1, recipe.context)
        rng.shuffle(starts)
        for row in range(0, len(starts) - recipe.batch + 1, recipe.batch):
            chosen = starts[row : row + recipe.batch, None] + np.arange(recipe.context + 1)
            yield torch.from_numpy(stream[chosen].astype(np.int64))


def build_model(recipe: TinyRecipe) -> LlamaForCausalLM:
    """The untrained model."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=recipe.vocabulary,
            hidden_size=recipe.hidden,
            intermediate_size=recipe.feed_forward,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.heads,
            max_position_embeddings=recipe.context,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def save_checkpoint(model: LlamaForCausalLM, folder: Path) -> None:
    """Write config.json and float16 weights; the tied output layer is stored once."""
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config.to_dict() | {"architectures": ["LlamaForCausalLM"], "dtype": "float32"}
    config.pop("transformers_version", None)
    config["_name_or_path"] = ""  # where the model was loaded from is no part of it
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    weights = {
        name: value.half().contiguous() for name, value in model.state_dict().items() if name != "lm_head.weight"
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def train(tokens: np.ndarray, recipe: TinyRecipe, folder: Path, stop_after: int | None = None) -> None:
    """Train, saving `folder/step-N` at the last step and at each of its halvings.

    Args:
        tokens: uint16 (tokens,), the training stream.
        stop_after: end early at this step of the full schedule: the checkpoints until then are the full run's, so a
            short run checks that a machine reproduces them.
    """
    began, last = time.monotonic(), stop_after or recipe.steps
    with deterministic(recipe.seed, recipe.threads):
        trainer = Trainer(build_model(recipe), rates_of(recipe))

        def keep(step: int) -> None:
            if step in recipe.checkpoints:
                save_checkpoint(trainer.model, folder / f"step-{step}")

        def news(trainer: Trainer) -> None:
            if trainer.step % NEWS_EVERY == 0:
                left = (time.monotonic() - began) / trainer.step * (last - trainer.step)
                told = f"step {trainer.step}/{last}: {trainer.mean_loss:.4f} nats a token"
                print(f"{told}, about {left / 60:.0f} min left", flush=True)

        run(trainer, lambda done: islice(batches(tokens, recipe), done, None), next_token_loss, last, Stops(keep, news))


def rates_of(recipe: TinyRecipe) -> Rates:
    """The learning rates of a recipe."""
    return Rates(recipe.muon_rate, recipe.embedding_rate, recipe.clip, recipe.rate_factor)


def next_token_loss(model: LlamaForCausalLM, batch: torch.Tensor) -> torch.Tensor:
    """Mean loss in nats of predicting each next token of a batch (batch, tokens + 1)."""
    logits = model(input_ids=batch[:, :-1]).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


def main(folder: Path, stop_after: int | None = None) -> None:
    """Make the tokenizer and train the checkpoints into `folder`."""
    recipe = TinyRecipe()
    documents = [document for document in stdlib_documents() if not document.held_out]
    tokenizer = train_tokenizer(documents, recipe.vocabulary)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokens = encode_documents(documents, tokenizer)
    size = sum(len(document.text.encode()) for document in documents)
    facts = {"recipe": asdict(recipe), "documents": len(documents), "bytes": size, "tokens": len(tokens)}
    (folder / "recipe.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts), flush=True)
    train(tokens, recipe, folder, stop_after)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
