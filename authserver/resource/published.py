"""What the authorization server publishes: its metadata (RFC 8414) and its keys (RFC 7517), kept for a while."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, KeySetSerialization

from authserver.resource.refusals import UnavailableError
from authserver.resource.transport import Transport

Value = TypeVar("Value")
_FRESH_SECONDS = 300
_STALE_SECONDS = 3600
"""How long the last good answer serves while the server cannot be asked."""
_RETRY_SECONDS = 5
"""How long nobody asks again, after a failure or a key that was not found."""
_ASYMMETRIC = frozenset({"EC", "RSA", "OKP"})


@dataclass(frozen=True, slots=True)
class Metadata:
    """The endpoints that a resource server needs."""

    introspection_endpoint: str
    jwks_uri: str


class Cached(Generic[Value]):
    """One published document: fetched by one thread at a time, kept while fresh, and a while longer in need."""

    def __init__(self, fetch: Callable[[], Value]) -> None:
        """Keep what `fetch` returns."""
        self._fetch = fetch
        self._lock = threading.Lock()
        self._value: Value | None = None
        self._fetched = self._tried = float("-inf")

    def get(self, *, newer: bool = False) -> Value:
        """Return the document, asked for anew where it is old or `newer` is wanted, but not again and again."""
        with self._lock:
            now = time.monotonic()
            fresh = self._value is not None and now - self._fetched < _FRESH_SECONDS
            if (newer or not fresh) and now - self._tried >= _RETRY_SECONDS:
                self._tried = now
                try:
                    self._value, self._fetched = self._fetch(), now
                except UnavailableError:
                    if self._value is None or now - self._fetched >= _STALE_SECONDS:
                        raise
            if self._value is None or now - self._fetched >= _STALE_SECONDS:
                raise UnavailableError("published.not_yet")
            return self._value


class Published:
    """The metadata and the keys of one issuer."""

    def __init__(self, issuer: str, transport: Transport) -> None:
        """Ask `issuer`."""
        self._issuer = issuer
        self._transport = transport
        self._metadata = Cached(self._fetch_metadata)
        self._keys = Cached(self._fetch_keys)

    def metadata(self) -> Metadata:
        """Return the metadata. Raises UnavailableError."""
        return self._metadata.get()

    def key(self, kid: str) -> Key | None:
        """Return a signing key; one that is not known may have been published just now (rotation)."""
        found = self._keys.get().get(kid)
        return found if found is not None else self._keys.get(newer=True).get(kid)

    def _fetch_metadata(self) -> Metadata:
        """Read the metadata, whose issuer must be the one that was asked, to the byte (RFC 8414 §3.3)."""
        parts = urlsplit(self._issuer)
        path = parts.path.rstrip("/")
        url = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{path}"
        answer = self._transport.get(url)
        if answer.status != 200 or answer.body.get("issuer") != self._issuer:  # noqa: PLR2004 - OK
            raise UnavailableError("metadata.issuer")
        found = [answer.body.get(name) for name in ("introspection_endpoint", "jwks_uri")]
        if not all(isinstance(url, str) for url in found):
            raise UnavailableError("metadata.endpoints")
        return Metadata(str(found[0]), str(found[1]))

    def _fetch_keys(self) -> dict[str, Key]:
        answer = self._transport.get(self._metadata.get().jwks_uri)
        keys = answer.body.get("keys")
        if answer.status != 200 or not isinstance(keys, list):  # noqa: PLR2004 - OK
            raise UnavailableError("keys.none")
        return {str(entry["kid"]): key for entry in keys if (key := _readable(entry)) is not None}


def _readable(entry: object) -> Key | None:
    """Return a public signing key with a name; what is not known is ignored (RFC 7517 §5)."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("kid"), str):
        return None
    if entry.get("kty") not in _ASYMMETRIC or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    try:
        content: dict[str, Any] = {"keys": [dict(entry)]}
        return KeySet.import_key_set(cast("KeySetSerialization", content)).keys[0]
    except (JoseError, LookupError, TypeError, ValueError):
        return None
