"""Signed notes and the checkpoints written as such: a text, a blank line, and one Ed25519 signature.

    foretell/0f3c…                    origin: which log
    7                                 size: how many entries
    cA2f…=                            root of its Merkle tree, base64
    (blank)
    — evaluator rmvm…=                who signed, base64(key hash ‖ signature)

Other tools that read C2SP signed notes (sum.golang.org's, sigstore's) read these; this reader is stricter than they
are: exactly one signature, and no byte that could be otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from foretell.ledger._strict import decode_base64, encode_base64, forged
from foretell.ledger.keys import KEY_HASH_BYTES, SIGNATURE_BYTES, PublicKey, SecretKey
from foretell.ledger.merkle import HASH_BYTES

_SIGNATURE_START = "— "
_SIZE = re.compile("0|[1-9][0-9]{0,17}")


def sign_note(text: str, secret: SecretKey) -> bytes:
    """The text with a signature below it.

    Raises:
        ValueError: the text is empty, does not end in a line break, or has other control characters.

    Source: C2SP signed-note.
    """
    if not _is_text(text):
        raise ValueError("a note's text has lines, the last one ended too, and no other control characters")
    return _serialise(text, secret.public.name, secret.public.key_hash + secret.sign(text.encode()))


def open_note(data: bytes, keys: Iterable[PublicKey], where: str = "signed note") -> tuple[str, PublicKey]:
    """The text of a note that one of the keys has signed.

    Args:
        data: The note.
        keys: Who may have signed it.
        where: What to call it in errors.

    Raises:
        ForgeryError: not a note, unsigned, signed twice, signed by another key, or a signature that does not fit.
    """
    text, name, signature = _parse(data, where)
    signer = f"{name}+{signature[:KEY_HASH_BYTES].hex()}"
    known = [key for key in keys if key.id == signer]
    if not known:
        raise forged(
            "signed by another key",
            where=where,
            got=f"a signature of {signer!r}",
            expected="one of a key that may sign here",
        )
    for key in known:
        if key.verify(text.encode(), signature[KEY_HASH_BYTES:]):
            return text, key
    raise forged(
        "the signature does not fit the text",
        where=where,
        got=f"one by the name of {signer} for another text, or none of that key's",
        expected=f"a signature of {signer} for this text",
    )


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return len(text) > 1 and text.endswith("\n") and all(letter >= " " or letter == "\n" for letter in text)


def _serialise(text: str, name: str, signature: bytes) -> bytes:
    return f"{text}\n{_SIGNATURE_START}{name} {encode_base64(signature)}\n".encode()


def _parse(data: bytes, where: str) -> tuple[str, str, bytes]:
    """Text, signer's name, and key hash with signature, of bytes that `_serialise` would write just so."""

    def fail(what: str, got: str, expected: str) -> Exception:
        return forged(what, where=where, got=got, expected=expected)

    try:
        note = data.decode()
    except UnicodeDecodeError as error:
        raise fail("not a signed note", "bytes that are not UTF-8", "a text and a signature") from error
    body, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures:
        raise fail("not signed", "a text without a blank line and a signature below it", "one signature")
    text, lines = body + "\n", signatures.count("\n")
    if not _is_text(text):
        raise fail("not a signed note", "a text with control characters, or none", "lines of text")
    if lines > 1:
        raise fail("signed more than once", f"{lines} lines of signatures", "one signature")
    name, _, encoded = signatures.removeprefix(_SIGNATURE_START).removesuffix("\n").partition(" ")
    try:
        signature = decode_base64(encoded)
    except ValueError as error:
        raise fail("damaged signature line", "something that is not base64", "a name and base64") from error
    if len(signature) != KEY_HASH_BYTES + SIGNATURE_BYTES or _serialise(text, name, signature) != data:
        raise fail("damaged signature line", "another form", "a dash, a name, and base64 of 68 bytes")
    return text, name, signature


@dataclass(frozen=True)
class Checkpoint:
    """The state of a log at one moment: which log, how many entries, and the root over them.

    Args:
        origin: Names the log; one line.
        size: Number of entries.
        root: 32 bytes.

    Raises:
        ValueError: one of them is no such thing.

    Source: C2SP tlog-checkpoint.

    >>> print(Checkpoint("foretell/0f3c", 0, bytes(32)).text())
    foretell/0f3c
    0
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
    <BLANKLINE>
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or not self.origin.isprintable():
            raise ValueError(f"an origin is one line of text, got {self.origin!r}")
        if _SIZE.fullmatch(str(self.size)) is None:
            raise ValueError(f"a size is a whole number, got {self.size}")
        if len(self.root) != HASH_BYTES:
            raise ValueError(f"a root has {HASH_BYTES} bytes, got {len(self.root)}")

    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


def sign_checkpoint(checkpoint: Checkpoint, secret: SecretKey) -> bytes:
    """The checkpoint as a signed note."""
    return sign_note(checkpoint.text(), secret)


def open_checkpoint(data: bytes, keys: Iterable[PublicKey], where: str = "checkpoint") -> tuple[Checkpoint, PublicKey]:
    """A checkpoint that one of the keys has signed, and that key.

    Raises:
        ForgeryError: what `open_note` refuses, or a text that is no checkpoint.
    """
    text, key = open_note(data, keys, where)
    return _parse_checkpoint(text, where), key


def read_unverified_checkpoint(data: bytes, where: str = "checkpoint") -> Checkpoint:
    """What a checkpoint says, whoever signed it.

    Raises:
        ForgeryError: not a note with one signature, or a text that is no checkpoint.
    """
    return _parse_checkpoint(_parse(data, where)[0], where)


def _parse_checkpoint(text: str, where: str) -> Checkpoint:
    lines = text.split("\n")
    try:
        if len(lines) != 4 or _SIZE.fullmatch(lines[1]) is None:
            raise ValueError("not three lines with a number in the second")
        checkpoint = Checkpoint(lines[0], int(lines[1]), decode_base64(lines[2]))
    except ValueError as error:
        raise forged("not a checkpoint", where=where, got=str(error), expected="origin, size and root") from error
    return checkpoint
