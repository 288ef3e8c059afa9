"""A Hugging Face model folder: found on disk or in the local cache, checked, and digested; no torch here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_files
from foretell.base.errors import InputError, NetworkError, VocabularyError, missing_extra
from foretell.base.files import damaged
from foretell.distributions import Vocabulary
from foretell.distributions.vocabulary import TOKENIZER
from foretell.targets.cache import Say

CONFIG, TOKENIZER_CONFIG = "config.json", "tokenizer_config.json"
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


def find_model(source: str, say: Say) -> Path:
    """The folder of a model, by path or by its name on the Hugging Face hub (`NAME` or `NAME@REVISION`).

    A name is looked up in the local cache of huggingface_hub and fetched where it is absent.

    Raises:
        InputError: no such folder or name, or a folder without config.json, safetensors weights or tokenizer.json.
        NetworkError: a name that is not in the local cache, and no network (or HF_HUB_OFFLINE is set).
    """
    path = Path(source).expanduser()
    folder = path if path.exists() else _from_hub(source, say)
    for pattern in (CONFIG, _WEIGHTS[0], TOKENIZER):
        if not any(folder.glob(pattern)):
            raise InputError(
                "not a usable model folder",
                where=str(folder),
                got=f"no {pattern}",
                expected="config.json, *.safetensors and tokenizer.json",
                fix="Give the folder that save_pretrained of the model and of its fast tokenizer wrote; weights as "
                "pickles (*.bin) are not read, because reading them runs code.",
            )
    return folder


def _from_hub(source: str, say: Say) -> Path:
    name, _, revision = source.partition("@")
    if not _HUB_NAME.fullmatch(name):
        raise InputError(
            "no such model",
            where=f"hf:{source}",
            got="no folder there, and not a name of the form owner/name",
            expected="a model folder or a name on the Hugging Face hub",
            fix="Check the path.",
        )
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise missing_extra("models", error.name or "huggingface_hub", where=f"hf:{source}") from error
    say(f"Looking for {source} in the local cache and on the Hugging Face hub.")
    try:
        found = huggingface_hub.snapshot_download(
            name, revision=revision or None, allow_patterns=[*_WEIGHTS, CONFIG, TOKENIZER, TOKENIZER_CONFIG]
        )
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as error:
        raise InputError(
            "no such model",
            where=f"hf:{source}",
            got=_first_line(error),
            expected="a name that the hub knows and lets you read",
            fix="Check the name; for a gated model, log in with `hf auth login` first.",
        ) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.HfHubHTTPError, OSError) as error:
        raise NetworkError(
            "the model is not on this machine and cannot be fetched",
            where=f"hf:{source}",
            got=_first_line(error),
            expected="the model in the local cache, or the hub within reach",
            fix="Connect this machine (and unset HF_HUB_OFFLINE), or fetch the model elsewhere and give its folder.",
        ) from error
    return Path(found)


def weights_digest(folder: Path) -> str:
    """Digest of what the numbers depend on: config.json and every safetensors file, by name and content."""
    files = [folder / CONFIG, *(path for pattern in _WEIGHTS for path in folder.glob(pattern))]
    return digest_files(files, folder)


def load_vocabulary(folder: Path, size: int) -> Vocabulary:
    """The folder's vocabulary, with as many tokens as the output layer gives probabilities to.

    Raises:
        VocabularyError: tokenizer.json and tokenizer_config.json disagree about the opening token.
    """
    vocabulary = Vocabulary.load(folder, size)
    path = folder / TOKENIZER_CONFIG
    settings = read_json(path) if path.is_file() else {}
    opening, wanted = settings.get("bos_token"), settings.get("add_bos_token")
    if isinstance(opening, dict):
        opening = opening.get("content")
    if wanted is not None and opening:
        ids = vocabulary.encode("a")
        opens = bool(ids) and ids[0] == vocabulary.tokenizer.token_to_id(opening)
        if opens != bool(wanted):
            raise VocabularyError(
                "the tokenizer's files disagree about the opening token",
                where=str(path),
                got=f"add_bos_token {wanted}, but tokenizer.json {'adds' if opens else 'does not add'} {opening!r}",
                expected="the same in both",
                fix="Save the tokenizer again with transformers (AutoTokenizer … save_pretrained), which writes both.",
            )
    return vocabulary


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a model folder."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise damaged(path, str(error), "JSON") from error


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
