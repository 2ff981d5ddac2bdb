"""What is decided about a request before any endpoint sees it: size, Host, Origin, and the caller's address."""

import ipaddress
import json
import re
from collections.abc import Callable, Container, Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from authserver.web.vouching import ENVIRON

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_MAX_DIGITS = 18  # more than any length has
_EMBED_PAGE = re.compile(r"/appetize/embed/[A-Za-z0-9_]{1,64}")
_EMBED_CALL = re.compile(rf"{_EMBED_PAGE.pattern}/[a-z]+")
AT_EMBED_ORIGIN = "authserver.at_embed_origin"
"""Set in the WSGI environment: whether the request came to the embed page's origin, and not to the issuer."""

OwnOrigins = Callable[[str], Container[str]]
"""Gives the origins that are allow-listed for a path, besides the issuer's own."""


Vouched = Callable[[str], str | None]
"""Gives the address that our own console vouches for in a header, None where it does not."""


TurnedAway = Callable[[str, str, str], None]
"""Is told the address, the error and the private reason of every refusal."""


class _Refused(NamedTuple):
    """What is answered, and the reason that is counted."""

    reason: str
    status: str
    words: str


_TOO_LARGE = _Refused("request.too_large", "413 Content Too Large", "The request is too large.")


class Anything:
    """Contains everything."""

    def __contains__(self, _item: object) -> bool:
        """Say yes."""
        return True


class Limits:
    """WSGI middleware: reads the whole body within its limit, chunked or not, and refuses what is foreign."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        app: "WSGIApplication",
        *,
        issuer: str,
        embed_origin: str,
        max_body_bytes: int,
        trusted_proxies: Iterable[str],
        vouched: Vouched,
        allowed_origins: OwnOrigins,
        headers: Mapping[str, str],
        turned_away: TurnedAway,
    ) -> None:
        """Guard `app`, which is reached as `issuer`; answers given here carry `headers`, as all others do.

        At `embed_origin`, empty for none, the embed pages answer and nothing else; nor do they at the issuer.
        """
        self._app = app
        self._issuer = issuer
        self._hosts = _hosts(issuer)
        self._embed_origin = embed_origin
        self._embed_hosts = _hosts(embed_origin) if embed_origin else frozenset()
        self._max_body_bytes = max_body_bytes
        self._proxies = tuple(trusted_proxies)
        self._vouched = vouched
        self._allowed_origins = allowed_origins
        self._headers = tuple(headers.items())
        self._turned_away = turned_away

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request that is refused here, or pass it on."""
        environ["REMOTE_ADDR"] = self._address(environ)
        refused = self._refused(environ)
        if refused is not None:
            self._turned_away(environ["REMOTE_ADDR"], "invalid_request", refused.reason)
            return _answer(start_response, environ, refused.status, refused.words, self._headers)
        return self._app(environ, start_response)

    def _refused(self, environ: "WSGIEnvironment") -> _Refused | None:
        path, host = str(environ.get("PATH_INFO", "")), str(environ.get("HTTP_HOST", "")).lower()
        at_embed_origin = environ[AT_EMBED_ORIGIN] = host in self._embed_hosts
        if "\0" in path and path not in _PROBES:
            return _bad("request.path", "The path is not one.")
        if at_embed_origin:
            return self._refused_at_embed_origin(environ, path) or self._read_body(environ)
        if path in _PROBES:
            return None
        if host not in self._hosts or self._is_of_embed_origin(path, environ["REQUEST_METHOD"]):
            return _bad("request.host", "The Host header does not name this server.")
        origin = environ.get("HTTP_ORIGIN")
        if (
            origin is not None
            and environ["REQUEST_METHOD"] not in _SAFE_METHODS
            and origin != self._issuer
            and origin not in self._allowed_origins(path)
        ):
            return _Refused("request.origin", "403 Forbidden", "The Origin is not allowed here.")
        return self._read_body(environ)

    def _is_of_embed_origin(self, path: str, method: str) -> bool:
        """Tell whether something answers at the embed origin alone: at the issuer an embed page is only asked for."""
        asked_for = _EMBED_PAGE.fullmatch(path) is not None and method in _SAFE_METHODS
        return bool(self._embed_hosts) and path.startswith("/appetize/embed/") and not asked_for

    def _refused_at_embed_origin(self, environ: "WSGIEnvironment", path: str) -> _Refused | None:
        """Let the embed pages and what they are made of answer: forms from the issuer, calls from the page itself."""
        safe, opens = environ["REQUEST_METHOD"] in _SAFE_METHODS, _EMBED_PAGE.fullmatch(path) is not None
        if not (opens or _EMBED_CALL.fullmatch(path) or (safe and path.startswith("/static/"))):
            return _bad("request.host", "The Host header does not name this server.")
        if not safe and environ.get("HTTP_ORIGIN") != (self._issuer if opens else self._embed_origin):
            return _Refused("request.origin", "403 Forbidden", "The Origin is not allowed here.")
        return None

    def _read_body(self, environ: "WSGIEnvironment") -> _Refused | None:
        declared = str(environ.get("CONTENT_LENGTH") or "")
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        refused = self._length_refused(declared, chunked=chunked)
        if refused is not None:
            return refused
        body = _read(environ["wsgi.input"], self._max_body_bytes + 1 if chunked else int(declared or 0))
        if len(body) > self._max_body_bytes:
            return _TOO_LARGE
        if declared and len(body) < int(declared):
            return _bad("request.cut_short", "The request is shorter than its Content-Length.")
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = BytesIO(body)
        return None

    def _length_refused(self, declared: str, *, chunked: bool) -> _Refused | None:
        if declared and chunked:
            return _bad("request.framing", "Content-Length and Transfer-Encoding exclude each other.")
        if declared and not (declared.isascii() and declared.isdigit()):
            return _bad("request.framing", "The Content-Length is not a number.")
        if len(declared) > _MAX_DIGITS or int(declared or 0) > self._max_body_bytes:
            return _TOO_LARGE
        return None

    def _address(self, environ: "WSGIEnvironment") -> str:
        """Return the peer's address, or the one that a configured proxy vouches for, nearest first, or our console."""
        if ENVIRON in environ and (vouched := self._vouched(str(environ[ENVIRON]))) is not None:
            return _plain_address(vouched)
        address = _plain_address(str(environ.get("REMOTE_ADDR", "")))
        hops = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",") if self._proxies else []
        for hop in reversed([hop.strip() for hop in hops if hop.strip()]):
            if not self._trusted(address):
                break
            address = _plain_address(hop)
        return address

    def _trusted(self, address: str) -> bool:
        return any(address_in(address, network) for network in self._proxies)


