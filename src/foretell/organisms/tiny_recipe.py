"""Every number that the training of the shipped tiny target depends on; no torch here."""

from __future__ import annotations

from dataclasses import dataclass

END_OF_TEXT = "<|endoftext|>"
#: Content of tokenizer_config.json beside the tokenizer of tiny.
TOKENIZER_SETTINGS = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": END_OF_TEXT,
    "eos_token": END_OF_TEXT,
    "clean_up_tokenization_spaces": False,
}
_HALVINGS = 11


def rate_factor(step: int, *, steps: int, warmup_steps: int, decay_from: float) -> float:
    """Learning-rate multiplier: linear warm-up, a plateau, then linear to zero at the last step.

    Args:
        step: how many steps were taken before.
        decay_from: where the plateau ends, as a share of the steps; 1 for no decay.

    >>> [round(rate_factor(step, steps=10, warmup_steps=2, decay_from=0.5), 2) for step in (0, 1, 5, 9)]
    [0.5, 1.0, 1.0, 0.2]
    """
    warm = min(1.0, (step + 1) / warmup_steps)
    start = decay_from * steps
    return warm * min(1.0, (steps - step) / (steps - start)) if start < steps else warm


@dataclass(frozen=True)
class TinyRecipe:
    """The recipe of the shipped target; sizes and lengths in units of tokens, rates as the optimizers take them."""

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
        return tuple(self.steps >> halvings for halvings in range(_HALVINGS) if self.steps % (1 << halvings) == 0)

    def rate_factor(self, step: int) -> float:
        """Learning-rate multiplier: linear warm-up, a plateau, then linear to zero."""
        return rate_factor(step, steps=self.steps, warmup_steps=self.warmup_steps, decay_from=self.decay_from)
