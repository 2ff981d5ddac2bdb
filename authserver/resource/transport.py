"""How the authorization server is asked: its own origin, briefly, without redirects, for JSON of bounded size."""

import ipaddress
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

import requests

from authserver.resource.refusals import UnavailableError

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
_CHUNK = 16_384
_REDIRECTS = range(300, 400)
_SERVER_ERRORS = range(500, 600)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the JSON object that came with it; empty where there was none."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, in seconds, and how much, in bytes, an answer may take."""

    connect: float = 2.0
    read: float = 5.0
    total: float = 10.0
    body: int = 262_144


class Transport:
    """Speaks to one issuer, with a session a thread. All that goes wrong on the way is an UnavailableError."""

    def __init__(self, issuer: str, session: Callable[[], requests.Session], limits: Limits) -> None:
        """Speak to `issuer`: https, or on this machine http."""
        parts = urlsplit(issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(parts.hostname or "")):
            raise ValueError("the issuer must be an https URL, or an http one of this machine")
        if parts.query or parts.fragment or not parts.hostname or "@" in parts.netloc:
            raise ValueError("the issuer must be a URL without query, fragment and user")
        self._origin = (parts.scheme, parts.netloc)
        self._session = session
        self._limits = limits
        self._local = threading.local()

    def get(self, url: str) -> Answer:
        """GET a JSON object."""
        return self._ask("GET", url)

    def post(self, url: str, client: tuple[str, str], **content: Any) -> Answer:  # noqa: ANN401 - requests' own
        """POST `data` or `json` as a client (RFC 6749 §2.3.1: each part form-encoded)."""
        client_id, secret = map(quote_plus, client)
        return self._ask("POST", url, auth=(client_id, secret), **content)

    def _ask(self, method: str, url: str, **content: Any) -> Answer:  # noqa: ANN401 - requests' own
        if not self._is_own(url):
            raise UnavailableError("transport.foreign_origin")
        until = time.monotonic() + self._limits.total
        try:
            with self._own_session().request(
                method,
                url,
                headers=_HEADERS,
                timeout=(self._limits.connect, self._limits.read),
                allow_redirects=False,
                stream=True,
                **content,
            ) as response:
                if response.status_code in _REDIRECTS:
                    raise UnavailableError("transport.redirect")
                if response.status_code in _SERVER_ERRORS:
                    raise UnavailableError("transport.server_error")
                return Answer(response.status_code, _object(self._read(response, until)))
        except (requests.RequestException, OSError) as error:
            raise UnavailableError("transport.unreachable") from error

    def _is_own(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return (parts.scheme, parts.netloc) == self._origin

    def _own_session(self) -> requests.Session:
        """Return this thread's session: requests does not promise that one can be shared."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._session()
        return session

    def _read(self, response: requests.Response, until: float) -> bytes:
        body = b""
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > self._limits.body:
                raise UnavailableError("transport.oversized")
            if time.monotonic() > until:
                raise UnavailableError("transport.timeout")
        return body


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
