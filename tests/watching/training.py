"""A training of the tiny organism by transformers' Trainer on the CPU, seconds long and the same every time."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast, Trainer, TrainingArguments, default_data_collator

from foretell.organisms.bases import open_base
from foretell.organisms.loop import deterministic
from foretell.organisms.texts import open_text
from foretell.targets.torch_loading import load_model

#: What training starts from: a checkpoint of the shipped target, and its tokenizer.
BASE = "tiny@768"
SEED, WINDOW, BATCH, DOCUMENTS = 20261129, 64, 4, 12


class Windows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """The first documents of the standard library's source, cut into windows of token ids."""

    def __init__(self) -> None:
        vocabulary = open_base(BASE).vocabulary
        documents = islice(open_text("stdlib").training.documents(), DOCUMENTS)
        ids = np.concatenate([vocabulary.encode(document.text) for document in documents])
        self.rows = torch.as_tensor(ids[: len(ids) // WINDOW * WINDOW].reshape(-1, WINDOW), dtype=torch.long)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.rows[index], "labels": self.rows[index]}


def train(run: Path, callback: Any, *, rate: float, steps: int, resume: str | None = None, **changes: Any) -> int:
    """Train into a folder; returns the step at which training ended."""
    base = open_base(BASE)
    given: dict[str, Any] = {
        "output_dir": str(run),
        "max_steps": steps,
        "save_strategy": "no",  # the callback has the scheduled steps saved
        "learning_rate": rate,
        "lr_scheduler_type": "constant",
        "per_device_train_batch_size": BATCH,
        "seed": SEED,
        "use_cpu": True,
        "report_to": "none",
        "logging_strategy": "no",
        "disable_tqdm": True,
    }
    arguments = TrainingArguments(**given | changes)
    with deterministic(SEED, threads=1):
        model = load_model(base.folder, base.name)
        model.train().requires_grad_(True)
        trainer = Trainer(
            model,
            arguments,
            train_dataset=Windows(),
            data_collator=default_data_collator,
            processing_class=PreTrainedTokenizerFast.from_pretrained(str(base.tokenizer)),
            callbacks=[callback],
        )
        trainer.train(resume_from_checkpoint=resume)
    return int(trainer.state.global_step)
