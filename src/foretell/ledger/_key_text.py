"""How keys are spelled and what is no key: names, weak points, name+hash+base64, age recipients, and the errors."""

from __future__ import annotations

import pyrage  # type: ignore[import-untyped]
from pyrage import x25519

from foretell.base.errors import InputError
from foretell.ledger._strict import decode_base64

RAW_BYTES = 32
#: Marks a key as Ed25519 (C2SP signed-note, signature type 0x01).
ED25519 = b"\x01"
SECRET_START = "PRIVATE+KEY+"
#: A name stands in a file name, with an ending, and file systems allow 255 bytes.
LONGEST_NAME_BYTES = 200
_PRIME = 2**255 - 19
#: y of a point of order 8 on Ed25519; the other such points have −y.
_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
#: y of all points of small order: under such a key one signature would fit many messages.
_WEAK_Y = {0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8}
_FIX = "Give the whole text of a key file that `foretell keys new` wrote."


def wrong_key(what: str, *, where: str = "key", got: str, expected: str, fix: str = _FIX) -> InputError:
    """The error for a text that is no key; `got` must never quote one, for it may be a secret in the wrong place."""
    return InputError(what, where=where, got=got, expected=expected, fix=fix)


def check_name(name: str) -> None:
    """Refuse names that would be read in two ways: as several, as another that looks the same, or as more than a line.

    Raises:
        InputError: empty, too long, or with '+', a space, a control character or an invisible letter.

    >>> check_name("evaluator")
    >>> check_name("a b")
    Traceback (most recent call last):
    ...
    foretell.base.errors.InputError: key: not a key's name: got 'a b', ...
    """
    plain = name.isprintable() and not set(name) & set(" +") and len(name.encode()) <= LONGEST_NAME_BYTES
    if not name or not plain:
        raise wrong_key(
            "not a key's name",
            got=repr(name) if len(name) <= LONGEST_NAME_BYTES else f"{len(name)} letters",
            expected=f"1 to {LONGEST_NAME_BYTES} bytes of visible letters, without '+' and spaces",
            fix="Choose a short name, such as the name of your group.",
        )


def check_point(raw: bytes, name: str) -> None:
    """Refuse what is no Ed25519 key, or one under which a signature fits more than one message.

    Raises:
        InputError: another length, a number beyond the field, or a point of small order.
    """
    y = int.from_bytes(raw, "little") % 2**255  # the top bit is the sign of x
    if len(raw) != RAW_BYTES or y >= _PRIME or y in _WEAK_Y:
        raise wrong_key(
            "not an Ed25519 key",
            where=f"key {name}",
            got=raw.hex()[: 2 * RAW_BYTES],
            expected=f"{RAW_BYTES} bytes, a point of large order",
        )


def split_key(text: str, kind: str, where: str = "key") -> tuple[str, str, bytes]:
    """Name, hash and 32 bytes of a line `name+hash+base64`.

    Raises:
        InputError: a line of another form.
    """
    name, _, rest = text.partition("+")
    key_hash, _, encoded = rest.partition("+")
    try:
        data = decode_base64(encoded)
    except ValueError:
        data = b""
    if data[:1] != ED25519 or len(data) != 1 + RAW_BYTES:
        raise wrong_key(
            f"not a {kind}",
            where=where,
            got=f"{len(text)} letters of another form",
            expected="name+hash+base64 of an Ed25519 key",
        )
    return name, key_hash, data[1:]


def check_hash(key_hash: str, expected: str, where: str = "key") -> None:
    """Refuse a key whose hash is not that of its name and bytes: one of the three was changed.

    Raises:
        InputError: they differ.
    """
    if key_hash != expected:
        raise wrong_key("the key does not fit its hash", where=where, got=repr(key_hash), expected=repr(expected))


def read_recipient(text: str) -> x25519.Recipient:
    """An age key to encrypt to.

    Raises:
        InputError: another text.
    """
    try:
        return x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise wrong_key(
            "not an age key", got=f"{len(text)} letters of another form", expected="age1… of an X25519 key"
        ) from error
