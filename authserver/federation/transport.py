"""The one way in which this server speaks HTTP to a trusted issuer: to configured hosts, briefly, and for JSON only."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests

from authserver.federation import addresses
from authserver.federation.connections import CheckedAdapter, Watchdog, resolve
from authserver.federation.refusals import UnavailableError
from authserver.settings_federation import TrustedIssuer

_PORTS = {"https": 443, "http": 80}
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "authserver"}
_CHUNK = 16_384


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object, and the status that it came with."""

    status: int
    body: Mapping[str, Any]


class Transport:
    """Asks one issuer's hosts. Everything that goes wrong is an UnavailableError with its own reason."""

    def __init__(self, issuer: TrustedIssuer, resolver: addresses.Resolver = resolve) -> None:
        """Speak within the limits of an issuer's settings."""
        self._limits = issuer
        self._resolver = resolver
        urls = (issuer.issuer, issuer.discovery_url, issuer.jwks_uri)
        self._hosts = {_authority(url) for url in urls if url} | {
            _authority(f"https://{host}") for host in issuer.hosts
        }

    def allows(self, url: object) -> bool:
        """Tell whether `url` is at a configured host, encrypted unless it is one of this machine's own."""
        if not isinstance(url, str) or "@" in url or not url.isascii() or any(char <= " " for char in url):
            return False
        try:
            authority = _authority(url)
        except ValueError:
            return False
        encrypted = urlsplit(url).scheme == "https" or self._limits.allow_private_addresses
        return encrypted and authority in self._hosts

    def get(self, url: str, *, bearer: str | None = None) -> Mapping[str, Any]:
        """GET a JSON object; any status but 200 is a failure."""
        answer = self._ask("GET", url, None, {} if bearer is None else {"Authorization": f"Bearer {bearer}"})
        if answer.status != HTTPStatus.OK:
            raise UnavailableError("transport.status")
        return answer.body

    def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """POST a form; a 400 or 401 is an answer too (RFC 6749 §5.2)."""
        answer = self._ask("POST", url, form, headers)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
            raise UnavailableError("transport.status")
        return answer

    def _ask(self, method: str, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str]) -> Answer:
        if not self.allows(url):
            raise UnavailableError("transport.host")
        watchdog, until = Watchdog(self._limits.total_timeout), time.monotonic() + self._limits.total_timeout
        try:
            with requests.Session() as session:
                session.trust_env = False
                session.mount("https://", CheckedAdapter(self._addresses, watchdog))
                session.mount("http://", CheckedAdapter(self._addresses, watchdog))
                with session.request(
                    method,
                    url,
                    data=form,
                    headers={**_HEADERS, **headers},
                    timeout=(self._limits.connect_timeout, self._limits.read_timeout),
                    allow_redirects=False,
                    stream=True,
                    verify=str(self._limits.ca_file) if self._limits.ca_file else True,
                ) as response:
                    return Answer(response.status_code, _object(self._read(response, until)))
        except (requests.Timeout, TimeoutError) as error:
            raise UnavailableError("transport.timeout") from error
        except requests.exceptions.SSLError as error:
            raise UnavailableError("transport.timeout" if watchdog.barked else "transport.tls") from error
        except (requests.RequestException, OSError, ValueError) as error:
            raise UnavailableError("transport.timeout" if watchdog.barked else "transport.unreachable") from error
        finally:
            watchdog.release()

    def _addresses(self, host: str, port: int, encrypted: bool) -> list[str]:  # noqa: FBT001 - its type is shared
        allow_private = self._limits.allow_private_addresses
        return addresses.checked(host, port, self._resolver, allow_private=allow_private, loopback_only=not encrypted)

    def _read(self, response: requests.Response, until: float) -> bytes:
        """Read a JSON body within size and deadline."""
        if time.monotonic() > until:
            raise UnavailableError("transport.timeout")
        if 300 <= response.status_code < 400:  # noqa: PLR2004 - every redirection
            raise UnavailableError("transport.redirect")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise UnavailableError("transport.content_type" if response.ok else "transport.status")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnavailableError("transport.content_encoding")
        body = b""
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > self._limits.max_response_bytes:
                raise UnavailableError("transport.oversized")
            if time.monotonic() > until:
                break
        if time.monotonic() > until:
            raise UnavailableError("transport.timeout")
        return body


def _authority(url: str) -> tuple[str, int]:
    """Return host and port; raises ValueError for what is no web address."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        msg = "not a web address"
        raise ValueError(msg)
    return parts.hostname.lower().rstrip("."), parts.port or _PORTS[parts.scheme]


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnavailableError("transport.not_json") from error
    if not isinstance(value, dict):
        raise UnavailableError("transport.not_json")
    return value
