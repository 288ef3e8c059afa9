"""RFC 3161 timestamps: an authority outside says when some bytes were there at the latest. Extra: foretell[timestamps].

A timestamp is a witness beside the ledger; order is decided by the ledger alone. A few bytes of a token are covered by
no signature (two version numbers and the repeated name of the signature's algorithm): whoever keeps a token must fix
its bytes by a digest of their own, if every changed byte is to be seen.
"""

from __future__ import annotations

import hashlib
import re
import urllib.error
import urllib.request
from datetime import datetime
from http.client import HTTPException
from types import ModuleType
from typing import TYPE_CHECKING

from cryptography.x509 import Certificate, load_pem_x509_certificates

from foretell.base.errors import ForetellError, InputError, NetworkError, missing_extra
from foretell.ledger._strict import forged

if TYPE_CHECKING:
    import rfc3161_client

_SECONDS, _LARGEST_BYTES = 30.0, 1 << 20
#: How OpenSSL says, among much else, why certificates do not lead to a root, or may not sign timestamps.
_CHAIN = re.compile('data: "Verify error: ([^"]*)"')
_DIGESTS = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}


def request_timestamp(data: bytes, url: str) -> bytes:
    """Ask an authority for a timestamp; it sees the SHA-512 of the data only.

    Args:
        data: What is to have been there; at least one byte.
        url: The authority's, http or https (the answer is signed, so either will do).

    Returns:
        The authority's answer (TimeStampResp, DER), as it is to be kept.

    Raises:
        InputError: another kind of address, or no data.
        NetworkError: the authority was not reached, refused, or answered something else.
        MissingExtraError: rfc3161-client is not installed.

    Source: RFC 3161, sections 2.4 and 3.4.
    """
    library = _library("request_timestamp")
    if not url.startswith(("http://", "https://")) or not data:
        fix = "Give the address of a timestamp authority, http://… or https://…."
        raise InputError(
            "a timestamp cannot be asked for",
            where=url,
            got=f"{len(data)} bytes for {url!r}",
            expected="data and http(s)",
            fix=fix,
        )
    question = library.TimestampRequestBuilder().data(data).build()
    answer = _post(url, question.as_bytes())
    try:
        response = _decode(answer, url)
        _check_imprint(response, data, url)
        if response.tst_info.nonce != question.nonce:
            raise _no_answer(url, "the answer to another question (its nonce differs)")
    except ForetellError as error:
        if isinstance(error, NetworkError):
            raise
        raise _no_answer(url, f"{error.what} ({error.got})") from error
    return answer


def _post(url: str, question: bytes) -> bytes:
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    try:
        request = urllib.request.Request(url, data=question, headers=headers)
        with urllib.request.urlopen(request, timeout=_SECONDS) as reply:
            answer: bytes = reply.read(_LARGEST_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise _no_answer(url, f"HTTP {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:  # URLError and timeouts are OSErrors
        raise _no_answer(url, f"{type(error).__name__}: {error}") from error
    if len(answer) > _LARGEST_BYTES:
        raise _no_answer(url, f"more than {_LARGEST_BYTES} bytes")
    return answer


def check_timestamp(token: bytes, data: bytes, roots: bytes, where: str = "timestamp") -> datetime:
    """When an authority that leads to one of the roots saw the data.

    Certificates have to be valid at that time; that they have expired since does not matter.

    Args:
        token: From `request_timestamp`.
        data: The same bytes.
        roots: Certificates of the authorities that are trusted, PEM.
        where: What to call the timestamp in errors.

    Returns:
        The time, with its time zone (UTC).

    Raises:
        InputError: the roots are no certificates.
        ForgeryError: not a timestamp, one of other bytes, one by an authority that does not lead to a root, or one with
            a signature that does not fit.
        MissingExtraError: rfc3161-client is not installed.

    Source: RFC 3161, section 2.2; RFC 5652.
    """
    library = _library("check_timestamp")
    trusted = _read_roots(roots)
    response = _decode(token, where)
    _check_imprint(response, data, where)
    try:
        library.VerifierBuilder(roots=trusted).build().verify_message(response, data)
    except Exception as error:  # the library raises many kinds, those of its parsers too: none of them verifies
        chain = _CHAIN.search(str(error))
        raise forged(
            "the authority does not lead to a trusted root" if chain else "the timestamp's signature does not fit",
            where=where,
            got=f"certificates with {chain.group(1)!r}" if chain else "a changed or forged timestamp",
            expected="a timestamp signed by an authority under one of the roots given",
        ) from error
    return response.tst_info.gen_time


def _library(where: str) -> ModuleType:
    try:
        import rfc3161_client
    except ModuleNotFoundError as error:
        raise missing_extra("timestamps", "rfc3161_client", where=where) from error
    return rfc3161_client


def _decode(token: bytes, where: str) -> rfc3161_client.TimeStampResponse:
    """The authority's answer, if it grants a timestamp."""
    try:
        response: rfc3161_client.TimeStampResponse = _library(where).decode_timestamp_response(token)
        granted = response.status == 0
        if granted:
            _ = response.tst_info.gen_time
    except Exception as error:  # a parser of others' bytes: whatever it stumbles over, this is no timestamp
        got = f"{len(token)} bytes ({type(error).__name__})"
        raise forged("not a timestamp", where=where, got=got, expected="an RFC 3161 answer, DER") from error
    if not granted:
        got = f"status {response.status} {'; '.join(response.status_string)!r}"
        raise forged("the authority did not grant it", where=where, got=got, expected="status 0 (granted)")
    return response


def _check_imprint(response: rfc3161_client.TimeStampResponse, data: bytes, where: str) -> None:
    imprint = response.tst_info.message_imprint
    name = _DIGESTS.get(imprint.hash_algorithm.dotted_string)
    if name is None:
        got = imprint.hash_algorithm.dotted_string
        raise forged("a digest that does not bind", where=where, got=got, expected="SHA-256, SHA-384 or SHA-512")
    expected = hashlib.new(name, data).digest()
    if imprint.message != expected:
        got = f"{name}:{imprint.message.hex()}"
        raise forged("a timestamp of other bytes", where=where, got=got, expected=f"{name}:{expected.hex()}")


def _read_roots(roots: bytes) -> list[Certificate]:
    try:
        return load_pem_x509_certificates(roots)
    except ValueError as error:
        raise InputError(
            "no root certificates",
            where="roots",
            got=f"{len(roots)} bytes that are no PEM certificates",
            expected="one or more",
            fix="Give the PEM file of the timestamp authority's root, from the authority itself.",
        ) from error


def _no_answer(url: str, got: str) -> NetworkError:
    fix = "Try again later, or ask another authority; the ledger is complete without a timestamp."
    return NetworkError("no timestamp from this authority", where=url, got=got, expected="a granted one", fix=fix)
