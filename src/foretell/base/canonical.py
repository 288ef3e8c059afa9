"""Canonical JSON (RFC 8785) and SHA-256 digests: one spelling a value, so that equal things have equal names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rfc8785

_CHUNK_BYTES = 1 << 20


def canonical_json(value: Any) -> bytes:
    """The value as canonical JSON.

    Raises:
        ValueError: NaN, an infinity, an integer beyond 2⁵³, or a type that JSON has not.

    Source: RFC 8785 (JSON Canonicalization Scheme).

    >>> canonical_json({"b": 1.0, "a": "é"}).decode()
    '{"a":"é","b":1}'
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"not canonical JSON: {error}") from error


def read_json(data: bytes | str, constant: Callable[[str], Any] | None = None) -> Any:
    """What JSON says, if every reader reads the same in it.

    Args:
        constant: what stands in the value for NaN and the infinities, which others write though JSON has none of them;
            refused where None.

    Raises:
        ValueError: not JSON, not UTF-8, nested too deep, NaN or an infinity, or a name that stands twice in an object.

    >>> read_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: 'a' stands twice in an object
    """
    try:
        return json.loads(data, object_pairs_hook=_named_once, parse_constant=constant or _no_number)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, part in pairs:
        if name in value:
            raise ValueError(f"{name!r} stands twice in an object")
        value[name] = part
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def digest_bytes(data: bytes) -> str:
    """SHA-256 with its name in front.

    >>> digest_bytes(b"")[:19]
    'sha256:e3b0c44298fc'
    """
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_value(value: Any) -> str:
    """Digest of the value's canonical JSON.

    >>> digest_value({"a": 1}) == digest_value({"a": 1.0})
    True
    """
    return digest_bytes(canonical_json(value))


def digest_file(path: Path) -> str:
    """Digest of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK_BYTES):
            digest.update(block)
    return "sha256:" + digest.hexdigest()


def digest_files(files: list[Path], root: Path) -> str:
    """Digest of a set of files by their names under root and their contents (a model folder's identity)."""
    return digest_value({path.relative_to(root).as_posix(): digest_file(path) for path in sorted(files)})
