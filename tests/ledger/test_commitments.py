"""Commitments bind to one record under one salt, and are what their formula says."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.ledger.commitments import commitment, salt_of

SECRET = bytes(range(32))


def test_the_formulas() -> None:
    salt = hmac.new(SECRET, b"foretell/salt/1\0" + bytes(7) + b"\x05", hashlib.sha256).digest()
    assert salt_of(SECRET, 5) == salt
    assert commitment(salt, b"a record") == hashlib.sha256(b"foretell/commitment/1\0" + salt + b"a record").digest()


def test_salts_differ_by_index_and_secret() -> None:
    salts = {salt_of(secret, index) for secret in (SECRET, bytes(32)) for index in range(1000)}
    assert len(salts) == 2000
    assert all(len(salt) == 32 for salt in salts)


@given(
    st.tuples(st.binary(min_size=32, max_size=32), st.binary()),
    st.tuples(st.binary(min_size=32, max_size=32), st.binary()),
)
def test_two_openings_are_the_same_opening(one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> None:
    assert (commitment(*one) == commitment(*other)) == (one == other)


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_a_salt_of_another_length_is_refused(salt: bytes) -> None:
    with pytest.raises(ValueError, match=f"a salt has 32 bytes, got {len(salt)}"):
        commitment(salt, b"record")


@pytest.mark.parametrize(("secret", "index"), [(bytes(31), 0), (b"", 0), (SECRET, -1)])
def test_a_short_secret_is_refused(secret: bytes, index: int) -> None:
    with pytest.raises(ValueError, match="a secret of 32 bytes and an index from 0"):
        salt_of(secret, index)
