"""From `unverified_token: str` of a trusted issuer to a ForeignToken: header, signature, claims (RFC 8725 §3)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from authserver.clock import Clock
from authserver.federation.cache import Cached
from authserver.federation.claims import identifier, instant, strings, text
from authserver.federation.foreign import ForeignToken
from authserver.federation.jwks import PublishedKey, PublishedKeys
from authserver.federation.refusals import UntrustworthyError
from authserver.protocol.actors import MalformedClaimError, MayAct
from authserver.protocol.names import Population
from authserver.settings_federation import TrustedIssuer

_ID_TYPES = frozenset({"", "jwt"})
_AT_TYPES = frozenset({"at+jwt", "application/at+jwt"})
_PAYLOAD_TYPES = {"id_token": frozenset({"ID", "JWT"}), "access_token": frozenset({"Bearer", "JWT", "at+jwt"})}
_PARTIES = ("azp", "client_id", "cid", "appid")
_ACCESS_TOKEN_CLAIMS = frozenset({"scope", "scp"})


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token taken apart; nothing in it is believed yet."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @classmethod
    def read(cls, unverified_token: str, max_bytes: int) -> "Unverified":
        """Take a compact JWS of JSON objects apart. Raises UntrustworthyError."""
        if len(unverified_token) > max_bytes:
            raise UntrustworthyError("foreign.oversized")
        try:
            parts = jws.extract_compact(unverified_token.encode("ascii"))
            header, claims = parts.headers(), json.loads(parts.payload)
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UntrustworthyError("foreign.malformed") from error
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise UntrustworthyError("foreign.malformed")
        return cls(unverified_token, header, claims)


class Verification:
    """Verifies one issuer's tokens."""

    def __init__(self, name: str, settings: TrustedIssuer, keys: Cached[PublishedKeys], clock: Clock) -> None:
        """Verify by the keys of an issuer, and by its settings."""
        self._name = name
        self._settings = settings
        self._keys = keys
        self._clock = clock

    def verify(self, token: Unverified, kinds: frozenset[str]) -> ForeignToken:
        """Return what a token of one of `kinds` says. Raises FederationError.

        Kinds are access_token, id_token, jwt (either), and sign_in: an ID token that the issuer itself handed over.
        """
        if token.claims.get("iss") != self._settings.issuer:
            raise UntrustworthyError("foreign.issuer")
        self._check_type(token, kinds)
        self.check_signature(token)
        return self._foreign(token)

    def _check_type(self, token: Unverified, kinds: frozenset[str]) -> None:
        """Refuse a token of another type than declared, and whatever is no token of a person (RFC 8725 §3.11)."""
        header, claims = token.header, token.claims
        typ = header.get("typ", "")
        if "crit" in header or not isinstance(typ, str):
            raise UntrustworthyError("foreign.header")
        typ = typ.lower()
        is_access = typ in _AT_TYPES
        if "events" in claims or "cnf" in claims:
            raise UntrustworthyError("foreign.events" if "events" in claims else "foreign.sender_constrained")
        signs_in = typ in _ID_TYPES and _says(claims, "id_token")
        as_id = signs_in and not claims.keys() & _ACCESS_TOKEN_CLAIMS
        plain_access = typ in _ID_TYPES and "jwt" in self._settings.access_token_types and "nonce" not in claims
        as_access = (is_access or plain_access) and _says(claims, "access_token")
        fits = {"sign_in": signs_in, "id_token": as_id, "access_token": as_access, "jwt": as_id or as_access}
        if not any(fits[kind] for kind in kinds):
            raise UntrustworthyError("foreign.type")

    def check_signature(self, token: Unverified) -> None:
        """Refuse what the issuer has not signed, by an algorithm and a key that are its own. Raises FederationError."""
        alg, kid = token.header.get("alg"), token.header.get("kid")
        if alg not in self._settings.algorithms or not (kid is None or isinstance(kid, str)):
            raise UntrustworthyError("foreign.algorithm")
        keys: PublishedKeys | None = self._keys.get()
        reason = "foreign.key"
        while keys is not None:
            key = keys.select(kid, str(alg))
            if key is not None and _signed(token, key, str(alg)):
                return
            reason = "foreign.key" if key is None else "foreign.signature"
            keys = self._keys.newer(keys)
        raise UntrustworthyError(reason)

    def _foreign(self, token: Unverified) -> ForeignToken:
        claims, settings, now = token.claims, self._settings, self._clock.now()
        issued_at, expires_at = instant(claims, "iat"), instant(claims, "exp")
        self.check_times(claims, issued_at, expires_at, now)
        auth_time = instant(claims, "auth_time", 0)
        if auth_time > now + settings.leeway:
            raise UntrustworthyError("foreign.auth_time")
        if not auth_time and settings.auth_time_from_iat:
            auth_time = issued_at
        acr, audience = text(claims, "acr", ""), strings(claims, "aud")
        return ForeignToken(
            name=self._name,
            issuer=settings.issuer,
            population=Population(settings.population),
            sub=identifier(claims, "sub"),
            audience=audience,
            issued_to=_issued_to(token, audience),
            issued_at=issued_at,
            expires_at=expires_at,
            auth_time=min(auth_time, now),
            acr=settings.acr.get(acr, "") if settings.acr else acr[:128],
            amr=tuple(sorted(strings(claims, "amr"))) if claims.get("amr") else (),
            jti=text(claims, "jti", "") or None,
            carries_act="act" in claims,
            may_act=_may_act(claims),
            fingerprint=hashlib.sha256(token.text.encode()).hexdigest(),
            claims=claims,
        )

    def check_times(self, claims: Mapping[str, Any], issued_at: int, expires_at: int, now: int) -> None:
        """Refuse what has expired, is not valid yet, or says neither."""
        leeway = self._settings.leeway
        if now >= expires_at:
            raise UntrustworthyError("foreign.expired")
        if issued_at > now + leeway or issued_at >= expires_at or instant(claims, "nbf", 0) > now + leeway:
            raise UntrustworthyError("foreign.not_yet")


def _says(claims: Mapping[str, Any], kind: str) -> bool:
    """Tell whether the type that some issuers write into the payload allows `kind`."""
    typ, use = claims.get("typ"), claims.get("token_use")
    return (typ is None or typ in _PAYLOAD_TYPES[kind]) and use in {None, kind.removesuffix("_token")}


def _signed(token: Unverified, key: PublishedKey, alg: str) -> bool:
    try:
        jws.deserialize_compact(token.text.encode("ascii"), key.key, algorithms=[alg])
    except (JoseError, ValueError, TypeError):
        return False
    return True


def _issued_to(token: Unverified, audience: frozenset[str]) -> frozenset[str]:
    """Return the client that a token was issued to; with several audiences an ID token must say (OIDC Core §2)."""
    parties = frozenset(text(token.claims, name, "") for name in _PARTIES if name in token.claims)
    if len(audience) > 1 and not parties and str(token.header.get("typ", "")).lower() not in _AT_TYPES:
        raise UntrustworthyError("foreign.azp")
    return parties


def _may_act(claims: Mapping[str, Any]) -> MayAct | None:
    try:
        return MayAct.parse(claims["may_act"]) if "may_act" in claims else None
    except MalformedClaimError as error:
        raise UntrustworthyError("foreign.claim:may_act") from error
