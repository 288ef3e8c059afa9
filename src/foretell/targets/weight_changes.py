"""What variations do to the weights of a loaded model, in place: rounding, pruning, nudging, leaving out, mixing.

Every function takes a torch model and changes its parameters where they lie, so that tied layers stay tied. A matrix is
any parameter of two or more dimensions: linear layers and embeddings, the output layer among them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError

#: A direction in weight space, by tensor.
Direction = Mapping[str, NDArray[np.floating[Any]]]
PART = "layerL, headL.H or neuronsL.FROM-TO, counted from 0"
_PART = re.compile(
    r"layer(?P<layer>\d+)|head(?P<of>\d+)\.(?P<head>\d+)|neurons(?P<in>\d+)\.(?P<first>\d+)-(?P<last>\d+)"
)


def round_to(model: Any, dtype: Any) -> None:
    """Round every weight to a torch dtype and back."""
    for _, weight in _weights(model):
        weight.copy_(weight.to(dtype).to(weight.dtype))


def round_to_bits(model: Any, bits: int) -> None:
    """Round every matrix to so many bits a weight: to the nearest of evenly spaced levels, symmetric, scaled by row.

    Source: the usual round-to-nearest baseline, such as Dettmers et al. 2022 (LLM.int8()), section 2.1 (absmax).
    """
    levels = 2 ** (bits - 1) - 1
    for _, weight in _matrices(model):
        rows = weight.view(weight.shape[0], -1)
        step = rows.abs().amax(dim=1, keepdim=True) / levels
        step[step == 0] = 1.0  # a row of zeros stays one
        rows.copy_((rows / step).round() * step)


def prune(model: Any, share: float) -> None:
    """Set that share of every matrix, its smallest weights, to zero.

    Source: magnitude pruning, Han et al. 2015.
    """
    for _, weight in _matrices(model):
        flat = weight.view(-1)
        count = round(share * flat.numel())
        if count:
            flat[flat.abs().argsort(stable=True)[:count]] = 0.0


def random_direction(model: Any, seed: int) -> Direction:
    """Normally distributed, each tensor as large as the model's own of that name."""
    found = {}
    rng = np.random.default_rng(seed)
    for name, weight in _weights(model):
        noise = rng.standard_normal(tuple(weight.shape), np.float32)
        found[name] = noise * (_rms(weight) / math.sqrt(float(np.mean(np.square(noise, dtype=np.float64)))))
    return found


def nudge(model: Any, direction: Direction, size: float, where: str) -> None:
    """Move the weights along a direction until the root mean square of (change ÷ its tensor's own size) is `size`.

    A tensor's own size is the root mean square of its weights, so a size of 0.01 moves weights by 1% of what is
    typical in their tensor.

    Raises:
        InputError: a direction for other tensors, or one that moves nothing.
    """
    import torch

    weights = dict(_weights(model))
    fits = set(direction) == set(weights) and all(direction[n].shape == tuple(w.shape) for n, w in weights.items())
    if not fits:
        raise _unfit(where, "a direction for other tensors", f"one array for each of {len(weights)} tensors")
    sizes = {name: _rms(weight) for name, weight in weights.items()}
    squares = sum(
        float(np.square(direction[name] / sizes[name], dtype=np.float64).sum()) for name in weights if sizes[name] > 0
    )
    length = math.sqrt(squares / sum(weight.numel() for weight in weights.values()))
    if not 0 < length < math.inf:
        raise _unfit(where, "a direction that moves nothing", "finite numbers that are not all zero")
    for name, weight in weights.items():
        if sizes[name] > 0:
            weight.add_(torch.from_numpy(np.asarray(direction[name] * (size / length), np.float32)))


def leave_out(model: Any, part: str, where: str) -> None:
    """Cut one part off from the residual stream: a layer, an attention head, or neurons of a feed-forward layer.

    Raises:
        InputError: no such part, or a model that is not built of such layers.
    """
    found = _PART.fullmatch(part)
    if found is None:
        raise _unfit(where, repr(part), PART)
    layers = getattr(model.base_model, "layers", ())
    number = int(found["layer"] or found["of"] or found["in"])
    if number >= len(layers):
        raise _unfit(where, repr(part), f"a layer from 0 to {len(layers) - 1}, in a model with a list of layers")
    heads, neurons = _outputs(model, layers[number], where)
    if found["layer"]:
        for weight in (*heads.parameters(), *neurons.parameters()):
            weight.zero_()
    elif found["head"]:
        width = heads.weight.shape[1] // int(model.config.num_attention_heads)
        first = int(found["head"]) * width
        _clear(heads.weight, first, first + width - 1, where)
    else:
        _clear(neurons.weight, int(found["first"]), int(found["last"]), where)


def _outputs(model: Any, layer: Any, where: str) -> tuple[Any, Any]:
    """The two linear layers that write into the residual stream: of the attention heads, and of the neurons."""
    heads = getattr(getattr(layer, "self_attn", None), "o_proj", None)
    neurons = getattr(getattr(layer, "mlp", None), "down_proj", None)
    if heads is None or neurons is None:
        raise _unfit(where, f"a {type(model).__name__}", "layers with self_attn.o_proj and mlp.down_proj, as Llama has")
    return heads, neurons


def _clear(matrix: Any, first: int, last: int, where: str) -> None:
    if not first <= last < matrix.shape[1]:
        raise _unfit(where, f"columns {first} to {last}", f"columns from 0 to {matrix.shape[1] - 1}")
    matrix[:, first : last + 1] = 0.0


def mix(model: Any, other: Any, share: float, where: str) -> None:
    """Move every weight that share of the way to another model's.

    Raises:
        InputError: a model of another shape.
    """
    mine, yours = dict(_weights(model)), dict(_weights(other))
    if {n: w.shape for n, w in mine.items()} != {n: w.shape for n, w in yours.items()}:
        raise _unfit(where, "models of different shapes", "two models with the same tensors, such as two checkpoints")
    for name, weight in mine.items():
        weight.lerp_(yours[name], share)


def _weights(model: Any) -> Iterator[tuple[str, Any]]:
    """Every parameter once, tied ones under their first name, in the order of names."""
    return iter(sorted((name, weight.data) for name, weight in model.named_parameters()))


def _matrices(model: Any) -> Iterator[tuple[str, Any]]:
    return ((name, weight) for name, weight in _weights(model) if weight.ndim > 1)


def _rms(weight: Any) -> float:
    return float(weight.double().square().mean().sqrt())


def _unfit(where: str, got: str, expected: str) -> InputError:
    return InputError(
        "a variation that does not fit the model",
        where=where,
        got=got,
        expected=expected,
        fix="`foretell collect --help` lists the variations; the model's config.json says how it is built.",
    )
