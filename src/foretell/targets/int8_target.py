"""`int8:TARGET`: a torch target with its linear layers dynamically quantised to 8 bits, to measure what that costs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from foretell.base.errors import InputError
from foretell.distributions import Block, DenseBlock, Head, log_softmax
from foretell.targets.hf_target import TorchTarget
from foretell.targets.target import Target, TargetIdentity
from foretell.targets.torch_loading import require_transformers


def open_int8(name: str, base: Target) -> Int8Target:
    """The quantised copy of a target.

    Raises:
        InputError: the base is not run by torch.
    """
    if not isinstance(base, TorchTarget):
        raise InputError(
            "cannot be quantised",
            where=name,
            got=f"a target that runs in {base.identity.engine}",
            expected="a tiny, hf, gguf or smollm2 target",
            fix="Write it as int8:smollm2, int8:hf:PATH or int8:gguf:FILE.",
        )
    return Int8Target(name, base)


class Int8Target:
    """Weights of every linear layer, the output layer included, in int8; activations quantised as they come.

    The range of an activation is taken over all tokens of the call, so a later token would change what an earlier
    position gets. Each position is therefore asked with its own prefix and nothing else: slower, and what the model
    says when it is used.

    Args:
        name: the spec, such as 'int8:smollm2'.
        base: opened by the caller; its model is taken over.
    """

    def __init__(self, name: str, base: TorchTarget) -> None:
        torch, _ = require_transformers(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces a successor, torchao, which has no such CPU kernels
            self._model = torch.ao.quantization.quantize_dynamic(base.model, {torch.nn.Linear}, dtype=torch.qint8)
        self.vocabulary, self.context, self.batch_tokens = base.vocabulary, base.context, base.batch_tokens
        self.kinds: tuple[str, ...] = ("dense",)
        self.head: Head | None = None
        weights, engine = base.identity.weights, base.identity.engine
        self.identity = TargetIdentity(
            name, f"{weights}, linear layers in int8", base.vocabulary.digest, f"{engine}, dynamic int8", "int8"
        )

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids as the base reads the text."""
        return self.vocabulary.encode(text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        """One dense block a prompt, rows by ascending position, one forward pass a position."""
        torch, _ = require_transformers(self.identity.name)
        if kind != "dense":
            raise InputError(
                "a kind that this target does not give",
                where=self.identity.name,
                got=repr(kind),
                expected="'dense'",
                fix="Collect with --kind dense.",
            )
        blocks: list[Block] = []
        for ids, wanted in zip(batch, positions, strict=True):
            rows = []
            for position in sorted(wanted):
                with torch.inference_mode(), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    prefix = torch.tensor([list(ids[: position + 1])])
                    logits = self._model(input_ids=prefix, use_cache=False, logits_to_keep=1).logits[0, -1]
                rows.append(logits.float())
            blocks.append(DenseBlock(log_softmax(torch.stack(rows).numpy())))
        return blocks
