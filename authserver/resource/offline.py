"""Verifying a token without asking (RFC 9068 §4). Blind until `exp` to whatever ended meanwhile."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from authserver.resource.published import Published
from authserver.resource.refusals import InvalidTokenError

ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
_TYP = frozenset({"at+jwt", "application/at+jwt"})
_LEEWAY_SECONDS = 30
_REQUIRED = ("iss", "sub", "client_id", "jti")


class Offline:
    """Verifies by the issuer's published keys."""

    def __init__(self, issuer: str, resource: str, published: Published, now: Callable[[], float]) -> None:
        """Verify what `issuer` signed for `resource`."""
        self._issuer = issuer
        self._resource = resource
        self._published = published
        self._now = now

    def claims(self, unverified_token: str) -> Mapping[str, Any]:
        """Return the claims of a genuine token for this resource. Raises InvalidTokenError or UnavailableError."""
        try:
            claims = json.loads(self._payload(unverified_token.encode("ascii")))
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidTokenError("token.not_genuine") from error
        if not isinstance(claims, dict):
            raise InvalidTokenError("token.not_genuine")
        self._check(claims)
        return claims

    def _payload(self, unverified_token: bytes) -> bytes:
        header = jws.extract_compact(unverified_token).headers()
        alg, kid = header.get("alg"), header.get("kid")
        if str(header.get("typ")).lower() not in _TYP or "crit" in header:
            raise InvalidTokenError("token.header")
        if alg not in ALGORITHMS or not isinstance(kid, str):
            raise InvalidTokenError("token.algorithm")
        key = self._published.key(kid)
        if key is None or key.as_dict(private=False).get("alg", alg) != alg:
            raise InvalidTokenError("token.key")
        return jws.deserialize_compact(unverified_token, key, algorithms=[alg]).payload

    def _check(self, claims: Mapping[str, Any]) -> None:
        """Check what RFC 9068 §4 has checked: issuer, audience, and the times with a little leeway."""
        audience, now = claims.get("aud"), self._now()
        if claims.get("iss") != self._issuer:
            raise InvalidTokenError("token.issuer")
        if self._resource not in (audience if isinstance(audience, list) else [audience]):
            raise InvalidTokenError("token.audience")
        if not all(isinstance(claims.get(name), str) for name in _REQUIRED):
            raise InvalidTokenError("token.claims")
        expires_at = claims.get("exp")
        if type(expires_at) is not int or now >= expires_at + _LEEWAY_SECONDS:
            raise InvalidTokenError("token.expired")
        for begins in (claims.get("iat"), claims.get("nbf", 0)):
            if type(begins) is not int or begins > now + _LEEWAY_SECONDS:
                raise InvalidTokenError("token.not_yet")
