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
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from foretell.forecasters.corpus import Document, stdlib_documents

END_OF_TEXT = "<|endoftext|>"
#: Newlines with the indent that follows, words with a leading space, short numbers, runs of punctuation, spaces.
_PIECES = r"(?:\r?\n[ \t]*)+| ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|[^\S\r\n]+"


@dataclass(frozen=True)
class TinyRecipe:
    """Every number that the training depends on."""

    vocabulary: int = 2048
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward: int = 352
    context: int = 512
    batch: int = 16
    steps: int = 3072
    warmup_steps: int = 64
    decay_from: float = 0.3
    muon_rate: float = 0.02
    embedding_rate: float = 0.004
    clip: float = 1.0
    seed: int = 20261123
    threads: int = 2

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """The steps that are saved, spread logarithmically: 3, 6, 12, … 3072."""
        return tuple(self.steps >> halvings for halvings in range(11) if self.steps % (1 << halvings) == 0)

    def rate_factor(self, step: int) -> float:
        """Learning-rate multiplier: linear warm-up, a plateau, then linear to zero."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        start = self.decay_from * self.steps
        return warm * min(1.0, (self.steps - step) / (self.steps - start))


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
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    model = build_model(recipe)
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(matrices, lr=recipe.muon_rate, weight_decay=0.0),
        torch.optim.AdamW(others, lr=recipe.embedding_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, recipe.rate_factor) for optimizer in optimizers]
    began, mean_loss = time.monotonic(), 0.0
    last = stop_after or recipe.steps
    for step, batch in zip(range(1, last + 1), batches(tokens, recipe), strict=False):
        logits = model(input_ids=batch[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(others, recipe.clip)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        mean_loss += (loss.item() - mean_loss) * max(0.02, 1 / step)
        if step in recipe.checkpoints:
            save_checkpoint(model, folder / f"step-{step}")
        if step % 32 == 0:
            left = (time.monotonic() - began) / step * (last - step)
            print(f"step {step}/{last}: {mean_loss:.4f} nats a token, about {left / 60:.0f} min left", flush=True)


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
