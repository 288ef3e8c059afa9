"""Targets `gguf:FILE`: a llama.cpp model file, widened to float32 once and then run by transformers.

The widened copy lies in the user's cache as a Hugging Face folder under the digest of the GGUF file. What transformers
does not carry over from a GGUF would change numbers without a word, so such files are refused here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import pre_tokenizers

from foretell.base.canonical import digest_file
from foretell.base.errors import InputError, missing_extra
from foretell.distributions.vocabulary import TOKENIZER
from foretell.targets.cache import Say, cached_folder, silent
from foretell.targets.hf_folder import CONFIG
from foretell.targets.hf_target import TorchTarget
from foretell.targets.torch_loading import load_model, quiet, require_transformers

#: Number of the conversion below: a change of it makes new copies.
_CONVERSION = 1
_DIGEST_DIGITS = 16
#: How byte-level vocabularies cut text before merging, by the GGUF's `tokenizer.ggml.pre`: each digit on its own and
#: then GPT-2's pattern, or GPT-2's pattern alone. Source: llama.cpp, src/llama-vocab.cpp.
_DIGITS_THEN_GPT2 = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"})
_GPT2 = frozenset({"gpt-2", "phi-2", "mpt", "olmo", "jais"})
#: Tensors that change the rotary angles, which transformers does not read from a GGUF.
_ROPE_TENSORS = ("rope_freqs", "rope_factors")


def open_gguf(file: Path, *, name: str | None = None, say: Say = silent) -> TorchTarget:
    """A GGUF file as a target; its identity is the digest of the GGUF.

    Args:
        name: what the target is called; 'gguf:' and the file by default.
        say: told what is being done, a line at a time.

    Raises:
        MissingExtraError: the extra `models` is not installed.
        InputError: not a GGUF, or one that transformers would read wrongly.
        StorageError: no room for the float32 copy.
    """
    name = name or f"gguf:{file}"
    require_transformers(name)
    if not file.is_file():
        raise _unusable(name, "no such file", "a GGUF file", "Check the path.")
    digest = digest_file(file)
    key = digest.removeprefix("sha256:")[:_DIGEST_DIGITS]
    folder = cached_folder(f"gguf-{key}-{_CONVERSION}", lambda target: _convert(file, digest, target, name, say))
    return TorchTarget(folder, name=name, weights=digest, dtype="float32, widened from the GGUF")


def _convert(file: Path, digest: str, folder: Path, name: str, say: Say) -> dict[str, Any]:
    import transformers
    from safetensors.torch import save_file

    say(f"Widening {file.name} to float32; this happens once.")
    pre = _check_metadata(file, name)
    tokenizer = _tokenizer(file, pre, name)
    model = load_model(file.parent, name, gguf_file=file.name)
    # save_pretrained refuses a model that came from a GGUF. Tied weights are stored once, under their first name.
    tensors: dict[int, tuple[str, Any]] = {}
    for key, tensor in model.state_dict().items():
        tensors.setdefault(tensor.data_ptr(), (key, tensor.contiguous()))
    save_file(dict(tensors.values()), folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict() | {"architectures": [type(model).__name__], "dtype": "float32"}
    for machine_made in ("quantization_config", "transformers_version", "_name_or_path"):
        config.pop(machine_made, None)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    tokenizer.save(str(folder / TOKENIZER), pretty=False)
    return {"source": {"gguf": digest}, "conversion": _CONVERSION, "by": f"transformers {transformers.__version__}"}


def _check_metadata(file: Path, name: str) -> str | None:
    """The file's `tokenizer.ggml.pre`, None where its vocabulary is not byte-level.

    Raises:
        InputError: not a GGUF, or one with rotary scaling or a way of cutting text that would get lost.
    """
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise missing_extra("models", "gguf", where=name) from error
    try:
        reader = GGUFReader(file)
    except (ValueError, IndexError, OSError) as error:
        raise _unusable(name, str(error), "a GGUF file", "Check the file; it may be cut short.") from error

    def field(key: str) -> Any:
        found = reader.get_field(key)
        return None if found is None else found.contents()

    architecture = field("general.architecture")
    scaling = field(f"{architecture}.rope.scaling.type")
    if scaling not in (None, "none") or any(str(t.name).startswith(_ROPE_TENSORS) for t in reader.tensors):
        raise _unusable(
            name, f"rotary scaling ({scaling or 'factors'})", "none, because transformers does not read it from a GGUF"
        )
    if field("tokenizer.ggml.model") != "gpt2":
        return None
    return str(field("tokenizer.ggml.pre"))


def _tokenizer(file: Path, pre: str | None, name: str) -> Any:
    """The GGUF's tokenizer, cutting text as llama.cpp does.

    Where transformers does not know `tokenizer.ggml.pre` it takes GPT-2's pattern without a word; so it does with
    SmolLM2's, which cuts numbers into digits.
    """
    import transformers

    try:
        with quiet():
            loaded = transformers.AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
        tokenizer = loaded.backend_tokenizer
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise _unusable(name, f"{type(error).__name__}: {error}", "a vocabulary that transformers can read") from error
    if pre in _DIGITS_THEN_GPT2:
        digits = pre_tokenizers.Digits(individual_digits=True)
        gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, gpt2])
    elif pre is not None and pre not in _GPT2 and isinstance(tokenizer.pre_tokenizer, pre_tokenizers.ByteLevel):
        raise _unusable(name, f"tokenizer.ggml.pre {pre!r}", "one whose way of cutting text is known here")
    return tokenizer


def _unusable(name: str, got: str, expected: str, fix: str = "") -> InputError:
    return InputError(
        "cannot use this GGUF",
        where=name,
        got=got,
        expected=expected,
        fix=fix
        or "Use the model's original Hugging Face folder with hf:, or serve the GGUF with llama.cpp and use endpoint:.",
    )
