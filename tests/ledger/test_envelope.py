"""Signed statements: the published encoding, every byte of an envelope flipped, and what passes for one but is none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.canonical import canonical_json
from foretell.base.errors import ForgeryError
from foretell.ledger.envelope import PAYLOAD_TYPE, Statement, open_statement, pae, read_unverified, sign_statement
from foretell.ledger.keys import SecretKey

DIGEST = "sha256:" + "0f" * 32
STATEMENT = Statement("t/1", {"f": DIGEST}, {"n": 1})
BIG = Statement("https://foretell.example/commit/1", {"b": DIGEST, "a": DIGEST}, {"x": [1.5, None, {"ü": "é"}]})


def test_the_published_encoding() -> None:
    """The example of the DSSE specification, and lengths counted in bytes."""
    encoded = pae("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("ü", "é".encode()) == "DSSEv1 2 ü 2 é".encode()
    assert pae("", b"") == b"DSSEv1 0  0 "


def test_a_statement_is_what_in_toto_says(evaluator: SecretKey) -> None:
    envelope = json.loads(sign_statement(BIG, evaluator))
    assert set(envelope) == {"payload", "payloadType", "signatures"}
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    payload = base64.b64decode(envelope["payload"])
    assert json.loads(payload) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": "0f" * 32}} for name in ("a", "b")],
        "predicateType": BIG.predicate_type,
        "predicate": BIG.predicate,
    }
    (signature,) = envelope["signatures"]
    assert signature["keyid"] == evaluator.public.id
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
    assert evaluator.public.verify(signed, base64.b64decode(signature["sig"]))


def test_statements_are_read_back(evaluator: SecretKey, team: SecretKey) -> None:
    for statement in (STATEMENT, BIG):
        data = sign_statement(statement, team)
        assert open_statement(data, [evaluator.public, team.public]) == (statement, team.public)
        assert read_unverified(data) == statement
        assert sign_statement(statement, team) == data


@pytest.mark.parametrize("number", [2.0**53, 1e16, 1e20, 1e21, 3.14e23, -1e19, 1.7976931348623157e308])
def test_large_doubles_are_read_back(number: float, evaluator: SecretKey) -> None:
    """Canonical JSON writes 1e20 as digits without a point, which are a double all the same: training takes as much."""
    statement = Statement("t/1", {"f": DIGEST}, {"flop": number})
    back, _ = open_statement(sign_statement(statement, evaluator), [evaluator.public])
    assert back == statement
    assert type(back.predicate["flop"]) is float


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abü\u10000", max_size=3), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abü", max_size=3), JSON, max_size=4))
def test_any_predicate_is_read_back(predicate: dict[str, Any]) -> None:
    secret = SecretKey.generate("any")
    statement = Statement("t/1", {"f": DIGEST}, predicate)
    assert open_statement(sign_statement(statement, secret), [secret.public])[0] == statement


def test_every_byte_of_an_envelope_counts(evaluator: SecretKey, team: SecretKey) -> None:
    """Each byte changed to each other value, left out, and doubled."""
    data, keys = sign_statement(STATEMENT, evaluator), [evaluator.public, team.public]
    flips = 0
    for place in range(len(data)):
        before, after = data[:place], data[place + 1 :]
        others = [before + bytes([value]) + after for value in range(256) if value != data[place]]
        for changed in [*others, before + after, data[: place + 1] + data[place:]]:
            if changed != data:
                flips += 1
                with pytest.raises(ForgeryError, match=r"^signed statement: "):
                    open_statement(changed, keys)
    assert flips > 255 * len(data)


def envelope_of(payload: bytes, secret: SecretKey, /, **changes: Any) -> bytes:
    """An envelope with a good signature around any payload."""
    kind = changes.pop("sign_as", PAYLOAD_TYPE)
    signature = {"keyid": secret.public.id, "sig": base64.b64encode(secret.sign(pae(kind, payload))).decode()}
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [signature],
    }
    return canonical_json(envelope | changes)


def test_the_test_makes_good_envelopes(evaluator: SecretKey) -> None:
    assert envelope_of(STATEMENT.payload(), evaluator) == sign_statement(STATEMENT, evaluator)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signatures": []}, "not signed"),
        ({"signatures": None}, "not signed"),
        ({"signatures": {}}, "not signed"),
        ({"signatures": "x"}, "not an envelope"),
        ({"signatures": [{}]}, "not an envelope"),
        ({"signatures": [[]]}, "not an envelope"),
        ({"signatures": [{"keyid": 1, "sig": ""}]}, "not an envelope"),
        ({"signatures": [{"keyid": "a", "sig": 1}]}, "not an envelope"),
        ({"signatures": [{"keyid": "a", "sig": "", "cert": ""}]}, "not an envelope"),
        ({"signatures": [{"keyid": "a", "sig": ""}]}, "signed by another key: got a signature of 'a'"),
        ({"signatures": [{"keyid": "\x1b[2J", "sig": ""}]}, r"signed by another key: got a signature of '\\x1b\[2J'"),
        ({"signatures": [1, 2]}, "signed more than once: got 2 signatures"),
        ({"payload": 1}, "not an envelope"),
        ({"payload": "a"}, "not an envelope"),
        ({"payload": "é"}, "not an envelope"),
        ({"payload": ""}, "the signature does not fit the statement"),
        ({"payloadType": "text/plain"}, "not an envelope"),
        ({"more": 1}, "not an envelope"),
        ({"sign_as": "text/plain"}, "the signature does not fit the statement"),
    ],
)
def test_each_forgery_has_its_message(changes: dict[str, Any], message: str, evaluator: SecretKey) -> None:
    data = envelope_of(STATEMENT.payload(), evaluator, **changes)
    with pytest.raises(ForgeryError, match=f"^here: ({message})"):
        open_statement(data, [evaluator.public], "here")


def test_a_stripped_envelope(evaluator: SecretKey) -> None:
    envelope = json.loads(sign_statement(STATEMENT, evaluator))
    del envelope["signatures"]
    with pytest.raises(ForgeryError, match="not signed"):
        open_statement(canonical_json(envelope), [evaluator.public])
    with pytest.raises(ForgeryError, match="not signed"):
        read_unverified(canonical_json(envelope))


def test_another_key(evaluator: SecretKey, team: SecretKey) -> None:
    data = sign_statement(STATEMENT, team)
    with pytest.raises(ForgeryError, match=r"signed by another key: got a signature of 'team\+"):
        open_statement(data, [evaluator.public])
    relabelled = data.replace(team.public.id.encode(), evaluator.public.id.encode())
    with pytest.raises(ForgeryError, match="the signature does not fit the statement"):
        open_statement(relabelled, [evaluator.public, team.public])


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"null", b"{", b"\xff", b"[" * 100_000, b"1" * 5000, b'{"a":NaN}'])
def test_what_is_no_envelope_at_all(data: bytes, evaluator: SecretKey) -> None:
    with pytest.raises(ForgeryError, match="not an envelope"):
        open_statement(data, [evaluator.public])
    with pytest.raises(ForgeryError, match="not an envelope"):
        read_unverified(data)


def test_only_the_canonical_spelling_counts(evaluator: SecretKey) -> None:
    data = sign_statement(STATEMENT, evaluator)
    spellings = [data + b"\n", b" " + data, json.dumps(json.loads(data)).encode(), b"\xef\xbb\xbf" + data]
    spellings.append(data.replace(b'{"payload":', b'{"payload":"","payload":'))
    spellings.append(data.replace(b"payload", b"\\u0070ayload", 1))
    for spelling in spellings:
        with pytest.raises(ForgeryError, match="not an envelope"):
            open_statement(spelling, [evaluator.public])


def payload_with(**changes: Any) -> bytes:
    return canonical_json(json.loads(STATEMENT.payload()) | changes)


SUBJECT = {"name": "f", "digest": {"sha256": "0f" * 32}}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"hello",
        b'{"a":' * 50_000,
        STATEMENT.payload() + b" ",
        STATEMENT.payload().replace(b'{"n":1}', b'{"n":1.0}'),
        STATEMENT.payload().replace(b'{"n":1}', b'{"n":0,"n":1}'),
        STATEMENT.payload().replace(b'{"n":1}', b'{"n":' + b"9" * 20 + b"}"),
        STATEMENT.payload().replace(b'{"n":1}', b'{"n":"\\ud800"}'),
        payload_with(_type="https://in-toto.io/Statement/v0.1"),
        payload_with(predicate=[]),
        payload_with(predicate=None),
        payload_with(predicateType=""),
        payload_with(predicateType=5),
        payload_with(more=1),
        payload_with(subject=[]),
        payload_with(subject={}),
        payload_with(subject=[5]),
        payload_with(subject=[SUBJECT, SUBJECT]),
        payload_with(subject=[SUBJECT | {"name": "g"}, SUBJECT]),
        payload_with(subject=[SUBJECT | {"name": ""}]),
        payload_with(subject=[SUBJECT | {"name": 5}]),
        payload_with(subject=[SUBJECT | {"uri": "x"}]),
        payload_with(subject=[SUBJECT | {"digest": {"sha256": "0F" * 32}}]),
        payload_with(subject=[SUBJECT | {"digest": {"sha256": "0f" * 31}}]),
        payload_with(subject=[SUBJECT | {"digest": {"sha256": 5}}]),
        payload_with(subject=[SUBJECT | {"digest": {"sha256": "0f" * 32, "sha512": ""}}]),
        payload_with(subject=[SUBJECT | {"digest": {"md5": "0f"}}]),
    ],
)
def test_what_is_signed_and_yet_no_statement(payload: bytes, evaluator: SecretKey) -> None:
    data = envelope_of(payload, evaluator)
    with pytest.raises(ForgeryError, match=r"^there: not a statement"):
        open_statement(data, [evaluator.public], "there")
    with pytest.raises(ForgeryError, match=r"^there: not a statement"):
        read_unverified(data, "there")


@pytest.mark.parametrize(
    ("kind", "subjects", "message"),
    [
        ("", {"f": DIGEST}, "has a type"),
        ("t", {}, "about one or more things"),
        ("t", {"": DIGEST}, "each with a name"),
        ("t", {"f": "sha256:0F"}, "the digest of 'f' is not"),
        ("t", {"f": DIGEST[7:]}, "the digest of 'f' is not"),
        ("t", {"f": DIGEST + "\n"}, "the digest of 'f' is not"),
    ],
)
def test_statements_that_are_none(kind: str, subjects: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Statement(kind, subjects, {})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, 10**20, object(), "\ud800"])
def test_what_could_not_be_read_back_is_not_signed(value: object, evaluator: SecretKey) -> None:
    with pytest.raises(ValueError, match=r"not canonical JSON|cannot|can be read back|surrogates"):
        sign_statement(Statement("t", {"f": DIGEST}, {"x": value}), evaluator)
