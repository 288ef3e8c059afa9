"""Strictness that notes, envelopes and keys share: one spelling of base64, and the error for what does not verify."""

from __future__ import annotations

import base64

from foretell.base.errors import ForgeryError

_FIX = "Ask whoever gave you this for the original bytes; as it is, it proves nothing."


def encode_base64(data: bytes) -> str:
    """Base64 with the standard alphabet and padding (RFC 4648, section 4).

    >>> encode_base64(b"a")
    'YQ=='
    """
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """The bytes, if the text is the one and only spelling that `encode_base64` gives them.

    Raises:
        ValueError: a letter of another alphabet, padding that is missing, or slack bits that are not zero.

    >>> decode_base64("YQ==")
    b'a'
    >>> decode_base64("YR==")
    Traceback (most recent call last):
    ...
    ValueError: not canonical base64
    """
    data = base64.b64decode(text, validate=True)  # binascii.Error is a ValueError
    if encode_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def forged(what: str, *, where: str, got: str, expected: str, fix: str = _FIX) -> ForgeryError:
    """The error for bytes that do not verify."""
    return ForgeryError(what, where=where, got=got, expected=expected, fix=fix)
