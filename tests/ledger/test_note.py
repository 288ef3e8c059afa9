"""Signed notes: the published one, every byte of a note flipped to every other value, and checkpoints."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from foretell.base.errors import ForgeryError
from foretell.ledger.keys import PublicKey, SecretKey
from foretell.ledger.note import (
    Checkpoint,
    open_checkpoint,
    open_note,
    read_unverified_checkpoint,
    sign_checkpoint,
    sign_note,
)

#: Published with Go's golang.org/x/mod/sumdb/note.
VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
NOTE = f"{TEXT}\n— PeterNeumann {SIGNATURE}\n".encode()
CHECKPOINT = Checkpoint("foretell/0f3c", 7, bytes(range(32)))


def test_the_published_note(team: SecretKey) -> None:
    secret = SecretKey.parse(f"{SIGNER}\n{team.identity}")
    public = PublicKey.parse(f"{VERIFIER}\n{team.public.recipient}")
    assert open_note(NOTE, [team.public, public]) == (TEXT, public)
    assert sign_note(TEXT, secret) == NOTE


@pytest.mark.parametrize(
    "text", ["a\n", "\n\n", "a\n\nb\n", "\n— x y\n", "a\n\n— evaluator AAAA\n", "ünï — çödé\n", "\x7f\n"]
)
def test_texts_are_read_back(text: str, evaluator: SecretKey) -> None:
    assert open_note(sign_note(text, evaluator), [evaluator.public]) == (text, evaluator.public)


@pytest.mark.parametrize("text", ["", "\n", "a", "a\r\n", "a\tb\n", "\0\n", "a\n\x1b[2J\n", "\ud800\n"])
def test_texts_that_are_none_are_not_signed(text: str, evaluator: SecretKey) -> None:
    with pytest.raises(ValueError, match="a note's text has lines"):
        sign_note(text, evaluator)


def test_every_byte_of_a_note_counts(evaluator: SecretKey, team: SecretKey) -> None:
    """Each byte changed to each other value, left out, and doubled."""
    note, keys = sign_checkpoint(CHECKPOINT, evaluator), [evaluator.public, team.public]
    assert open_checkpoint(note, keys) == (CHECKPOINT, evaluator.public)
    flips = 0
    for place in range(len(note)):
        before, after = note[:place], note[place + 1 :]
        others = [before + bytes([value]) + after for value in range(256) if value != note[place]]
        for changed in [*others, before + after, note[: place + 1] + note[place:]]:
            if changed != note:  # leaving out one of two equal bytes is the same either way
                flips += 1
                with pytest.raises(ForgeryError, match=r"^checkpoint: "):
                    open_checkpoint(changed, keys)
    assert flips > 255 * len(note)


def signature_line(secret: SecretKey, text: str) -> str:
    data = secret.public.key_hash + secret.sign(text.encode())
    return f"— {secret.public.name} {base64.b64encode(data).decode()}\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda note, line: b"", "not signed"),
        (lambda note, line: b"a\n1\n", "not signed"),
        (lambda note, line: note[: note.index(line)], "not signed"),
        (lambda note, line: note[: note.index(line) - 1], "not signed"),
        (lambda note, line: note + b"\n", "not signed"),
        (lambda note, line: note + line, r"signed more than once: got 2 lines"),
        (lambda note, line: note + line.replace(b"evaluator", b"team"), "signed more than once"),
        (lambda note, line: note[:-1], "damaged signature line"),
        (lambda note, line: note.replace(b"=\n", b"\n"), "damaged signature line"),
        (lambda note, line: note.replace(b"\n\xe2\x80\x94 ", b"\n- "), "damaged signature line"),
        (lambda note, line: note.replace(b"evaluator ", b"evaluator  "), "damaged signature line"),
        (lambda note, line: note.replace(b" evaluator ", b" "), "damaged signature line"),
        (lambda note, line: note.replace(b"\n", b"\r\n"), "not signed"),
        (lambda note, line: note.replace(b"7\n", b"7\r\n"), "not a signed note"),
        (lambda note, line: b"\xff" + note, "not a signed note: got bytes that are not UTF-8"),
        (lambda note, line: b"\xef\xbb\xbf" + note, "the signature does not fit the text"),
        (lambda note, line: note.replace(b"\n7\n", b"\n8\n"), "the signature does not fit the text"),
        (
            lambda note, line: note.replace(b" evaluator ", b" team "),
            r"signed by another key: got a signature of 'team\+",
        ),
    ],
)
def test_each_forgery_has_its_message(
    change: Callable[[bytes, bytes], bytes], message: str, evaluator: SecretKey, team: SecretKey
) -> None:
    note = sign_checkpoint(CHECKPOINT, evaluator)
    line = signature_line(evaluator, CHECKPOINT.text()).encode()
    assert note.endswith(line)
    with pytest.raises(ForgeryError, match=f"^here: {message}"):
        open_note(change(note, line), [evaluator.public, team.public], "here")


def test_another_key_and_none_at_all(evaluator: SecretKey, team: SecretKey, stranger: SecretKey) -> None:
    note = sign_note("x\n", stranger)
    for keys in ([], [evaluator.public, team.public]):
        with pytest.raises(ForgeryError, match=r"signed by another key: got a signature of 'stranger\+"):
            open_note(note, keys)
    impostor = SecretKey.generate("evaluator")  # the same name, another key
    with pytest.raises(ForgeryError, match="signed by another key"):
        open_note(sign_note("x\n", impostor), [evaluator.public])


def test_two_keys_with_one_hash_are_told_apart(evaluator: SecretKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash has four bytes, so that somebody may find a second key for it; it decides nothing."""
    other = SecretKey.generate("evaluator")
    monkeypatch.setattr(PublicKey, "key_hash", property(lambda key: b"same"))
    note = sign_note("x\n", other)
    assert open_note(note, [evaluator.public, other.public]) == ("x\n", other.public)
    with pytest.raises(ForgeryError, match="the signature does not fit the text"):
        open_note(note, [evaluator.public])


