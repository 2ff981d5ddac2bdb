"""A trusted issuer says that somebody signed out there (OpenID Connect Back-Channel Logout 1.0 §2)."""

from dataclasses import dataclass

from authserver.clock import Clock
from authserver.federation.claims import identifier, instant, strings
from authserver.federation.foreign import ForeignToken
from authserver.federation.refusals import UntrustworthyError
from authserver.federation.trusted import KnownIssuer, TrustedIssuers
from authserver.federation.verification import Unverified
from authserver.storage import DbSession, federation
from authserver.storage.database import Work
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_REMEMBERED_SECONDS = 7 * 86_400
"""How long a sign-out is remembered: longer than a token that was issued before it is good for."""
_TYPES = frozenset({"", "jwt", "logout+jwt", "application/logout+jwt"})
"""The type is recommended, not required (§2.4): a logout token is told by its event, and by having no nonce."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutOrder:
    """A genuine logout token: whose sessions end, by the issuer's name for its session, its subject, or both."""

    name: str
    """The issuer's name in the settings."""
    issuer: str
    sid: str | None
    sub: str | None
    jti: str
    issued_at: int
    expires_at: int

    @property
    def told(self) -> str:
        """What it names, in a word."""
        if self.sid is None:
            return "sub"
        return "sid" if self.sub is None else "both"


class UpstreamLogouts:
    """Verifies logout tokens, and lets each be used once."""

    def __init__(self, trusted: TrustedIssuers, hasher: SecretHasher, clock: Clock) -> None:
        """Listen to the issuers of `trusted` that people sign in at."""
        self._trusted = trusted
        self._hasher = hasher
        self._clock = clock

    def verify(self, unverified_token: str) -> LogoutOrder:
        """Validate a logout token (§2.6), apart from its having been used. Raises FederationError."""
        token = self._trusted.read(unverified_token)
        known = self._trusted.of(token.claims.get("iss"))
        if known is None or known.settings.client_id is None:
            raise UntrustworthyError("logout.issuer")
        _check_form(token)
        known.verification.check_signature(token)
        return self._order(known, token)

    def use(self, work: Work, order: LogoutOrder) -> str | None:
        """Use up a token, and return whose sessions it is about, None where it names no person; locks.

        Raises UntrustworthyError for one that was used before. A subject that is nobody here has no sessions: the
        empty text, which is no person's id.
        """
        work.lock()
        jti_hash = self._hasher.hash(SecretKind.LOGOUT_TOKEN, order.jti)
        if not federation.use_logout_token(work.session, order.issuer, jti_hash, expires_at=order.expires_at):
            raise UntrustworthyError("logout.replayed")
        self._remember(work, order)
        if order.sub is None:
            return None
        link = federation.link(work.session, order.issuer, order.sub)
        return "" if link is None else link.user_id

    def over(self, session: DbSession, token: ForeignToken) -> bool:
        """Tell whether a token is of a session that its issuer has ended, or of before its subject signed out."""
        of_subject = self._about(sub=token.sub)
        of_session = None if token.sid is None else self._about(sid=token.sid)
        wanted = [of_subject] if of_session is None else [of_subject, of_session]
        known = federation.logouts(session, token.issuer, wanted)
        return of_session in known or token.issued_at <= known.get(of_subject, 0) - _REMEMBERED_SECONDS

    def _remember(self, work: Work, order: LogoutOrder) -> None:
        """Remember who signed out, for their tokens may come here only after that."""
        about = self._about(sub=order.sub) if order.sid is None else self._about(sid=order.sid)
        until = order.issued_at + _REMEMBERED_SECONDS
        federation.remember_logout(work.session, order.issuer, about, expires_at=until)

    def _about(self, *, sid: str | None = None, sub: str | None = None) -> str:
        return self._hasher.hash(SecretKind.UPSTREAM_LOGOUT, f"sub\0{sub}" if sid is None else f"sid\0{sid}")

    def _order(self, known: KnownIssuer, token: Unverified) -> LogoutOrder:
        claims = token.claims
        issued_at, expires_at = instant(claims, "iat"), instant(claims, "exp")
        known.verification.check_times(claims, issued_at, expires_at, self._clock.now())
        if known.settings.client_id not in strings(claims, "aud"):
            raise UntrustworthyError("logout.audience")
        if not claims.keys() & {"sid", "sub"}:
            raise UntrustworthyError("logout.about_nobody")
        return LogoutOrder(
            name=known.name,
            issuer=known.settings.issuer,
            sid=identifier(claims, "sid") if "sid" in claims else None,
            sub=identifier(claims, "sub") if "sub" in claims else None,
            jti=identifier(claims, "jti"),
            issued_at=issued_at,
            expires_at=expires_at,
        )


def _check_form(token: Unverified) -> None:
    """Refuse what is another kind of token (§2.4, RFC 8725 §3.11)."""
    typ, events = token.header.get("typ", ""), token.claims.get("events")
    if "crit" in token.header or not isinstance(typ, str) or typ.lower() not in _TYPES:
        raise UntrustworthyError("logout.type")
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise UntrustworthyError("logout.event")
    if "nonce" in token.claims:
        raise UntrustworthyError("logout.nonce")
