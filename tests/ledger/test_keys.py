"""Keys: published vectors, files that are never overwritten nor left open to others, and texts that are refused."""

from __future__ import annotations

import base64
import hmac
import os
import stat
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from foretell.base.errors import DamageError, InputError, StorageError
from foretell.ledger.keys import PublicKey, SecretKey, encrypt

#: Key pair published with Go's golang.org/x/mod/sumdb/note.
VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PRIME = 2**255 - 19


def test_the_published_key_pair(team: SecretKey) -> None:
    public = PublicKey.parse(f"{VERIFIER}\n{team.public.recipient}\n")
    secret = SecretKey.parse(f"{SIGNER}\n{team.identity}\n")
    assert secret.public == public
    assert (public.verifier, public.id, public.name) == (VERIFIER, "PeterNeumann+c74f20a3", "PeterNeumann")
    assert secret.text() == f"{SIGNER}\n{team.identity}\n"


def test_texts_are_read_back(evaluator: SecretKey) -> None:
    assert PublicKey.parse(evaluator.public.text()) == evaluator.public
    assert PublicKey.parse("  " + evaluator.public.text().replace("\n", "\r\n")) == evaluator.public
    assert SecretKey.parse(evaluator.text()) == evaluator


def test_signatures(evaluator: SecretKey, team: SecretKey) -> None:
    signature = evaluator.sign(b"said first")
    assert evaluator.public.verify(b"said first", signature)
    assert not evaluator.public.verify(b"said last", signature)
    assert not team.public.verify(b"said first", signature)
    for wrong in (b"", signature[:-1], signature + b"\0", bytes(64)):
        assert not evaluator.public.verify(b"said first", wrong)


def test_encryption_reaches_all_recipients_and_nobody_else(
    evaluator: SecretKey, team: SecretKey, stranger: SecretKey
) -> None:
    data = bytes(range(256)) * 300
    sealed = encrypt(data, [evaluator.public.recipient, team.public.recipient])
    assert data[:64] not in sealed
    assert evaluator.decrypt(sealed) == team.decrypt(sealed) == data
    with pytest.raises(DamageError, match=r"cannot be decrypted with this key: got .*No matching keys"):
        stranger.decrypt(sealed)
    with pytest.raises(InputError, match="nobody to encrypt to"):
        encrypt(data, [])
    with pytest.raises(InputError, match="not an age key"):
        encrypt(data, ["age1nobody"])


def test_damaged_ciphertext_is_seen(team: SecretKey) -> None:
    sealed = encrypt(b"the prompts", [team.public.recipient])
    for place in range(len(sealed)):
        flipped = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(DamageError, match="cannot be decrypted with this key"):
            team.decrypt(flipped)
    for wrong in (b"", b"no age file", sealed[:-1], sealed + b"\0"):
        with pytest.raises(DamageError, match="cannot be decrypted with this key"):
            team.decrypt(wrong)


def test_derived_secrets_belong_to_one_key_and_one_purpose(evaluator: SecretKey, team: SecretKey) -> None:
    derived = {key.derive(purpose) for key in (evaluator, team) for purpose in ("salts", "seeds", "")}
    assert len(derived) == 6
    assert {len(one) for one in derived} == {32}
    extracted = hmac.digest(bytes(32), evaluator.seed, "sha256")  # RFC 5869, word for word
    assert evaluator.derive("salts") == hmac.digest(extracted, b"foretell/salts\x01", "sha256")


def test_a_secret_key_does_not_show_itself(evaluator: SecretKey) -> None:
    shown = repr(evaluator)
    assert evaluator.public.name in shown
    assert evaluator.identity not in shown
    assert repr(evaluator.seed) not in shown


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a+b", "a\nb", "a\tb", "ab\u200b", "\u202eba", "\ud800", "a\u00a0b", "n" * 201, "ü" * 101]
)
def test_names_that_can_be_read_in_two_ways_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="not a key's name"):
        SecretKey.generate(name)


