"""Tests of the HTTP client of endpoint targets: every failure of a server is one error, and retries end."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tenacity.nap

from foretell.base.errors import EndpointError, InputError, MissingExtraError
from foretell.targets.endpoint_client import Client, Patience, checked_root

Make = Callable[..., Client]
QUICK = Patience(attempts=3, first_wait_s=0.001, longest_wait_s=0.002, total_s=20.0, answer_s=0.2)


@pytest.fixture
def client() -> Iterator[Make]:
    made: list[Client] = []

    def make(url: str, key: str | None = None, patience: Patience = QUICK) -> Client:
        made.append(Client(url, key, patience))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, which are written down instead of waited."""
    written: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", types.SimpleNamespace(sleep=written.append))
    return written


def test_json_comes_back_and_the_key_is_sent_as_a_bearer_token(serve: Any, reply: Any, client: Make) -> None:
    server = serve(lambda method, path, body: reply({"method": method, "path": path, "body": body}))
    answer = client(server.url + "/v1/", "sk-secret").post("/x", {"a": 1})
    assert answer == {"method": "POST", "path": "/x", "body": {"a": 1}}
    assert {name.lower(): value for name, value in server.asked[0][3].items()}["authorization"] == "Bearer sk-secret"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_said_but_never_shown(serve: Any, reply: Any, client: Make, status: int) -> None:
    server = serve(lambda *_: reply({"error": "bad key sk-secret"}, status=status))
    with pytest.raises(EndpointError, match="refused the key") as caught:
        client(server.url, "sk-secret").get("/v1/models")
    assert "FORETELL_API_KEY" in caught.value.fix
    assert f"status {status}" in caught.value.got
    assert caught.value.where == f"{server.url}/v1/models"
    assert "sk-secret" not in str(caught.value)
    assert len(server.asked) == 1
    with pytest.raises(EndpointError, match="the server wants a key"):
        client(server.url).get("/v1/models")


def test_an_absent_path_is_none_to_get_and_an_error_to_post(serve: Any, reply: Any, client: Make) -> None:
    server = serve(lambda *_: reply({"error": "no model 'x'"}, status=404))
    assert client(server.url).get("/props") is None
    with pytest.raises(EndpointError, match=r"no such path or model: got status 404.*no model 'x'"):
        client(server.url).post("/v1/completions", {})


def test_a_refused_request_shows_the_servers_words(serve: Any, reply: Any, client: Make) -> None:
    server = serve(lambda *_: reply({"error": "logprobs must be at most 5"}, status=400))
    with pytest.raises(EndpointError, match=r"refused the request: got status 400.*at most 5"):
        client(server.url).post("/v1/completions", {})
    assert len(server.asked) == 1


def test_429_then_an_answer(serve: Any, reply: Any, client: Make, waits: list[float]) -> None:
    replies = iter([reply(status=429, headers={"Retry-After": "7"}), reply(status=429), reply({"ok": True})])
    server = serve(lambda *_: next(replies))
    assert client(server.url).post("/x", {}) == {"ok": True}
    assert waits == [7.0, 0.002]


def test_a_retry_after_beyond_patience_ends_at_once(serve: Any, reply: Any, client: Make, waits: list[float]) -> None:
    server = serve(lambda *_: reply(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(EndpointError, match="limit of requests is reached: got status 429"):
        client(server.url).post("/x", {})
    assert (len(server.asked), waits) == (1, [])


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failing_server_is_asked_a_bounded_number_of_times(
    serve: Any, reply: Any, client: Make, waits: list[float], status: int
) -> None:
    server = serve(lambda *_: reply({"error": "down"}, status=status))
    with pytest.raises(EndpointError, match=f"got status {status}.*within 3 attempts and 20 s"):
        client(server.url).post("/x", {})
    assert len(server.asked) == 3
    assert waits == [0.001, 0.002]


def test_waits_double_up_to_the_longest(serve: Any, reply: Any, client: Make, waits: list[float]) -> None:
    server = serve(lambda *_: reply(status=500))
    with pytest.raises(EndpointError, match="the server failed"):
        client(server.url, patience=Patience(attempts=6, first_wait_s=1, longest_wait_s=4)).post("/x", {})
    assert waits == [1, 2, 4, 4, 4]


def test_silence_is_a_timeout(serve: Any, reply: Any, client: Make) -> None:
    server = serve(lambda *_: reply(delay_s=0.6))
    with pytest.raises(EndpointError, match=r"timed out: got ReadTimeout after 0\.2 s of silence"):
        client(server.url, patience=Patience(attempts=2, first_wait_s=0.001, answer_s=0.2)).post("/x", {})
    assert len(server.asked) == 2


def test_a_cut_connection_is_tried_again(serve: Any, reply: Any, client: Make, waits: list[float]) -> None:
    replies = iter([reply({"half": "of it"}, cut=True), reply({"ok": True})])
    server = serve(lambda *_: next(replies))
    assert client(server.url).post("/x", {}) == {"ok": True}
    always = serve(lambda *_: reply({"half": "of it"}, cut=True))
    with pytest.raises(EndpointError, match="the connection was cut: got RemoteProtocolError"):
        client(always.url).post("/x", {})
    assert len(always.asked) == 3


def test_a_server_that_is_not_there(serve: Any, reply: Any, client: Make, waits: list[float]) -> None:
    server = serve(lambda *_: reply())
    url = server.url
    server.stop()
    with pytest.raises(EndpointError, match=r"cannot be reached.*Start the server"):
        client(url).get("/v1/models")
    assert len(waits) == 2


def test_html_is_not_json(serve: Any, reply: Any, client: Make) -> None:
    server = serve(lambda *_: reply(b"<html>Welcome</html>", headers={"content-type": "text/html"}))
    with pytest.raises(EndpointError, match="not JSON: got text/html: <html>Welcome"):
        client(server.url).get("/v1/models")


def test_redirects_are_not_followed_with_the_key(serve: Any, reply: Any, client: Make) -> None:
    elsewhere = serve(lambda *_: reply({"ok": True}))
    server = serve(lambda *_: reply(status=302, headers={"location": elsewhere.url}))
    with pytest.raises(EndpointError, match="status 302"):
        client(server.url, "sk-secret").get("/v1/models")
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "url",
    ["https://me:secret@host", "https://host?key=secret", "ftp://host", "host:8080", "http://", "http://host:port"],
)
def test_urls_that_are_none_or_carry_secrets(url: str) -> None:
    with pytest.raises(InputError, match="not a usable server URL") as caught:
        checked_root(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("module", ["httpx", "tenacity"])
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"'{module}' is not installed.*foretell\[endpoint\]"):
        Client("http://127.0.0.1:1", None, QUICK)
