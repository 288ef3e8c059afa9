"""torch and transformers, loaded when needed, and models loaded by them without a word on the terminal."""

from __future__ import annotations

import contextlib
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


def load_model(folder: Path, where: str, gguf_file: str | None = None) -> Any:
    """A model in float32, for evaluation, with every weight read from the folder.

    Raises:
        InputError: transformers cannot read it.
        DamageError: weights are missing, or of another shape than the configuration says.
    """
    torch, transformers = require_transformers(where)
    options = {} if gguf_file is None else {"gguf_file": gguf_file}
    try:
        with quiet():
            model, report = transformers.AutoModelForCausalLM.from_pretrained(
                str(folder), dtype=torch.float32, output_loading_info=True, local_files_only=True, **options
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise InputError(
            "transformers cannot load the model",
            where=where,
            got=f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}",
            expected="a causal language model in safetensors that this transformers knows, without code of its own",
            fix="Check the folder and the transformers version; quantised weights have to be saved as float first.",
        ) from error
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
