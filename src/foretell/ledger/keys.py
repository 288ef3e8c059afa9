"""Keys: Ed25519 to sign, age to encrypt; both belong to one name and live in one file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pyrage import x25519

from foretell.base.errors import DamageError
from foretell.ledger._key_files import read_secret_text, write_key_pair
from foretell.ledger._key_text import (
    ED25519,
    RAW_BYTES,
    SECRET_START,
    check_hash,
    check_name,
    check_point,
    read_recipient,
    split_key,
    wrong_key,
)
from foretell.ledger._strict import encode_base64

SIGNATURE_BYTES, KEY_HASH_BYTES, DERIVED_BYTES = 64, 4, 32


@dataclass(frozen=True)
class PublicKey:
    """Who someone is: checks their signatures and encrypts to them.

    Args:
        name: Visible letters, without '+' and spaces.
        raw: The Ed25519 key, 32 bytes.
        recipient: The age key, "age1…".

    Raises:
        InputError: one of them is no such thing.

    Source: C2SP signed-note (key names, key hashes and verifier keys of type 0x01).
    """

    name: str
    raw: bytes
    recipient: str

    def __post_init__(self) -> None:
        check_name(self.name)
        check_point(self.raw, self.name)
        read_recipient(self.recipient)

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """The key in a NAME.pub file.

        Raises:
            InputError: no such file, or another text.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise wrong_key(
                "cannot read the public key",
                where=str(path),
                got=type(error).__name__,
                expected="a file NAME.pub",
                fix="Ask its owner for the .pub file that `foretell keys new` made, and not whoever sent a ledger.",
            ) from error
        return cls.parse(text)

    @property
    def key_hash(self) -> bytes:
        """The 4 bytes that tell keys of one name apart."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:KEY_HASH_BYTES]

    @property
    def id(self) -> str:
        """The name and the hash; what an envelope names its signer with."""
        return f"{self.name}+{self.key_hash.hex()}"

    @property
    def verifier(self) -> str:
        """The signing key as other tools read it."""
        return f"{self.id}+{encode_base64(ED25519 + self.raw)}"

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether this key signed the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def text(self) -> str:
        """Two lines: the signing key and the age key."""
        return f"{self.verifier}\n{self.recipient}\n"

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """A key from its two lines.

        Raises:
            InputError: another text, or a hash that does not belong to the key.
        """
        words = text.split()
        if len(words) != 2 or text.startswith(SECRET_START):
            got = "a secret key" if text.startswith(SECRET_START) else f"{len(words)} words"
            raise wrong_key("not a public key", got=got, expected="two lines, a signing key and age1…")
        name, key_hash, raw = split_key(words[0], "public key")
        key = cls(name, raw, words[1])
        check_hash(key_hash, key.key_hash.hex())
        return key


@dataclass(frozen=True)
class SecretKey:
    """What only its owner has: signs, decrypts, and makes further secrets. A repr does not show them.

    Args:
        public: What others know of it.
        seed: The Ed25519 seed, 32 bytes.
        identity: The age key, "AGE-SECRET-KEY-1…".
    """

    public: PublicKey
    seed: bytes = field(repr=False)
    identity: str = field(repr=False)

    @classmethod
    def generate(cls, name: str) -> SecretKey:
        """A new key.

        Raises:
            InputError: the name is none.

        >>> SecretKey.generate("evaluator").public.name
        'evaluator'
        """
        return cls._of(name, os.urandom(RAW_BYTES), str(x25519.Identity.generate()))

    @classmethod
    def _of(cls, name: str, seed: bytes, identity: str) -> SecretKey:
        raw = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        recipient = str(x25519.Identity.from_str(identity).to_public())
        return cls(PublicKey(name, raw, recipient), seed, identity)

    @classmethod
    def parse(cls, text: str, where: str = "secret key") -> SecretKey:
        """A key from its two lines.

        Raises:
            InputError: another text, or a hash that does not belong to the key; the error does not quote them.
        """
        words = text.split()
        if len(words) != 2 or not words[0].startswith(SECRET_START):
            expected = f"two lines, {SECRET_START}… and AGE-SECRET-KEY-1…"
            raise wrong_key("not a secret key", where=where, got="a text of another form", expected=expected)
        name, key_hash, seed = split_key(words[0].removeprefix(SECRET_START), "secret key", where)
        try:
            key = cls._of(name, seed, words[1])
        except pyrage.IdentityError as error:
            expected = "AGE-SECRET-KEY-1…"
            raise wrong_key("not an age secret key", where=where, got="another text", expected=expected) from error
        check_hash(key_hash, key.public.key_hash.hex(), where)
        return key

    def text(self) -> str:
        """Two lines, both secret: the signing key and the age key."""
        return f"{SECRET_START}{self.public.id}+{encode_base64(ED25519 + self.seed)}\n{self.identity}\n"

    @classmethod
    def read(cls, path: Path) -> SecretKey:
        """The key in a file that only its owner can read.

        Raises:
            InputError: no such file, one that others can read, or another text.
        """
        return cls.parse(read_secret_text(path), str(path))

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write NAME.key (mode 0600) and NAME.pub; whatever is there is never overwritten.

        Raises:
            InputError: one of the files is there already, or the name cannot be a file's.
            StorageError: the disk is full or cannot be written.
        """
        return write_key_pair(folder, self.public.name, self.text(), self.public.text())

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes.

        >>> key = SecretKey.generate("team")
        >>> key.public.verify(b"said first", key.sign(b"said first"))
        True
        """
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)

    def decrypt(self, data: bytes) -> bytes:
        """What was encrypted to this key.

        Raises:
            DamageError: it was encrypted to others, or is not what was encrypted.

        Source: age-encryption.org/v1.
        """
        try:
            return bytes(pyrage.decrypt(data, [x25519.Identity.from_str(self.identity)]))
        except pyrage.DecryptError as error:
            raise DamageError(
                "cannot be decrypted with this key",
                where="encrypted data",
                got=f"{len(data)} bytes ({error})",
                expected=f"a whole age file, encrypted to {self.public.id}",
                fix="Use the key to which it was encrypted, or get the file again.",
            ) from error

    def derive(self, purpose: str) -> bytes:
        """A secret of 32 bytes for one purpose; it gives away neither the key nor those of other purposes.

        Source: RFC 5869 (HKDF-SHA256) of the Ed25519 seed.

        >>> key = SecretKey.generate("evaluator")
        >>> key.derive("salts") == key.derive("salts"), key.derive("salts") == key.derive("seeds")
        (True, False)
        """
        return HKDF(SHA256(), DERIVED_BYTES, salt=None, info=f"foretell/{purpose}".encode()).derive(self.seed)


def encrypt(data: bytes, recipients: Sequence[str]) -> bytes:
    """Encrypt so that each of the recipients can decrypt.

    Args:
        data: Anything.
        recipients: age keys, "age1…", at least one.

    Raises:
        InputError: no recipient, or one that is none.

    Source: age-encryption.org/v1 (X25519).

    >>> key = SecretKey.generate("team")
    >>> key.decrypt(encrypt(b"the prompts", [key.public.recipient]))
    b'the prompts'
    """
    if not recipients:
        raise wrong_key("nobody to encrypt to", where="recipients", got="none", expected="age1…, one or more")
    return bytes(pyrage.encrypt(data, [read_recipient(one) for one in recipients]))