@pytest.mark.parametrize(
    "text",
    [
        "origin\n7\n",
        "origin\n7\n{root}\nmore\n",
        "\n7\n{root}\n",
        "origin\n07\n{root}\n",
        "origin\n+7\n{root}\n",
        "origin\n-7\n{root}\n",
        "origin\n7 \n{root}\n",
        "origin\n٧\n{root}\n",
        "origin\n1234567890123456789\n{root}\n",
        "origin\n7\n{root}=\n",
        "origin\n7\nAAAA\n",
        "origin\n7\nnot base64\n",
        "or\u200bigin\n7\n{root}\n",
    ],
)
def test_what_is_signed_and_yet_no_checkpoint(text: str, evaluator: SecretKey) -> None:
    note = sign_note(text.format(root=base64.b64encode(bytes(32)).decode()), evaluator)
    with pytest.raises(ForgeryError, match=r"^there: not a checkpoint"):
        open_checkpoint(note, [evaluator.public], "there")
    with pytest.raises(ForgeryError, match=r"^there: not a checkpoint"):
        read_unverified_checkpoint(note, "there")


def test_slack_in_the_root_is_refused(evaluator: SecretKey) -> None:
    text = CHECKPOINT.text()
    assert text.endswith("h8=\n")
    slack = text.replace("h8=\n", "h9=\n")
    assert base64.b64decode(slack.split("\n")[2]) == CHECKPOINT.root
    with pytest.raises(ForgeryError, match="not a checkpoint: got not canonical base64"):
        open_checkpoint(sign_note(slack, evaluator), [evaluator.public])


def test_reading_without_keys_says_so_and_checks_the_form(stranger: SecretKey) -> None:
    note = sign_checkpoint(CHECKPOINT, stranger)
    assert read_unverified_checkpoint(note) == CHECKPOINT
    with pytest.raises(ForgeryError, match="not signed"):
        read_unverified_checkpoint(CHECKPOINT.text().encode())


@pytest.mark.parametrize(
    ("origin", "size", "root", "message"),
    [
        ("", 0, bytes(32), "an origin is one line"),
        ("a\nb", 0, bytes(32), "an origin is one line"),
        ("a", -1, bytes(32), "a size is a whole number"),
        ("a", 10**18, bytes(32), "a size is a whole number"),
        ("a", True, bytes(32), "a size is a whole number"),
        ("a", 0, bytes(31), "a root has 32 bytes"),
    ],
)
def test_checkpoints_that_are_none(origin: str, size: int, root: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Checkpoint(origin, size, root)
