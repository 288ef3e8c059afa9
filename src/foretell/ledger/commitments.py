"""Salted commitments: a record can be fixed today and shown later, and until then nobody can guess it."""

from __future__ import annotations

import hashlib
import hmac

SALT_BYTES = 32
#: Say what is hashed, so that no salt or commitment can pass for a hash made elsewhere.
_SALT, _COMMITMENT = b"foretell/salt/1\x00", b"foretell/commitment/1\x00"
_INDEX_BYTES = 8


def salt_of(secret: bytes, index: int) -> bytes:
    """The salt of one record: to show it opens this record and no other.

    Args:
        secret: 32 bytes or more that nobody else knows (`SecretKey.derive`).
        index: The record's number, from 0.

    Raises:
        ValueError: the secret is shorter, or the index negative.

    Returns:
        32 bytes, HMAC-SHA256 of the index under the secret.

    >>> salt_of(bytes(32), 0) == salt_of(bytes(32), 1)
    False
    """
    if len(secret) < SALT_BYTES or index < 0:
        raise ValueError(f"a salt wants a secret of {SALT_BYTES} bytes and an index from 0")
    return hmac.digest(secret, _SALT + index.to_bytes(_INDEX_BYTES, "big"), "sha256")


def commitment(salt: bytes, record: bytes) -> bytes:
    """What binds whoever publishes it to the record, and says nothing about it without the salt.

    Raises:
        ValueError: the salt is not of 32 bytes (another length would let salt and record share bytes).

    Returns:
        32 bytes, SHA-256 of the purpose, the salt and the record.

    >>> commitment(bytes(32), b"a") == commitment(bytes(32), b"b")
    False
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, got {len(salt)}")
    return hashlib.sha256(_COMMITMENT + salt + record).digest()
