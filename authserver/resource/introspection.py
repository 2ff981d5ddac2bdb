"""Asking the authorization server about a token (RFC 7662): the only way to hear at once that it ended."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from authserver.resource.published import Published
from authserver.resource.refusals import InvalidTokenError, UnavailableError
from authserver.resource.transport import Transport

_MAX_KEPT = 4096


class Introspection:
    """Asks as one resource server; says yes from memory only where that was asked for, and never with `act`."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        issuer: str,
        resource: str,
        client: tuple[str, str],
        published: Published,
        transport: Transport,
        *,
        cache_seconds: float,
        now: Callable[[], float],
    ) -> None:
        """Ask as `client`; keep a plain token's yes for `cache_seconds`."""
        self._issuer = issuer
        self._resource = resource
        self._client = client
        self._published = published
        self._transport = transport
        self._cache_seconds = cache_seconds
        self._now = now
        self._kept: OrderedDict[bytes, tuple[float, Mapping[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def claims(self, unverified_token: str) -> Mapping[str, Any]:
        """Return what a living token for this resource says. Raises InvalidTokenError or UnavailableError."""
        name = hashlib.sha256(unverified_token.encode()).digest()
        known = self._recall(name)
        if known is not None:
            return known
        answer = self._transport.post(
            self._published.metadata().introspection_endpoint,
            self._client,
            data={"token": unverified_token, "token_type_hint": "access_token"},
        )
        if answer.status != 200:  # noqa: PLR2004 - OK; a 401 is about our own credentials, not about the token
            raise UnavailableError(f"introspection.status_{answer.status}")
        self._check(answer.body)
        self._keep(name, answer.body)
        return answer.body

    def _check(self, answer: Mapping[str, Any]) -> None:
        if type(answer.get("active")) is not bool:
            raise UnavailableError("introspection.no_answer")
        if not answer["active"]:
            raise InvalidTokenError("token.inactive")
        audience, expires_at = answer.get("aud"), answer.get("exp")
        if answer.get("iss") != self._issuer:
            raise InvalidTokenError("token.issuer")
        if self._resource not in (audience if isinstance(audience, list) else [audience]):
            raise InvalidTokenError("token.audience")
        if type(expires_at) is not int:
            raise InvalidTokenError("token.claims")

    def _recall(self, name: bytes) -> Mapping[str, Any] | None:
        with self._lock:
            until, answer = self._kept.get(name, (0.0, {}))
            return answer if self._now() < until else None

    def _keep(self, name: bytes, answer: Mapping[str, Any]) -> None:
        if not self._cache_seconds or "act" in answer or "impersonation" in answer:
            return
        with self._lock:
            self._kept[name] = (min(self._now() + self._cache_seconds, answer["exp"]), answer)
            self._kept.move_to_end(name)
            if len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
