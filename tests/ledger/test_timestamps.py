"""Timestamps by an authority on loopback: what verifies, and every byte of one flipped."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from foretell.base.errors import ForgeryError, InputError, MissingExtraError, NetworkError
from foretell.ledger.timestamps import check_timestamp, request_timestamp

from .authority import Authority, serving

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which plays the authority, is absent")
DATA = b"foretell/0f3c\n7\nroot\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "a")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def token(authority: Authority) -> bytes:
    with pytest.MonkeyPatch.context() as patch, serving(authority.answer) as url:
        patch.setenv("no_proxy", "127.0.0.1")
        return request_timestamp(DATA, url)


def test_a_timestamp_says_when(token: bytes, authority: Authority, tmp_path: Path) -> None:
    time = check_timestamp(token, DATA, authority.roots)
    assert time.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - time) < timedelta(hours=1)
    other = Authority(tmp_path / "other")
    assert check_timestamp(token, DATA, other.roots + authority.roots) == time


def test_openssl_agrees(token: bytes, authority: Authority) -> None:
    (authority.folder / "token").write_bytes(token)
    (authority.folder / "data").write_bytes(DATA)
    authority.openssl("ts", "-verify", "-in", "token", "-data", "data", "-CAfile", "root.pem")


def test_a_timestamp_of_other_bytes(token: bytes, authority: Authority) -> None:
    with pytest.raises(ForgeryError, match=r"^here: a timestamp of other bytes: got sha512:[0-9a-f]{128}, expected"):
        check_timestamp(token, DATA + b"\n", authority.roots, "here")


def test_another_root(token: bytes, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    with pytest.raises(
        ForgeryError, match="the authority does not lead to a trusted root: got certificates with 'unable to get"
    ):
        check_timestamp(token, DATA, other.roots)


def test_a_certificate_that_may_not_stamp(authority: Authority, token: bytes) -> None:
    """Under the same root, but a web server's: whoever has one of those must not be able to state times."""
    again = authority.sign_again(token, "stamping")
    assert again != token
    assert check_timestamp(again, DATA, authority.roots) == check_timestamp(token, DATA, authority.roots)
    with pytest.raises(
        ForgeryError, match=r"does not lead to a trusted root: got certificates with 'uns.* certificate purpose'"
    ):
        check_timestamp(authority.sign_again(token, "web"), DATA, authority.roots)


def test_a_damaged_timestamp_never_states_another_time(token: bytes, authority: Authority) -> None:
    """Each bit flipped: refused, but for the few bytes which no signature covers, and there the time stays the same."""
    time, accepted = check_timestamp(token, DATA, authority.roots), set()
    for place in range(len(token)):
        for bit in range(8):
            flipped = token[:place] + bytes([token[place] ^ 1 << bit]) + token[place + 1 :]
            try:
                assert check_timestamp(flipped, DATA, authority.roots) == time
                accepted.add(place)
            except ForgeryError:
                pass
    assert len(accepted) < 16


@pytest.mark.parametrize("change", [lambda t: b"", lambda t: b"junk", lambda t: t[:-1], lambda t: t + b"\0"])
def test_what_is_no_timestamp(change: Callable[[bytes], bytes], token: bytes, authority: Authority) -> None:
    with pytest.raises(ForgeryError, match=r"^timestamp: not a timestamp: got"):
        check_timestamp(change(token), DATA, authority.roots)


def test_a_forged_signature_has_its_message(token: bytes, authority: Authority) -> None:
    forged = token[:-1] + bytes([token[-1] ^ 1])  # the signature stands last
    with pytest.raises(ForgeryError, match="the timestamp's signature does not fit"):
        check_timestamp(forged, DATA, authority.roots)


#: Status 2 (rejection) with a text and no token: what RFC 3161 lets an authority answer.
REFUSED = bytes.fromhex("300e300c02010230070c056e65766572")


def test_a_refusal_is_no_timestamp(authority: Authority) -> None:
    with pytest.raises(ForgeryError, match="the authority did not grant it: got status 2 'never'"):
        check_timestamp(REFUSED, DATA, authority.roots)
    with serving(lambda question: REFUSED) as url, pytest.raises(NetworkError, match=r"did not grant it \(status 2"):
        request_timestamp(DATA, url)


@pytest.mark.parametrize("roots", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_roots_that_are_none(token: bytes, roots: bytes) -> None:
    with pytest.raises(InputError, match="no root certificates"):
        check_timestamp(token, DATA, roots)


def test_an_answer_to_something_else(authority: Authority, token: bytes) -> None:
    with serving(lambda question: token) as url:
        with pytest.raises(NetworkError, match="the answer to another question"):
            request_timestamp(DATA, url)
        with pytest.raises(NetworkError, match="a timestamp of other bytes"):
            request_timestamp(b"other", url)


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (b"", 200, "not a timestamp"),
        (b"<html>", 200, "not a timestamp"),
        (b"", 503, "HTTP 503"),
        (bytes((1 << 20) + 1), 200, "more than 1048576 bytes"),
    ],
)
def test_an_answer_that_is_none(answer: bytes, status: int, message: str) -> None:
    with serving(lambda question: answer, status) as url, pytest.raises(NetworkError, match=message):
        request_timestamp(DATA, url)


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(NetworkError, match=r"no timestamp from this authority: got URLError.*Connection refused"):
            request_timestamp(DATA, url)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/", "", "127.0.0.1"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InputError, match="a timestamp cannot be asked for"):
        request_timestamp(DATA, url)


def test_nothing_cannot_be_stamped() -> None:
    with pytest.raises(InputError, match="a timestamp cannot be asked for: got 0 bytes"):
        request_timestamp(b"", "http://127.0.0.1/")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, token: bytes, authority: Authority) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    for act in (lambda: request_timestamp(DATA, "http://127.0.0.1/"), lambda: check_timestamp(token, DATA, b"")):
        with pytest.raises(MissingExtraError, match=r"pip install 'foretell\[timestamps\]'"):
            act()
