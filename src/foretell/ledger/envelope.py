"""Signed statements: an in-toto Statement v1 in a DSSE envelope, both as canonical JSON, with one Ed25519 signature."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from foretell.base.canonical import canonical_json
from foretell.base.errors import ForgeryError
from foretell.ledger._strict import decode_base64, encode_base64, forged
from foretell.ledger.keys import PublicKey, SecretKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
#: Whole numbers from here on are spelled as doubles: RFC 8785, section 3.2.2.3, and RFC 7493, section 2.2.
_LEAST_DOUBLE = 2**53
_DIGEST = re.compile("sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Statement:
    """What somebody says about some bytes.

    Args:
        predicate_type: Which kind of statement it is, a URI.
        subjects: What it is about, one or more: name → "sha256:hex".
        predicate: What it says, as JSON has it.

    Raises:
        ValueError: no type, no subject, a name that is empty, or another kind of digest.

    Source: in-toto attestation framework, Statement v1.
    """

    predicate_type: str
    subjects: dict[str, str]
    predicate: dict[str, Any]

    def __post_init__(self) -> None:
        if not self.predicate_type or not self.subjects or not all(self.subjects):
            raise ValueError("a statement has a type and is about one or more things, each with a name")
        for name, digest in self.subjects.items():
            if _DIGEST.fullmatch(digest) is None:
                raise ValueError(f"the digest of {name!r} is not 'sha256:' and 64 lower-case hexadecimal digits")

    def payload(self) -> bytes:
        """The statement as canonical JSON; subjects stand in the order of their names."""
        subject = [{"name": name, "digest": {"sha256": self.subjects[name][7:]}} for name in sorted(self.subjects)]
        return canonical_json(
            {
                "_type": STATEMENT_TYPE,
                "subject": subject,
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: type and payload with their lengths, so that neither can pass for part of the other.

    Source: DSSE v1, pre-authentication encoding.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_statement(statement: Statement, secret: SecretKey) -> bytes:
    """The statement in an envelope that is signed.

    Raises:
        ValueError: the predicate holds what canonical JSON does not give back (NaN, a number of more than 53 bits).
    """
    payload = statement.payload()
    try:
        _read_statement(payload, "statement")
    except ForgeryError as error:
        raise ValueError(f"not a statement that can be read back: {error.got}") from error
    return _serialise(payload, secret.public.id, secret.sign(pae(PAYLOAD_TYPE, payload)))


def open_statement(
    data: bytes, keys: Iterable[PublicKey], where: str = "signed statement"
) -> tuple[Statement, PublicKey]:
    """The statement in an envelope that one of the keys has signed, and that key.

    Args:
        data: The envelope.
        keys: Who may have signed it.
        where: What to call it in errors.

    Raises:
        ForgeryError: not an envelope, unsigned, signed twice, signed by another key, a signature that does not fit, or
            a payload that is no statement.
    """
    payload, signer, signature = _parse(data, where)
    known = [key for key in keys if key.id == signer]
    if not known:
        expected = "one of a key that may sign here"
        raise forged("signed by another key", where=where, got=f"a signature of {signer!r}", expected=expected)
    for key in known:
        if key.verify(pae(PAYLOAD_TYPE, payload), signature):
            return _read_statement(payload, where), key
    raise forged(
        "the signature does not fit the statement",
        where=where,
        got=f"one by the name of {signer} for other bytes, or none of that key's",
        expected=f"a signature of {signer} for these bytes",
    )


def read_unverified(data: bytes, where: str = "statement") -> Statement:
    """The statement in an envelope, whoever signed it, and whether or not: for keys that stand in the statement itself.

    Raises:
        ForgeryError: not an envelope with one signature, or a payload that is no statement.
    """
    return _read_statement(_parse(data, where)[0], where)


def _serialise(payload: bytes, signer: str, signature: bytes) -> bytes:
    return canonical_json(
        {
            "payload": encode_base64(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": signer, "sig": encode_base64(signature)}],
        }
    )


def _parse(data: bytes, where: str) -> tuple[bytes, str, bytes]:
    """Payload, signer's id and signature, of bytes that `_serialise` would write just so."""
    envelope = _read_json(data, "not an envelope", where)
    signatures = envelope.get("signatures")
    if set(envelope) - {"signatures"} != {"payload", "payloadType"} or not isinstance(signatures or [], list):
        got = f"the keys {sorted(envelope)}"
        raise forged("not an envelope", where=where, got=got, expected="payload, payloadType and signatures")
    if not signatures:
        raise forged("not signed", where=where, got="an envelope without a signature", expected="one signature")
    if len(signatures) != 1:
        raise forged("signed more than once", where=where, got=f"{len(signatures)} signatures", expected="one")
    try:
        payload = decode_base64(envelope["payload"])
        signer, signature = signatures[0]["keyid"], decode_base64(signatures[0]["sig"])
        exact = isinstance(signer, str) and _serialise(payload, signer, signature) == data
    except (TypeError, KeyError, ValueError):
        exact = False
    if not exact:
        expected = f"canonical JSON of type {PAYLOAD_TYPE}, with base64 inside"
        raise forged("not an envelope", where=where, got="an envelope of another form", expected=expected)
    return payload, signer, signature


def _read_statement(payload: bytes, where: str) -> Statement:
    """The statement, if its payload is what `Statement.payload` would write."""
    value = _read_json(payload, "not a statement", where)
    try:
        subjects = {subject["name"]: "sha256:" + subject["digest"]["sha256"] for subject in value["subject"]}
        typed = isinstance(value["predicate"], dict) and all(isinstance(one, str) for one in subjects)
        statement = Statement(value["predicateType"], subjects, value["predicate"])
        exact = typed and isinstance(value["predicateType"], str) and statement.payload() == payload
        reason = "" if exact else "JSON of another form"
    except (TypeError, KeyError, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
    if reason:
        raise forged("not a statement", where=where, got=reason, expected="an in-toto Statement v1, canonical JSON")
    return statement


def _number(digits: str) -> int | float:
    """A number without point or exponent: beyond 53 bits it spells a double, as every number of RFC 8785 does.

    >>> _number("7"), _number("10000000000000000000")
    (7, 1e+19)
    """
    value = int(digits)
    return value if abs(value) < _LEAST_DOUBLE else float(digits)


def _read_json(data: bytes, what: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(data.decode(), parse_int=_number)
    except (ValueError, RecursionError) as error:
        raise forged(what, where=where, got=f"no JSON ({error})", expected="a JSON object") from error
    if not isinstance(value, dict):
        raise forged(what, where=where, got="JSON that is no object", expected="a JSON object")
    return value
