"""Keys that the ledger's tests share; made from fixed seeds, so that failures can be run again."""

from __future__ import annotations

import hashlib

import pytest

from foretell.ledger.keys import SecretKey


def fixed_key(name: str) -> SecretKey:
    """Signs the same way in every run; its age key is a new one, as age's ciphertexts are never the same anyway."""
    return SecretKey._of(name, hashlib.sha256(name.encode()).digest(), SecretKey.generate(name).identity)


@pytest.fixture(scope="session")
def evaluator() -> SecretKey:
    return fixed_key("evaluator")


@pytest.fixture(scope="session")
def team() -> SecretKey:
    return fixed_key("team")


@pytest.fixture(scope="session")
def stranger() -> SecretKey:
    return fixed_key("stranger")
