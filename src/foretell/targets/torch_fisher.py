"""The Fisher information of next-token distributions in the weights, as products with vectors, by torch.

With J the Jacobian of the logits at one position in the weights θ, and p = softmax(logits), the Fisher information F
is Jᵀ (diag(p) − p pᵀ) J there, and KL(p_θ ‖ p_θ+δ) = ½ δᵀ F δ + O(δ³). F has a row a weight and is never formed: a
product with a vector is a derivative of the logits along it, J v, and one back to the weights, Jᵀ w.

Vectors are in units of each tensor's own size: u stands for the change δ = σ u of the weights, σ being the root mean
square of the weight's tensor; the products are those of σ F σ.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError
from foretell.targets.hf_target import TorchTarget, open_shipped
from foretell.targets.target import Target
from foretell.targets.tiny import is_tiny
from foretell.targets.torch_loading import require_transformers

Float64 = NDArray[np.float64]
#: Any precision: the vectors come back in the precision of the weights.
Vector = NDArray[np.floating]
#: From weights by name and a batch's inputs to logits (positions, vocabulary).
Logits = Callable[[dict[str, Any], Any], Any]
#: Tokens (padding included) of one batch: the derivatives of many more would take gigabytes.
_BATCH_TOKENS = 1024
#: Tokens times weights up to which the forward passes are kept between products: twice as fast, and about 3 GB for
#: 20,000 tokens of a model of a million weights; of larger models fewer tokens are kept, and less memory.
_KEPT_WORK = 2.5e10


@dataclass(frozen=True)
class Tensor:
    """One tensor of weights: its name, its shape, where it lies in the flat vector, and its root mean square."""

    name: str
    shape: tuple[int, ...]
    start: int
    stop: int
    rms: float


@dataclass(frozen=True)
class Batch:
    """What is asked in one forward pass: inputs, and the weight of each position, (positions,)."""

    inputs: Any
    weights: Any

    @property
    def tokens(self) -> int:
        """How many inputs the model reads, padding included."""
        return int(self.inputs[0].numel())


def torch_target(target: Target) -> TorchTarget:
    """The target itself where torch runs it, or the shipped target's own weights run by torch.

    Raises:
        InputError: a target whose weights torch cannot differentiate: an endpoint, a graph, a quantised copy.
    """
    if isinstance(target, TorchTarget):
        return target
    if is_tiny(target.identity.name):
        return open_shipped(target.identity.name)
    raise InputError(
        "cannot be differentiated",
        where=f"target {target.identity.name}",
        got=f"a target that runs in {target.identity.engine}",
        expected="a tiny, hf, gguf or smollm2 target, whose weights torch holds",
        fix="Give the weights as hf:PATH or gguf:FILE; answers alone carry no derivative.",
    )


def open_fisher(
    target: Target,
    batch: Sequence[Sequence[int]],
    positions: Sequence[Sequence[int]],
    weights: Sequence[float] | None = None,
) -> TorchFisher:
    """The Fisher information of a target's distributions at the scored positions, weighted as the score.

    Args:
        batch: token ids of each prompt.
        positions: scored positions of each prompt.
        weights: what each prompt counts for, equal where None; a prompt's positions share it.

    Raises:
        InputError: a target that torch does not run, or no prompts.
    """
    opened = torch_target(target)
    torch, _ = require_transformers(opened.identity.name)
    shares = np.ones(len(batch)) if weights is None else np.asarray(weights, np.float64)
    if not len(batch) or len(batch) != len(positions) or len(batch) != len(shares):
        raise InputError(
            "no prompts to differentiate at",
            where=f"target {opened.identity.name}",
            got=f"{len(batch)} prompts, {len(positions)} lists of positions, {len(shares)} weights",
            expected="at least one prompt, and as many of each",
            fix="Give every prompt its positions and its weight.",
        )
    shares = shares / shares.sum()
    order = sorted(range(len(batch)), key=lambda index: len(batch[index]))
    made = [
        _batch(torch, [batch[i] for i in chosen], [sorted(positions[i]) for i in chosen], [shares[i] for i in chosen])
        for chosen in _grouped(order, [len(ids) for ids in batch])
    ]
    parameters = {name: tensor.detach() for name, tensor in opened.model.named_parameters()}
    return TorchFisher(parameters, _logits_of(torch, opened.model), made)


def _grouped(order: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """Prompts of similar length together, as many as the tokens of a batch allow."""
    groups: list[list[int]] = []
    for index in order:
        if groups and (len(groups[-1]) + 1) * lengths[index] <= _BATCH_TOKENS:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _batch(torch: Any, ids: list[Sequence[int]], positions: list[list[int]], shares: list[float]) -> Batch:
    """Prompts padded on the right: a causal model never looks there."""
    padded = torch.zeros((len(ids), max(map(len, ids))), dtype=torch.long)
    for row, prompt in enumerate(ids):
        padded[row, : len(prompt)] = torch.as_tensor(prompt)
    kept = sorted({column for wanted in positions for column in wanted})
    place = {column: index for index, column in enumerate(kept)}
    rows = torch.tensor([row for row, wanted in enumerate(positions) for _ in wanted])
    columns = torch.tensor([place[column] for wanted in positions for column in wanted])
    weights = torch.tensor(
        [share / len(wanted) for share, wanted in zip(shares, positions, strict=True) for _ in wanted]
    )
    return Batch((padded, torch.tensor(kept), rows, columns), weights)


def _logits_of(torch: Any, model: Any) -> Logits:
    """The model's own logits as a function of its weights, at the wanted positions only where it allows that."""
    keeps = "logits_to_keep" in inspect.signature(model.forward).parameters

    def logits(parameters: dict[str, Any], inputs: Any) -> Any:
        ids, kept, rows, columns = inputs
        options = {"logits_to_keep": kept} if keeps else {}
        asked = {"input_ids": ids, "use_cache": False} | options
        found = torch.func.functional_call(model, parameters, (), asked).logits
        return (found if keeps else found[:, kept])[rows, columns]

    return logits