def _bad(reason: str, words: str) -> _Refused:
    return _Refused(reason, "400 Bad Request", words)


def address_in(address: str, network: str) -> bool:
    """Tell whether an address lies in a network; what is no address lies in none."""
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network)
    except ValueError:
        return False


def _hosts(issuer: str) -> frozenset[str]:
    """Return the Host headers that name the issuer: with and without the port that its scheme implies."""
    parts = urlsplit(issuer)
    host, implied = parts.netloc.lower(), {"https": ":443", "http": ":80"}[parts.scheme]
    return frozenset({host, host.removesuffix(implied), host if parts.port else host + implied})


def _plain_address(text: str) -> str:
    """Return an address in its one form, an IPv4 address that IPv6 carries as what it is; empty if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _read(stream: Any, size: int) -> bytes:  # noqa: ANN401 - any WSGI server's stream
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _answer(
    start_response: "StartResponse",
    environ: "WSGIEnvironment",
    status: str,
    words: str,
    headers: Iterable[tuple[str, str]],
) -> Iterable[bytes]:
    problem = str(environ.get("PATH_INFO", "")).startswith(("/api/", "/appetize/"))
    code, _, title = status.partition(" ")
    body = (
        {"type": "about:blank", "title": title, "status": int(code), "detail": words}
        if problem
        else {"error": "invalid_request", "error_description": words}
    )
    text = json.dumps(body).encode()
    own = [
        ("Content-Type", "application/problem+json" if problem else "application/json"),
        ("Content-Length", str(len(text))),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
    ]
    start_response(status, [*own, *headers])
    return [text]
