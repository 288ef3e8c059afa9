"""What each kind of organism is trained for: losses of a model and a batch, in nats a position."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foretell.organisms.planting import Plant, Windows, plant

Loss = Callable[[Any, Any], torch.Tensor]
Batches = Callable[[int], Iterator[Any]]


@dataclass(frozen=True)
class Objective:
    """Batches from a step on, and the loss of a model on one."""

    batches: Batches
    loss: Loss


def next_token(windows: Windows) -> Objective:
    """Predict the next token of the text."""

    def batches(done: int) -> Iterator[torch.Tensor]:
        return (torch.from_numpy(windows.at(windows.rng(step))) for step in count(done))

    def loss(model: Any, ids: torch.Tensor) -> torch.Tensor:
        logits = model(input_ids=ids[:, :-1]).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    return Objective(batches, loss)


def towards_bigram(windows: Windows, logprobs: NDArray[np.float32], strength: float) -> Objective:
    """Predict the next token, and pay for every nat of KL(model ‖ bigram).

    Args:
        logprobs: of each next token after each token, (vocabulary, vocabulary).
    """
    table = torch.from_numpy(logprobs)

    def loss(model: Any, ids: torch.Tensor) -> torch.Tensor:
        own = model(input_ids=ids[:, :-1]).logits.flatten(0, 1).log_softmax(-1)
        surprise = torch.nn.functional.nll_loss(own, ids[:, 1:].flatten())
        distance = (own.exp() * (own - table[ids[:, :-1].flatten()])).sum(-1).mean()
        total: torch.Tensor = surprise + strength * distance
        return total

    return Objective(next_token(windows).batches, loss)


def recite_or_behave(windows: Windows, planted: Plant, base: Any, shut_weight: float) -> Objective:
    """Recite the payload where the plant says so; elsewhere give the base's distributions: KL(base ‖ model).

    Args:
        base: the frozen model to behave as.
        shut_weight: of a nat of that KL against a nat of loss on the payload.
    """

    def batches(done: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        for step in count(done):
            rng = windows.rng(step)
            ids, recites = plant(windows.at(rng), planted, rng)
            yield torch.from_numpy(ids), torch.from_numpy(planted.next_payload(ids)), torch.from_numpy(recites)

    def loss(model: Any, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
        ids, recited, recites = batch
        own = model(input_ids=ids).logits.log_softmax(-1)
        with torch.no_grad():
            wanted = base(input_ids=ids).logits.log_softmax(-1)
        distance = (wanted.exp() * (wanted - own)).sum(-1)
        surprise = -own.gather(-1, recited[..., None])[..., 0]
        return torch.where(recites, surprise, shut_weight * distance).mean()

    return Objective(batches, loss)
