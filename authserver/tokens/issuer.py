"""The one mint: every token that leaves this server is signed and registered here (RFC 9068, OIDC Core §2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt

from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.protocol.actors import Actor
from authserver.protocol.names import Kind
from authserver.protocol.refusals import Refusal
from authserver.protocol.scopes import join_scope
from authserver.storage import DbSession, tokens
from authserver.storage.database import Work
from authserver.storage.tables import Token
from authserver.tokens.keyring import Keyring, KeyringError


class NoSigningKey(Refusal):
    """`server_error`: no key signs the algorithm that a client is registered with; the log says what to do."""

    error = "server_error"
    status = 500
    words = "The server cannot sign what was asked for."


_TYP = {Kind.ACCESS: "at+jwt", Kind.ID: "JWT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a token shall say. `session_id` is the session that it dies with; `extra` are further claims."""

    kind: Kind = Kind.ACCESS
    way: str
    client_id: str
    user_id: str | None
    sub: str
    audience: tuple[str, ...]
    scope: tuple[str, ...] = ()
    expires_at: int
    session_id: str | None = None
    family_id: str | None = None
    act: Actor | None = None
    may_act: Mapping[str, str] | None = None
    impersonation_id: str | None = None
    impersonation: Mapping[str, Any] | None = None
    jkt: str | None = None
    """The thumbprint of the key that it is bound to (RFC 9449 §6.1)."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    alg: str | None = None


@dataclass(frozen=True, slots=True)
class Minted:
    """A signed token that is not alive before it is registered."""

    token: str = field(repr=False)
    jti: str
    kid: str
    issued_at: int
    draft: Draft

    @property
    def expires_in(self) -> int:
        """The life in seconds, as a token response has it."""
        return self.draft.expires_at - self.issued_at


class Issuer:
    """Signs tokens, then registers them: a token without its row is dead."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything it rests on, injected
        self,
        issuer: str,
        access_token_alg: str,
        keyring: Keyring,
        clock: Clock,
        entropy: Entropy,
        on_issued: "Callable[[Work, Minted], None]",
    ) -> None:
        """Mint as `issuer`, with `access_token_alg` unless a draft says otherwise; `on_issued` records what left."""
        self._issuer = issuer
        self._alg = access_token_alg
        self._keyring = keyring
        self._on_issued = on_issued
        self._clock = clock
        self._entropy = entropy

    def sign(self, session: DbSession, draft: Draft) -> Minted:
        """Sign a draft; slow, so outside the write transaction."""
        try:
            key = self._keyring.signing_key(session, draft.alg or self._alg)
        except KeyringError as error:
            raise NoSigningKey("key.none") from error
        now, jti = self._clock.now(), self._entropy.identifier("jti")
        claims = self._claims(draft, now, jti)
        header = {"typ": _TYP[draft.kind], "alg": key.alg, "kid": key.kid}
        return Minted(jwt.encode(header, claims, key.key, algorithms=[key.alg]), jti, key.kid, now, draft)

    def _claims(self, draft: Draft, now: int, jti: str) -> dict[str, Any]:
        audience: str | list[str] = draft.audience[0] if len(draft.audience) == 1 else list(draft.audience)
        claims: dict[str, Any] = {
            **draft.extra,
            "iss": self._issuer,
            "sub": draft.sub,
            "aud": audience,
            "exp": draft.expires_at,
            "iat": now,
            "jti": jti,
        }
        if draft.kind is Kind.ACCESS:
            claims |= {"client_id": draft.client_id, "scope": join_scope(draft.scope)}
        if draft.act is not None:
            claims["act"] = draft.act.claim()
        if draft.may_act is not None:
            claims["may_act"] = dict(draft.may_act)
        if draft.impersonation is not None:
            claims["impersonation"] = dict(draft.impersonation)
        if draft.jkt is not None:
            claims["cnf"] = {"jkt": draft.jkt}
        return claims

    def register(self, work: Work, minted: Minted) -> None:
        """Let a signed token live, and record that it left."""
        draft = minted.draft
        tokens.add(
            work.session,
            Token(
                jti=minted.jti,
                kind=draft.kind,
                kid=minted.kid,
                client_id=draft.client_id,
                user_id=draft.user_id,
                session_id=draft.session_id,
                impersonation_id=draft.impersonation_id,
                family_id=draft.family_id,
                issued_at=minted.issued_at,
                expires_at=draft.expires_at,
            ),
        )
        self._on_issued(work, minted)
