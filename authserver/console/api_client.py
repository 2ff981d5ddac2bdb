"""The one way in which the console speaks to the server: HTTP with time-outs, a token, and JSON."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

_TIMEOUT = (2.0, 10.0)
"""Seconds to connect, and between two pieces of an answer."""
_STREAM_TIMEOUT = (2.0, 30.0)
"""The server breaks every silence of a stream after ten."""
_WAIT_SECONDS = 5.0
_MAX_BYTES = 4 * 1024 * 1024
_CHUNK = 65536
_PATH = re.compile(r"(/(?!\.+(/|$))[A-Za-z0-9_.~+-]+)+")
"""Where a call can go: nothing that stood in a page's address makes it another place than was meant."""

_VERSION = re.compile(r"[0-9a-f]{1,64}")


class ApiRefusedError(Exception):
    """The API refused; `words` are its own, made for people, and `members` what else it says (RFC 9457)."""

    def __init__(self, status: int, members: Mapping[str, Any]) -> None:
        """Read problem details, or the error of an OAuth endpoint (RFC 6749 §5.2)."""
        self.status = status
        self.members = dict(members)
        self.error = _text(members.get("error"))
        self.words = _text(members.get("detail") or members.get("error_description")) or "The server refused this."
        super().__init__(f"{status} {self.error}")

    @property
    def invalid(self) -> tuple[str, ...]:
        """The places of a request that did not fit the schema."""
        found = self.members.get("invalid")
        return tuple(map(str, found)) if isinstance(found, list) else ()


class ApiUnavailableError(Exception):
    """The server did not answer in time, or not in JSON; or too much is under way."""


class ApiClient:
    """Calls the server at `server_url`, which answers to the host of `issuer`; so many calls at once."""

    def __init__(
        self,
        issuer: str,
        server_url: str,
        *,
        max_calls: int,
        forwarded: Callable[[str], Mapping[str, str]],
        http: requests.Session | None = None,
    ) -> None:
        """Speak over `http`; by default over a pool of connections that keeps no cookies and heeds no environment.

        `forwarded` gives the headers that tell a person's address, so that the server believes it.
        """
        self._forwarded = forwarded
        self._server_url = server_url
        self._headers = {"Host": urlsplit(issuer).netloc, "User-Agent": "authserver-console"}
        self._slots = threading.BoundedSemaphore(max_calls)
        self.http = http or _session(max_calls)

    def call(  # noqa: PLR0913 - what an HTTP request consists of
        self,
        method: str,
        path: str,
        token: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,  # noqa: ANN401 - JSON
        address: str = "",
        patience: float | None = None,
        version: str | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """Call the API with a person's token; return its JSON. Raises ApiRefusedError or ApiUnavailableError.

        `address` is the person's; `patience` is how many seconds the server may take, where that is more than usual;
        `version` is what the call is meant for, where anything else is to be refused (RFC 9110 §13.1.1).
        """
        timeout = _TIMEOUT if patience is None else (_TIMEOUT[0], patience)
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", **self._forwarded(address)}
        if version is not None:
            headers["If-Match"] = f'"{version if _VERSION.fullmatch(version) else ""}"'
        with self._answer(method, path, params=_given(query), json=body, headers=headers, timeout=timeout) as response:
            return _read(response)

    def form(self, path: str, form: Mapping[str, str], client: tuple[str, str]) -> dict[str, Any]:
        """Post a form as a client (RFC 6749 §2.3.1)."""
        with self._answer("POST", path, data=dict(form), auth=client, headers={}) as response:
            found = _read(response)
        return found if isinstance(found, dict) else {}

    def stream(self, path: str, token: str, *, query: Mapping[str, Any] | None = None, address: str = "") -> Any:  # noqa: ANN401
        """Open an answer of any length: an iterator of bytes with `headers` and `close()`; it takes no slot."""
        headers = {"Authorization": f"Bearer {token}", **self._forwarded(address)}
        response = self._send("GET", path, params=_given(query), headers=headers, timeout=_STREAM_TIMEOUT)
        if response.status_code != HTTPStatus.OK:
            with response:
                _read(response)
            raise ApiUnavailableError("stream")
        return Opened(response)

    @contextmanager
    def _answer(self, method: str, path: str, **more: Any) -> Iterator[requests.Response]:  # noqa: ANN401 - requests' own
        if not self._slots.acquire(timeout=_WAIT_SECONDS):
            raise ApiUnavailableError("too many calls at once")
        try:
            with self._send(method, path, **{"timeout": _TIMEOUT, **more}) as response:
                yield response
        finally:
            self._slots.release()

    def _send(self, method: str, path: str, *, headers: Mapping[str, str], **more: Any) -> requests.Response:  # noqa: ANN401
        if _PATH.fullmatch(path) is None:
            raise ApiRefusedError(HTTPStatus.NOT_FOUND, {})
        try:
            return self.http.request(
                method,
                self._server_url + path,
                headers={**self._headers, **headers},
                allow_redirects=False,
                stream=True,
                **more,
            )
        except requests.RequestException as error:
            raise ApiUnavailableError(type(error).__name__) from error


class Opened:
    """An answer that is read as it comes."""

    def __init__(self, response: requests.Response) -> None:
        """Read `response`, and close it in the end."""
        self._response = response
        self.headers: Mapping[str, str] = response.headers
        self.whole = False
        """Whether it came to its own end."""

    def __iter__(self) -> Iterator[bytes]:
        """Give what comes: each chunk at once where the server sends chunks; a broken connection is the end."""
        try:
            yield from self._response.iter_content(_CHUNK)
            self.whole = True
        except requests.RequestException:
            return
        finally:
            self.close()

    def close(self) -> None:
        """Leave."""
        self._response.close()


def _read(response: requests.Response) -> Any:  # noqa: ANN401 - JSON
    """Return an answer's JSON; anything else, and anything too large, is no answer."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind == "text/event-stream":  # it has no end, and would hold its place until then
        raise ApiUnavailableError("not JSON")
    try:
        content = b""
        for chunk in response.iter_content(_CHUNK):
            content += chunk
            if len(content) > _MAX_BYTES:
                raise ApiUnavailableError("too large")
        found = json.loads(content) if content else {}
    except (requests.RequestException, ValueError) as error:
        raise ApiUnavailableError(type(error).__name__) from error
    if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return found
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ApiUnavailableError(f"status {response.status_code}")
    raise ApiRefusedError(response.status_code, found if isinstance(found, dict) else {})


def _session(connections: int) -> requests.Session:
    http = requests.Session()
    http.trust_env = False
    http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=connections)
    http.mount("https://", adapter)
    http.mount("http://", adapter)
    return http


def _given(query: Mapping[str, Any] | None) -> dict[str, Any]:
    """Leave out what is empty: a filter that was not set."""
    return {name: value for name, value in (query or {}).items() if value not in {None, ""}}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
