"""Checkpoints on disk: which folder is which step's, whether it is whole, and whether it is still being written.

A folder is `checkpoint-N` (transformers' Trainer) or `step-N` (organisms, and whoever likes). It is whole when

- config.json, and tokenizer.json where there is one, are JSON;
- there are weights as safetensors, each file as long as its own header says, and every file that an index names;
- of `checkpoint-N`: trainer_state.json is there and is of step N. Trainer writes it last.

`step-N` has no last file, and other programs may write more; whoever polls looks twice, and takes a folder that is
whole when nothing has changed in between (`glance`).
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foretell.base.errors import InputError
from foretell.distributions.vocabulary import TOKENIZER
from foretell.targets.hf_folder import CONFIG

TRAINER_STATE = "trainer_state.json"
_NAME = re.compile(r"(checkpoint|step)-(\d+)")
_WEIGHTS, _INDEX = "*.safetensors", "*.safetensors.index.json"
#: A safetensors file begins with the length of its header: 8 bytes, little endian.
_LENGTH = struct.Struct("<Q")
#: The format's own limit.
_MOST_HEADER_BYTES = 100_000_000

#: What a folder looks like from outside: name, size and time of every file.
Glance = tuple[tuple[str, int, int], ...]


def find_checkpoints(run: Path) -> dict[int, Path]:
    """The checkpoint folders of a run by step, rising, whole or not; none where there is no such run yet.

    Raises:
        InputError: two folders of one step.
    """
    found: dict[int, Path] = {}
    for path in sorted(run.iterdir()) if run.is_dir() else ():
        named = _NAME.fullmatch(path.name)
        if named is None or not path.is_dir():
            continue
        step = int(named[2])
        if step in found:
            raise InputError(
                "two checkpoints of one step",
                where=str(run),
                got=f"{found[step].name} and {path.name}",
                expected="one folder a step",
                fix="Remove the one that this run did not write.",
            )
        found[step] = path
    return dict(sorted(found.items()))


def unfinished(folder: Path) -> str | None:
    """Why a checkpoint folder is not whole, in words; None where it is."""
    return next(_lacks(folder), None)


def glance(folder: Path) -> Glance:
    """What a folder looks like from outside: two that are equal, some time apart, mean that nobody writes to it."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            told = path.stat()
        except FileNotFoundError:  # a temporary file of whoever writes
            continue
        if path.is_file():
            found.append((path.relative_to(folder).as_posix(), told.st_size, told.st_mtime_ns))
    return tuple(found)


def written_at(folder: Path) -> float:
    """When the youngest file of its weights was written, in seconds since 1970, as the file system says.

    Raises:
        InputError: there are no weights.
    """
    times = [path.stat().st_mtime for path in folder.glob(_WEIGHTS)]
    if not times:
        raise not_whole(folder, f"no {_WEIGHTS}")
    return max(times)


def not_whole(folder: Path, why: str) -> InputError:
    """The error for a checkpoint that is half-written."""
    return InputError(
        "a checkpoint that is not whole",
        where=str(folder),
        got=why,
        expected="a finished checkpoint: config.json, whole *.safetensors, and Trainer's trainer_state.json",
        fix="Wait until it is saved; if whoever saved it was killed, delete the folder and save it again.",
    )


def _lacks(folder: Path) -> Iterator[str]:
    if not folder.is_dir():
        yield "there is no such folder"
        return
    yield from _json_lacks(folder / CONFIG)
    if (folder / TOKENIZER).exists():
        yield from _json_lacks(folder / TOKENIZER)
    yield from _weights_lack(folder)
    named = _NAME.fullmatch(folder.name)
    if named is not None and named[1] == "checkpoint":
        yield from _json_lacks(folder / TRAINER_STATE)
        said = _read(folder / TRAINER_STATE).get("global_step")
        if said != int(named[2]):
            yield f"{TRAINER_STATE} is of step {said}"


def _weights_lack(folder: Path) -> Iterator[str]:
    names = {path.name for path in folder.glob(_WEIGHTS)}
    for index in folder.glob(_INDEX):
        yield from _json_lacks(index)
        names |= {str(name) for name in _read(index).get("weight_map", {}).values()}
    if not names:
        yield f"no {_WEIGHTS}"
    for name in sorted(names):
        yield from _safetensors_lacks(folder / name)


def _safetensors_lacks(path: Path) -> Iterator[str]:
    """A file of tensors says in its header where the last one ends."""
    if not path.is_file():
        yield f"no {path.name}"
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        opening = file.read(_LENGTH.size)
        length = _LENGTH.unpack(opening)[0] if len(opening) == _LENGTH.size else 0
        header = file.read(min(length, _MOST_HEADER_BYTES))
    try:
        tensors = json.loads(header)
        end = max((told["data_offsets"][1] for name, told in tensors.items() if name != "__metadata__"), default=0)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        yield f"{path.name} has no whole header"
        return
    expected = _LENGTH.size + length + end
    if size != expected:
        yield f"{path.name} has {size} of {expected} bytes"


def _json_lacks(path: Path) -> Iterator[str]:
    if not path.is_file():
        yield f"no {path.name}"
    elif not _read(path):
        yield f"{path.name} is no whole JSON"


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where it cannot be read, which no file of a checkpoint is."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
