"""HTTP to a model server: bounded retries, and every failure as one EndpointError with what to do."""

from __future__ import annotations

import email.utils
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretell.base.errors import EndpointError, InputError, missing_extra

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

KEY_VARIABLES = ("FORETELL_API_KEY", "OPENAI_API_KEY")
_AUTH, _ABSENT, _TOO_MANY, _SERVER, _OK = frozenset({401, 403}), frozenset({404, 405}), 429, 500, 200
#: Characters of a server's answer that an error shows.
_EXCERPT = 200


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to ask again.

    Attributes:
        attempts: requests in all, the first included.
        first_wait_s: the wait before the second; it doubles each time up to longest_wait_s. A Retry-After counts
            instead, where the server sends one.
        total_s: no further attempt begins after this.
        answer_s: the longest silence within one answer.
    """

    attempts: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    total_s: float = 300.0
    connect_s: float = 10.0
    answer_s: float = 120.0


class _PassingError(Exception):
    """A failure that may pass: worth another try after wait_s (None: the usual wait)."""

    def __init__(self, error: EndpointError, wait_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.wait_s = error, wait_s


class Client:
    """JSON requests to one server; may be used from several threads.

    Args:
        root: the URL in front of /v1.
        key: sent as a bearer token, and kept out of every message.

    Raises:
        MissingExtraError: the extra `endpoint` is not installed.
        InputError: not an http(s) URL, or one that carries a password or a query, which would end up in files.
    """

    def __init__(self, root: str, key: str | None, patience: Patience) -> None:
        try:
            import httpx
            import tenacity
        except ImportError as error:
            raise missing_extra("endpoint", error.name or "httpx", where=f"endpoint:{root.split('@')[-1]}") from error
        self.root, self._key, self._patience = checked_root(root), key, patience
        self._httpx, self._tenacity = httpx, tenacity
        limit = httpx.Timeout(patience.answer_s, connect=patience.connect_s)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(headers=headers, timeout=limit)
        self.close = weakref.finalize(self, self._http.close)

    def get(self, path: str) -> Any | None:
        """The JSON at a path, or None where the server has no such path."""
        return self._ask("GET", path, None, absent_is_none=True)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer to a JSON body.

        Raises:
            EndpointError: refused, or failed for good.
        """
        return self._ask("POST", path, body, absent_is_none=False)

    def failure(self, path: str, what: str, got: str, expected: str, fix: str) -> EndpointError:
        """An EndpointError about an answer from a path."""
        return EndpointError(what, where=self.root + path, got=self._scrub(got), expected=expected, fix=fix)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None, *, absent_is_none: bool) -> Any:
        patience, tenacity = self._patience, self._tenacity
        usual = tenacity.wait_exponential(multiplier=patience.first_wait_s, max=patience.longest_wait_s)

        def wait(state: RetryCallState) -> float:
            failure = state.outcome.exception() if state.outcome else None
            asked = failure.wait_s if isinstance(failure, _PassingError) else None
            return float(usual(state) if asked is None else asked)

        retrying = tenacity.Retrying(
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(patience.attempts), tenacity.stop_before_delay(patience.total_s)
            ),
            wait=wait,
            retry=tenacity.retry_if_exception_type(_PassingError),
            reraise=True,
        )
        try:
            response = retrying(self._once, method, path, body)
        except _PassingError as passing:
            raise passing.error from passing.__cause__
        if absent_is_none and response.status_code in _ABSENT:
            return None
        self._check_status(path, response)
        try:
            return response.json()
        except ValueError as error:
            got = f"{response.headers.get('content-type', 'no content type')}: {_excerpt(response.text)}"
            fix = "Check the URL: give the part in front of /v1 of an OpenAI-compatible server."
            raise self.failure(path, "an answer that is not JSON", got, "JSON", fix) from error

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        try:
            response = self._http.request(method, self.root + path, json=body)
        except self._httpx.TimeoutException as error:
            got = f"{type(error).__name__} after {self._patience.answer_s:g} s of silence"
            if isinstance(error, self._httpx.ConnectTimeout):
                got = f"no connection within {self._patience.connect_s:g} s"
            raise self._passing(
                path, "the server timed out", got, "Check the server's load, or wait longer."
            ) from error
        except self._httpx.ConnectError as error:
            fix = "Start the server, or check host and port of the URL."
            raise self._passing(path, "the server cannot be reached", str(error), fix) from error
        except self._httpx.TransportError as error:
            fix = "Look at the server's log: it, or a proxy before it, ended the connection."
            raise self._passing(path, "the connection was cut", f"{type(error).__name__}: {error}", fix) from error
        if response.status_code == _TOO_MANY or response.status_code >= _SERVER:
            raise self._not_now(path, response)
        return response

    def _not_now(self, path: str, response: httpx.Response) -> _PassingError:
        got = f"status {response.status_code}: {_excerpt(response.text)}"
        wait_s = retry_after_s(response.headers.get("retry-after"), time.time())
        if response.status_code == _TOO_MANY:
            fix = "Wait, or ask with less concurrency; finished shards are kept, so the same command goes on."
            return self._passing(path, "the server's limit of requests is reached", got, fix, wait_s)
        return self._passing(path, "the server failed", got, "Look at the server's log, then run again.", wait_s)

    def _passing(self, path: str, what: str, got: str, fix: str, wait_s: float | None = None) -> _PassingError:
        expected = f"an answer within {self._patience.attempts} attempts and {self._patience.total_s:g} s"
        return _PassingError(self.failure(path, what, got, expected, fix), wait_s)

    def _check_status(self, path: str, response: httpx.Response) -> None:
        status = response.status_code
        if status == _OK:
            return
        if status in _AUTH:
            what = "the server refused the key" if self._key else "the server wants a key"
            fix = f"Set {KEY_VARIABLES[0]} (or {KEY_VARIABLES[1]}) to a key that this server accepts."
        elif status in _ABSENT:
            what, fix = "no such path or model", "Check the URL (the part in front of /v1) and the model's name."
        else:
            what = "the server refused the request"
            fix = "Its words are above: fewer probabilities (top), shorter prompts or another URL may be what it wants."
        raise self.failure(path, what, f"status {status}: {_excerpt(response.text)}", "status 200", fix)

    def _scrub(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def checked_root(url: str) -> str:
    """The URL in front of /v1, without a trailing slash.

    Raises:
        InputError: not http(s), or with a user, a query or a fragment.

    >>> checked_root("http://127.0.0.1:8080/v1/")
    'http://127.0.0.1:8080'
    """
    import httpx

    shown = url.split("@")[-1].split("?")[0]
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.query or parsed.fragment:
        raise InputError(
            "not a usable server URL",
            where=f"endpoint:{shown}",
            got="a user or password in it" if parsed.userinfo else "a query in it" if parsed.query else repr(shown),
            expected="http://HOST:PORT or https://HOST, with a path if the server has one",
            fix=f"Give keys in {KEY_VARIABLES[0]}, which is never written anywhere, not in the URL.",
        )
    return url.rstrip("/").removesuffix("/v1")


def retry_after_s(header: str | None, now: float) -> float | None:
    """The wait that a Retry-After header asks for, in seconds; None where there is none that can be read.

    Source: RFC 9110, 10.2.3 (seconds, or a date).

    >>> retry_after_s("7", 0.0), retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 20.0), retry_after_s(None, 0.0)
    (7.0, 40.0, None)
    """
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - now)
    except ValueError:
        return None


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line[:_EXCERPT] + ("…" if len(line) > _EXCERPT else "") or "an empty answer"
