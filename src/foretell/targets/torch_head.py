"""The output layer of a transformers model as a Head, and the checks that it and the model are what they seem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foretell.base.errors import InputError
from foretell.distributions import Head

if TYPE_CHECKING:
    import torch

#: How far head-rebuilt log-probabilities may be from the model's own, in nats.
HEAD_NATS = 1e-4
#: A causal model's early log-probabilities move by rounding alone when later tokens change, in nats.
_CAUSAL_NATS = 1e-3


def read_head(model: Any) -> Head | None:
    """The output layer with what its configuration says is done to logits, or None where there is none to read.

    Known: Gemma's `final_logit_softcapping`, Cohere's `logit_scale`, Granite's `logits_scaling` (divides) and Falcon
    H1's `lm_head_multiplier`. Whether that is all is for `check_head` to find out.
    """
    layer, base = model.get_output_embeddings(), model.base_model
    weight = getattr(layer, "weight", None)
    if weight is None or weight.ndim != 2 or base is model:
        return None
    config = model.config.get_text_config()
    bias = getattr(layer, "bias", None)
    scale = 1.0
    for name in ("logit_scale", "lm_head_multiplier"):
        factor = getattr(config, name, None)
        scale *= factor if isinstance(factor, float | int) else 1.0
    return Head(
        weight=weight.detach().numpy(),
        bias=None if bias is None else bias.detach().numpy(),
        scale=scale / (getattr(config, "logits_scaling", None) or 1.0),
        softcap=float(getattr(config, "final_logit_softcapping", None) or 0.0),
    )


def final_hidden(model: Any, ids: torch.Tensor) -> Any:
    """Hidden states after the final norm, (prompts, tokens, d); the output layer is not computed."""
    return model.base_model(input_ids=ids, use_cache=False).last_hidden_state


def head_error_nats(model: Any, head: Head, ids: torch.Tensor) -> float:
    """Largest difference between head-rebuilt and the model's own log-probabilities on a sample (1, tokens)."""
    import torch

    with torch.inference_mode():
        own = model(input_ids=ids, use_cache=False).logits[0].double().log_softmax(-1).numpy()
        hidden = final_hidden(model, ids)
    if not isinstance(hidden, torch.Tensor) or hidden.shape[-1] != head.weight.shape[1]:
        return float("inf")
    rebuilt = torch.from_numpy(head.logits(hidden[0].numpy())).double().log_softmax(-1).numpy()
    return float(np.abs(own - rebuilt).max()) if own.shape == rebuilt.shape else float("inf")


def head_mismatch(error_nats: float, where: str) -> InputError:
    """The error for a model whose logits the head does not give."""
    got = "no output layer" if np.isinf(error_nats) else f"a difference of {error_nats:.3g} nats"
    return InputError(
        "hidden states and output layer do not give the model's own probabilities",
        where=where,
        got=got,
        expected=f"at most {HEAD_NATS:g} nats on a sample",
        fix="This model does something more to its logits: collect with --kind dense.",
    )


def check_causal(model: Any, ids: torch.Tensor, where: str) -> None:
    """Raise unless changing the second half of a sample (1, tokens) leaves the first half's probabilities alone.

    Raises:
        InputError: the model reads ahead, as encoders do; then it gives no next-token distributions, and the
            padding of a batch would leak into its prompts.
    """
    import torch

    half = ids.shape[1] // 2
    other = torch.cat([ids[:, :half], torch.full_like(ids[:, half:], int(ids[0, 0]))], dim=1)
    with torch.inference_mode():
        first, second = (
            model(input_ids=sample, use_cache=False).logits[0, :half].double().log_softmax(-1)
            for sample in (ids, other)
        )
    moved = float((first - second).abs().max())
    if not moved <= _CAUSAL_NATS:
        raise InputError(
            "not a model that reads from left to right",
            where=where,
            got=f"probabilities that move by {moved:.3g} nats when later tokens change",
            expected=f"at most {_CAUSAL_NATS:g} nats",
            fix="Give a causal language model (a decoder).",
        )
