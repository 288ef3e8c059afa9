"""From a target's spec, such as `tiny@768` or `hf:models/x`, to the target."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from foretell.base.errors import InputError, missing_extra
from foretell.targets.composite import open_composite
from foretell.targets.composite_definition import COMPOSITE, load_definition
from foretell.targets.onnx_target import OnnxTarget, has_tokenizer
from foretell.targets.target import Target
from foretell.targets.tiny import is_tiny, open_tiny
from foretell.targets.variation_specs import is_variation

KINDS = {
    "tiny": "the shipped target; tiny@STEP is a checkpoint of its training",
    "smollm2": "SmolLM2-135M-Instruct (Q4_1, dequantised), fetched once",
    "onnx:PATH": "an ONNX graph with its tokenizer.json and config.json",
    "hf:PATH_OR_NAME": "a Hugging Face model folder, or a name in its cache or hub",
    "gguf:FILE": "a GGUF file, dequantised to float32",
    "composite:FILE": "several of these composed by a rule: a pool, router, pipeline, best-of-n or draft-and-verify",
    "int8:TARGET": "a tiny, hf, gguf or smollm2 target, dynamically quantised to 8 bits by torch",
    "float16:TARGET, bfloat16:TARGET": "a target like those that int8 takes, its weights rounded to 16 bits",
    "bits:BITS:TARGET": "its matrices rounded to so many bits a weight, 2 to 16, evenly, scaled by row",
    "pruned:SHARE:TARGET": "without that share of each matrix, its smallest weights",
    "nudged:SEED:SIZE:TARGET": "moved in a random direction (or that of a .safetensors file, in place of SEED) by SIZE "
    "times its weights' own size",
    "without:PART:TARGET": "without layer2, head2.0 or neurons2.0-31",
    "mixed:SHARE:A+B": "all weights that share of the way from target A to target B",
    "endpoint:URL#MODEL": "a server with OpenAI-compatible completions; llama.cpp and vLLM are known",
}


@dataclass(frozen=True)
class OpenOptions:
    """What some targets need besides their spec.

    Attributes:
        tokenizer: a tokenizer.json, or a folder that has one, for targets that bring none (endpoints, bare graphs); one
            that brings another is refused.
        spare_tokenizer: the same, but a target's own comes first.
        top: how many tokens an endpoint is asked for.
        say: takes a line on what is being fetched or converted.
    """

    tokenizer: Path | None = None
    top: int = 20
    say: Callable[[str], None] = lambda line: None
    spare_tokenizer: Path | None = None


def open_target(spec: str, options: OpenOptions | None = None) -> Target:
    """Open a target by its spec.

    Raises:
        InputError: an unknown spec.
        MissingExtraError: the spec needs an extra that is not installed.
    """
    options = options or OpenOptions()
    kind, _, rest = spec.partition(":")
    if is_tiny(spec):
        return open_tiny(spec)
    if kind == "onnx" and rest:
        own = has_tokenizer(Path(rest))
        return OnnxTarget(spec, Path(rest), options.tokenizer or (None if own else options.spare_tokenizer))
    if kind == "hf" and rest:
        target: Target = _lazily("hf_target", "models", spec).open_hf(rest, say=options.say)
        return target
    if kind == "gguf" and rest:
        opened: Target = _lazily("gguf_target", "models", spec).open_gguf(Path(rest), say=options.say)
        return opened
    if spec == "smollm2":
        smollm2: Target = _lazily("smollm2", "models", spec).open_smollm2(say=options.say)
        return smollm2
    if kind == "int8" and rest:
        int8: Target = _lazily("int8_target", "models", spec).open_int8(spec, _open_in_torch(rest, options))
        return int8
    if is_variation(spec):
        opener = _lazily("variations", "models", spec).open_variation
        varied: Target = opener(spec, lambda base: _open_in_torch(base, options))
        return varied
    if kind == COMPOSITE and rest:
        # Parts of one spec are one target, opened once.
        return open_composite(spec, load_definition(Path(rest)), cache(lambda part: open_target(part, options)))
    if kind == "endpoint" and rest:
        url, _, model = rest.partition("#")
        opener = _lazily("endpoint_target", "endpoint", spec).open_endpoint
        endpoint: Target = opener(url, model, tokenizer=options.tokenizer or options.spare_tokenizer, top=options.top)
        return endpoint
    raise InputError(
        "unknown target",
        where="--target",
        got=repr(spec),
        expected="one of " + ", ".join(KINDS),
        fix="Write it as in the list; `foretell collect --help` explains each.",
    )


def _open_in_torch(spec: str, options: OpenOptions) -> Target:
    """A target; the shipped one run by torch, whose copies can be changed."""
    if not is_tiny(spec):
        return open_target(spec, options)
    shipped: Target = _lazily("hf_target", "models", spec).open_shipped(spec)
    return shipped


def _lazily(module: str, extra: str, spec: str) -> Any:
    """Import a target's module only when it is asked for, so that the core needs no torch and no httpx."""
    try:
        return importlib.import_module(f"foretell.targets.{module}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("foretell"):
            raise
        raise missing_extra(extra, error.name, where=spec) from error
