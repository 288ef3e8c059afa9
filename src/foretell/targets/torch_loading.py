"""torch and transformers, loaded when needed, and models loaded by them without a word on the terminal."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foretell.base.errors import DamageError, InputError, missing_extra


def require_transformers(where: str) -> tuple[Any, Any]:
    """The modules torch and transformers.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise missing_extra("models", error.name or "torch", where=where) from error
    return torch, transformers


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' progress bars and notices off the terminal; errors still come as exceptions."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _register_own(transformers: Any) -> None:
    """Make our own architecture known to transformers by its model_type, so that its folders need no code."""
    own = importlib.import_module("foretell.targets.hash_gated_llama")
    transformers.AutoConfig.register(own.HashGatedLlamaConfig.model_type, own.HashGatedLlamaConfig, exist_ok=True)
    transformers.AutoModelForCausalLM.register(own.HashGatedLlamaConfig, own.HashGatedLlamaForCausalLM, exist_ok=True)


def load_model(folder: Path, where: str, gguf_file: str | None = None) -> Any:
    """A model in float32, for evaluation, with every weight read from the folder; no code from the folder is run.

    Raises:
        InputError: transformers cannot read it, or its own code would make it another model.
        DamageError: weights are missing, or of another shape than the configuration says.
    """
    torch, transformers = require_transformers(where)
    _register_own(transformers)
    options = {} if gguf_file is None else {"gguf_file": gguf_file}
    try:
        with quiet():
            model, report = transformers.AutoModelForCausalLM.from_pretrained(
                str(folder),
                dtype=torch.float32,
                output_loading_info=True,
                local_files_only=True,
                trust_remote_code=False,
                **options,
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise InputError(
            "transformers cannot load the model",
            where=where,
            got=f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}",
            expected="a causal language model in safetensors that this transformers knows, without code of its own",
            fix="Check the folder and the transformers version; quantised weights have to be saved as float first.",
        ) from error
    _check_class(model, where)
    left_over = sorted(map(str, report["unexpected_keys"]))
    if left_over:
        raise InputError(
            "weights that the model does not use",
            where=where,
            got=f"{len(left_over)} left over, such as {left_over[0]}, by {type(model).__name__}",
            expected="an architecture that uses every weight of the folder; else it is another model than was trained",
            fix="Check model_type in config.json; if the weights are truly unused, save the model again without them.",
        )
    broken = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"], *report["error_msgs"]]))
    if broken:
        raise DamageError(
            "incomplete weights",
            where=str(folder),
            got=f"{len(broken)} weights missing or of another shape, such as {broken[0]}",
            expected="every weight that config.json asks for",
            fix="Fetch or save the model again.",
        )
    return model.eval().requires_grad_(False)


def _check_class(model: Any, where: str) -> None:
    """Raise where the folder names code of its own for a class that transformers does not have under that name.

    Many folders carry the code of an architecture that transformers has known since; then the names are the same.
    """
    asked = (getattr(model.config, "auto_map", None) or {}).get("AutoModelForCausalLM", "")
    wanted = str(asked).rpartition(".")[2]
    if wanted and wanted != type(model).__name__:
        raise InputError(
            "a model that needs code from its folder",
            where=where,
            got=f"auto_map asks for {wanted}; without the folder's code this is {type(model).__name__}",
            expected="a model that is itself without code of its own; foretell never runs code from a model folder",
            fix="Serve the model by the program that you trust with its code, and give it as endpoint:URL#MODEL.",
        )