def test_names_of_all_scripts_are_taken() -> None:
    for name in ("Gruppe-Zürich", "評価者", "example.org/team", "n" * 200):
        assert SecretKey.generate(name).public.name == name


def edwards_add(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
    """Sum of two points of −x² + y² = 1 + d x² y² (RFC 8032, section 5.1)."""
    d = -121665 * pow(121666, -1, PRIME) % PRIME
    product = d * p[0] * q[0] * p[1] * q[1]
    x = (p[0] * q[1] + q[0] * p[1]) * pow(1 + product, -1, PRIME)
    y = (p[1] * q[1] + p[0] * q[0]) * pow(1 - product, -1, PRIME)
    return x % PRIME, y % PRIME


def edwards_x(y: int) -> int:
    """An x for y, or −1 where there is none."""
    d = -121665 * pow(121666, -1, PRIME) % PRIME
    square = (y * y - 1) * pow(d * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    return x if x * x % PRIME == square else -1


def small_order_points() -> set[tuple[int, int]]:
    """All points of order 1, 2, 4, 8: multiples by the prime order of the main subgroup of any point."""
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[tuple[int, int]] = set()
    for y in range(2, 60):
        if (x := edwards_x(y)) < 0:
            continue
        total, power = (0, 1), (x, y)
        for bit in range(order.bit_length()):
            if order >> bit & 1:
                total = edwards_add(total, power)
            power = edwards_add(power, power)
        found.add(total)
    return found


def test_weak_keys_are_refused(team: SecretKey) -> None:
    """Under a point of small order a signature fits more than one message; shown for the neutral point."""
    points = small_order_points()
    assert len(points) == 8
    neutral = Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little"))
    base = (4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little")  # S = 1, R = B: verifies for every message
    for message in (b"one", b"another"):
        neutral.verify(base + (1).to_bytes(32, "little"), message)
    for x, y in points:
        for sign in (0, 1, x & 1):
            with pytest.raises(InputError, match="not an Ed25519 key"):
                PublicKey("weak", (y | sign << 255).to_bytes(32, "little"), team.public.recipient)
    with pytest.raises(InputError, match="not an Ed25519 key"):
        PublicKey("beyond", (PRIME + 3).to_bytes(32, "little"), team.public.recipient)
    with pytest.raises(InputError, match="not an Ed25519 key"):
        PublicKey("short", bytes(31), team.public.recipient)


def public_text(line: str) -> str:
    return f"{line}\n{SecretKey.generate('x').public.recipient}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a public key: got 0 words"),
        (VERIFIER, "not a public key: got 1 words"),
        (public_text(VERIFIER) + "more", "not a public key: got 3 words"),
        (public_text("PeterNeumann"), "not a public key: got 12 letters of another form"),
        (public_text(VERIFIER.replace("+A", "+B")), "not a public key: got 66 letters"),
        (public_text(VERIFIER[:-1]), "not a public key: got"),
        (public_text(VERIFIER + "="), "not a public key: got"),
        (
            public_text(VERIFIER.replace("c74f20a3", "c74f20a4")),
            "does not fit its hash: got 'c74f20a4', expected 'c74f20a3'",
        ),
        (public_text(VERIFIER.replace("c74f20a3", "C74F20A3")), "does not fit its hash"),
        (public_text(VERIFIER.replace("Peter", "Paul")), "does not fit its hash"),
        (public_text(VERIFIER.replace("TW", "TX")), "not a public key|does not fit its hash"),
        (f"{VERIFIER}\nage1", "not an age key"),
        (public_text(VERIFIER).upper(), "does not fit its hash"),
    ],
    # Not the texts themselves: they hold a new key in every run, and tests are told apart by their names.
    ids=lambda value: value[:24] if value.startswith(("not", "does")) else "text",
)
def test_texts_that_are_no_public_key(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PublicKey.parse(text)


def test_errors_do_not_quote_secrets(evaluator: SecretKey) -> None:
    secret_line, identity = evaluator.text().split()
    wrong = [
        evaluator.text(),
        f"{evaluator.public.verifier}\n{identity}",
        f"{secret_line}\nage1",
        identity,
        secret_line,
    ]
    for text in wrong:
        with pytest.raises(InputError, match=r"not a public key|not an age key") as caught:
            PublicKey.parse(text)
        assert secret_line[-40:] not in str(caught.value)
        assert identity[-40:] not in str(caught.value)
    for text in (
        evaluator.text()[:-9],
        secret_line,
        evaluator.text().replace("evaluator", "other"),
        f"x{evaluator.text()}",
    ):
        with pytest.raises(InputError, match=r"not a secret key|not an age secret key|does not fit its hash") as caught:
            SecretKey.parse(text, "a.key")
        assert str(caught.value).startswith("a.key: ")
        assert secret_line[-40:] not in str(caught.value)
        assert identity[-40:] not in str(caught.value)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_key_files(tmp_path: Path, evaluator: SecretKey, mask: int) -> None:
    before = os.umask(mask)
    try:
        secret, public = evaluator.write(tmp_path / "keys")
    finally:
        os.umask(before)
    assert (secret.name, public.name) == ("evaluator.key", "evaluator.pub")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert SecretKey.read(secret) == evaluator
    assert PublicKey.parse(public.read_text()) == evaluator.public
    assert sorted(path.name for path in secret.parent.iterdir()) == ["evaluator.key", "evaluator.pub"]


@pytest.mark.parametrize("there", ["evaluator.key", "evaluator.pub"])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_keys_are_never_overwritten(tmp_path: Path, evaluator: SecretKey, there: str, kind: str) -> None:
    path = tmp_path / there
    if kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=f"{there}: a key is never overwritten"):
        evaluator.write(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == [there]
    assert kind == "link" or path.read_text() == "mine"


def test_a_full_disk_leaves_no_half_key(small_disk: Path, evaluator: SecretKey) -> None:
    with (small_disk / "filler").open("wb", buffering=0) as file:
        file.write(bytes(1 << 20))  # writes as much as there is room for
    with pytest.raises(StorageError, match="the disk is full"):
        evaluator.write(small_disk)
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o602, 0o660, 0o644, 0o777])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, evaluator: SecretKey, mode: int) -> None:
    secret, _ = evaluator.write(tmp_path)
    secret.chmod(mode)
    with pytest.raises(
        InputError, match=f"others can read this secret key: got mode {mode:04o}.*Run: chmod 600 {secret}"
    ):
        SecretKey.read(secret)
    secret.chmod(0o400)
    assert SecretKey.read(secret) == evaluator


def test_a_key_file_that_is_none(tmp_path: Path, evaluator: SecretKey) -> None:
    with pytest.raises(InputError, match=r"none.key: no secret key: got no such file"):
        SecretKey.read(tmp_path / "none.key")
    _, public = evaluator.write(tmp_path)
    public.chmod(0o600)
    with pytest.raises(InputError, match=r"evaluator.pub: not a secret key"):
        SecretKey.read(public)


@pytest.mark.parametrize("name", ["../climbs", "a/b", ".hidden"])
def test_names_that_are_no_file_names_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="this key's name cannot be a file's"):
        SecretKey.generate(name).write(tmp_path / "keys")
    assert list(tmp_path.iterdir()) == []


def test_other_age_tools_read_what_is_encrypted(team: SecretKey) -> None:
    identity = pyrage.x25519.Identity.from_str(team.identity)
    assert pyrage.decrypt(encrypt(b"x", [team.public.recipient]), [identity]) == b"x"
    assert base64.b64decode(team.public.verifier.split("+", 2)[2]) == b"\x01" + team.public.raw