@dataclass(frozen=True)
class _Graph:
    """One batch's forward pass, ready to be differentiated again and again.

    J v is taken as the derivative of Jᵀ w in w along v: Jᵀ w is linear in w, so any w will do.

    Attributes:
        leaves: the weights.
        values: logits (positions, vocabulary).
        probe: w, of the same shape.
        pulled: Jᵀ w, by tensor.
        weights: of the positions.
    """

    leaves: list[Any]
    values: Any
    probe: Any
    pulled: tuple[Any, ...]
    weights: Any

    @classmethod
    def of(cls, parameters: dict[str, Any], logits: Logits, batch: Batch) -> _Graph:
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel

        with torch.enable_grad():
            at = {name: tensor.detach().requires_grad_() for name, tensor in parameters.items()}
            # The fused attention kernels have no second derivative; the plain formula has.
            with sdpa_kernel(SDPBackend.MATH):
                values = logits(at, batch.inputs)
            probe = torch.zeros_like(values, requires_grad=True)
            pulled = torch.autograd.grad(
                values, list(at.values()), probe, create_graph=True, allow_unused=True, materialize_grads=True
            )
        return cls(list(at.values()), values, probe, pulled, batch.weights.to(values.dtype))

    def product(self, tangent: list[Any]) -> list[Any]:
        """Jᵀ (diag(p) − p pᵀ) J times a change of the weights, both by tensor."""
        import torch

        (moved,) = torch.autograd.grad(self.pulled, self.probe, tangent, retain_graph=True)
        p = self.values.detach().softmax(-1)
        weighed = self.weights[:, None] * p * (moved - (p * moved).sum(-1, keepdim=True))
        found = torch.autograd.grad(
            self.values, self.leaves, weighed, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return list(found)


class TorchFisher:
    """σ F σ of a function from weights to logits, the mean over positions by their weights.

    Args:
        parameters: the weights θ by name.
        logits: from weights and a batch's inputs to logits (positions, vocabulary).
        batches: what is asked; the weights of all positions add up to 1.

    Attributes:
        tensors: the weights' tensors in the order of the flat vector. One that is all zero has no size of its own: its
            σ is 0, and no direction moves it.
        size: the length of vectors.
        weights: how many weights there are in tensors that are not all zero; the length of θ in units of σ is its root.
        positions: how many distributions.
    """

    def __init__(self, parameters: dict[str, Any], logits: Logits, batches: Sequence[Batch]) -> None:
        self._parameters, self._logits, self._batches = parameters, logits, list(batches)
        tensors, start = [], 0
        for name, tensor in parameters.items():
            rms = float(tensor.double().square().mean().sqrt())
            tensors.append(Tensor(name, tuple(tensor.shape), start, start + tensor.numel(), rms))
            start += tensor.numel()
        self.tensors = tuple(tensors)
        self.size = start
        self.weights = sum(one.stop - one.start for one in self.tensors if one.rms > 0)
        self.positions = sum(len(batch.weights) for batch in self._batches)
        self._keeps = self.size * sum(batch.tokens for batch in self._batches) <= _KEPT_WORK
        self._kept: dict[int, _Graph] = {}

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision that the weights are in, and the products."""
        return np.dtype(str(next(iter(self._parameters.values())).dtype).removeprefix("torch."))

    def product(self, vector: Vector) -> Vector:
        """σ F σ times a vector, both (size,)."""
        import torch

        tangent = list(self._scaled(vector).values())
        total = [torch.zeros_like(tensor) for tensor in tangent]
        for index, batch in enumerate(self._batches):
            graph = self._kept.get(index) or _Graph.of(self._parameters, self._logits, batch)
            if self._keeps:
                self._kept[index] = graph
            for part, found in zip(total, graph.product(tangent), strict=True):
                part += found
        flat = zip(self.tensors, total, strict=True)
        return np.concatenate([(tensor.rms * part).reshape(-1).numpy() for tensor, part in flat])

    def kl_nats(self, vector: Vector) -> float:
        """The true mean KL(p_θ ‖ p_θ+σu) in nats: what ½ uᵀ σFσ u approximates."""
        import torch

        change = self._scaled(vector)
        moved = {name: tensor + change[name] for name, tensor in self._parameters.items()}
        total = 0.0
        with torch.inference_mode():
            for batch in self._batches:
                old, new = (self._logits(at, batch.inputs).double().log_softmax(-1) for at in (self._parameters, moved))
                # Every term p (e^-d − 1 + d) is non-negative, so small differences do not cancel.
                d = old - new
                terms = (old.exp() * (torch.expm1(-d) + d)).sum(-1)
                total += float((batch.weights.double() * terms).sum())
        return total

    def named(self, vector: Vector) -> dict[str, Vector]:
        """The change of the weights that a vector stands for, by tensor."""
        return {name: tensor.numpy() for name, tensor in self._scaled(vector).items()}

    def _scaled(self, vector: Vector) -> dict[str, Any]:
        import torch

        flat = torch.from_numpy(np.array(vector, self.dtype))
        return {one.name: one.rms * flat[one.start : one.stop].reshape(one.shape) for one in self.tensors}
