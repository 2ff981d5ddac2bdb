"""From `unverified_token: str` to a VerifiedToken: signature, claims, and the state of everything it hangs on."""

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from authserver.clock import Clock
from authserver.protocol.actors import Actor, MalformedClaimError, MayAct
from authserver.protocol.names import Kind, State
from authserver.protocol.tokens import Authentication, VerifiedToken
from authserver.storage import DbSession, tokens
from authserver.storage.tokens import TokenState
from authserver.tokens.keyring import Keyring

_TYP = {"at+jwt": Kind.ACCESS, "application/at+jwt": Kind.ACCESS, "jwt": Kind.ID}
_HEADER = frozenset({"typ", "alg", "kid"})


class UntrustworthyTokenError(Exception):
    """A token that is not genuine or not alive; `reason` is for log and trail only."""

    def __init__(self, reason: str) -> None:
        """Refuse a token for a private reason."""
        super().__init__(reason)
        self.reason = reason


class Verifier:
    """Verifies tokens of this server. Every call reads the present state from the database."""

    def __init__(self, issuer: str, max_bytes: int, keyring: Keyring, clock: Clock) -> None:
        """Verify what `issuer` signed; a token longer than `max_bytes` is refused unread."""
        self._issuer = issuer
        self._max_bytes = max_bytes
        self._keyring = keyring
        self._clock = clock

    def verify(
        self, session: DbSession, unverified_token: str, kinds: frozenset[Kind], *, bound: bool = False
    ) -> VerifiedToken:
        """Return what a living token of one of `kinds` says, or raise UntrustworthyTokenError.

        One that is bound to a key is refused, unless the caller takes it with `bound` and asks for the proof itself,
        or lets nobody in by it.
        """
        kind, claims, kid = self._genuine(session, unverified_token)
        if kind not in kinds:
            raise UntrustworthyTokenError("token.wrong_type")
        state = tokens.state(session, _text(claims, "jti"))
        if state is None:
            raise UntrustworthyTokenError("token.unregistered")
        self._check_claims(claims, state, kind, kid)
        check_alive(state, now=self._clock.now())
        if "cnf" in claims and not bound:
            raise UntrustworthyTokenError("token.bound")
        return _verified(kind, claims, state)

    def verify_hint(self, session: DbSession, unverified_token: str) -> VerifiedToken:
        """Return what a genuine ID token says, expired or not: a hint proves nothing more (OIDC Core §3.1.2.1)."""
        kind, claims, kid = self._genuine(session, unverified_token)
        state = tokens.state(session, _text(claims, "jti"))
        if kind is not Kind.ID or state is None or (state.token.kind, state.token.kid) != (kind, kid):
            raise UntrustworthyTokenError("token.wrong_type")
        if claims.get("iss") != self._issuer or claims.get("aud") != state.token.client_id:
            raise UntrustworthyTokenError("token.mismatch")
        return _verified(kind, claims, state)

    def _genuine(self, session: DbSession, unverified_token: str) -> tuple[Kind, dict[str, Any], str]:
        if len(unverified_token) > self._max_bytes:
            raise UntrustworthyTokenError("token.oversized")
        try:
            unverified = jws.extract_compact(unverified_token.encode("ascii"))
            header = unverified.headers()
            kind, kid = _TYP[str(header["typ"]).lower()], str(header["kid"])
            if not set(header) <= _HEADER:
                raise UntrustworthyTokenError("token.header")
            key = self._keyring.verification_key(session, kid)
            if key is None:
                raise UntrustworthyTokenError("token.key")
            alg, public_key = key
            verified = jws.deserialize_compact(unverified_token.encode("ascii"), public_key, algorithms=[alg])
            claims = json.loads(verified.payload)
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UntrustworthyTokenError("token.not_genuine") from error
        if not isinstance(claims, dict):
            raise UntrustworthyTokenError("token.not_genuine")
        return kind, claims, kid

    def _check_claims(self, claims: Mapping[str, Any], state: TokenState, kind: Kind, kid: str) -> None:
        row, now = state.token, self._clock.now()
        if claims.get("iss") != self._issuer:
            raise UntrustworthyTokenError("token.issuer")
        if claims.get("exp") != row.expires_at or claims.get("iat") != row.issued_at or now >= row.expires_at:
            raise UntrustworthyTokenError("token.expired")
        if (row.kind, row.kid) != (kind, kid):
            raise UntrustworthyTokenError("token.mismatch")
        party = claims.get("client_id") if kind is Kind.ACCESS else claims.get("aud")
        if party != row.client_id:
            raise UntrustworthyTokenError("token.client")


def check_alive(state: TokenState, *, now: int) -> None:
    """Raise unless client, user, session and impersonation behind a token all live (design section 4, "at once")."""
    if state.token.revoked_at is not None:
        raise UntrustworthyTokenError("token.revoked")
    if not state.client_enabled:
        raise UntrustworthyTokenError("client.disabled")
    if state.token.user_id is not None and (state.user is None or not state.user.enabled or state.session is None):
        raise UntrustworthyTokenError("user.disabled")
    session = state.session
    if session is not None and (session.ended_at is not None or now >= session.expires_at):
        raise UntrustworthyTokenError("session.ended")
    impersonation = state.impersonation
    if impersonation is None:
        return
    limits = [limit for limit in (impersonation.expires_at, impersonation.grace_until) if limit is not None]
    if impersonation.state != State.ACTIVE or impersonation.expires_at is None or now >= min(limits):
        raise UntrustworthyTokenError("impersonation.ended")


def _verified(kind: Kind, claims: Mapping[str, Any], state: TokenState) -> VerifiedToken:
    try:
        act = Actor.parse(claims["act"]) if "act" in claims else None
        may_act = MayAct.parse(claims["may_act"]) if "may_act" in claims else None
    except MalformedClaimError as error:
        raise UntrustworthyTokenError("token.actor_claim") from error
    audience = claims["aud"]
    session = state.session
    return VerifiedToken(
        kind=kind,
        jti=state.token.jti,
        sub=_text(claims, "sub"),
        client_id=state.token.client_id,
        user_id=state.token.user_id,
        audience=frozenset([audience] if isinstance(audience, str) else audience),
        scope=frozenset(str(claims.get("scope", "")).split()),
        issued_at=state.token.issued_at,
        expires_at=state.token.expires_at,
        act=act,
        may_act=may_act,
        impersonation_id=state.token.impersonation_id,
        family_id=state.token.family_id,
        jkt=_text(claims["cnf"], "jkt") if "cnf" in claims else None,
        authentication=None
        if session is None
        else Authentication(session.id, session.auth_time, session.acr, session.address, session.expires_at),
        claims=claims,
    )


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise UntrustworthyTokenError("token.claims")
    return value
