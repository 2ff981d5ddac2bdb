"""A browser's session: its cookie, and the proof that a form was ours (CSRF)."""

import hmac
from dataclasses import dataclass

from flask import Response, request

from authserver.accounts.sessions import Sessions
from authserver.protocol.refusals import Forbidden, InvalidToken
from authserver.storage.database import Work
from authserver.tokens.secret_hashes import SecretHasher, SecretKind
from authserver.web.refusals import Trace

_SIGNED_OUT = "You are not signed in any more. Sign in, then try again."
_NOT_OUR_FORM = "This page is out of date, or it was not ours. Load it again, then try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A person with a living browser session, as read; frozen, so that it outlives its transaction."""

    session_id: str
    user_id: str
    acr: str
    amr: tuple[str, ...]
    auth_time: int
    expires_at: int
    issuer: str | None = None
    """The upstream issuer that they signed in at; None for a local account."""


class Browser:
    """Reads and sets the cookies of people's browsers: `__Host-` and Secure wherever the issuer is https."""

    def __init__(self, issuer: str, sessions: Sessions, hasher: SecretHasher) -> None:
        """Serve the browsers that come to `issuer`."""
        self._issuer = issuer
        self._secure = issuer.startswith("https://")
        self._sessions = sessions
        self._hasher = hasher

    def name(self, kind: str = "session") -> str:
        """Return a cookie's name."""
        return f"__Host-authserver-{kind}" if self._secure else f"authserver-{kind}"

    def cookie(self, kind: str = "session") -> str:
        """Return a cookie's value, empty when the browser sent none."""
        return request.cookies.get(self.name(kind), "")

    def signed_in(self, work: Work, *, used: bool = True) -> SignedIn | None:
        """Return who is signed in in this browser; `used` tells whether they did something, or their page asks."""
        return self.holder(work, self.cookie(), used=used)

    def holder(self, work: Work, cookie: str, *, used: bool = True) -> SignedIn | None:
        """Return who is signed in by the session of this cookie."""
        row = self._sessions.find(work, cookie, used=used) if cookie else None
        if row is None:
            return None
        return SignedIn(
            session_id=row.id,
            user_id=row.user_id,
            acr=row.acr,
            amr=tuple(row.amr),
            auth_time=row.auth_time,
            expires_at=row.expires_at,
            issuer=row.issuer,
        )

    def require(self, work: Work, csrf: str | None, trace: Trace) -> SignedIn:
        """Return who posted a form of ours; `trace` learns who they are even when the form was not ours.

        Raises InvalidToken without a session, Forbidden without proof.
        """
        signed_in = self.signed_in(work)
        if signed_in is None:
            raise InvalidToken("session.none", _SIGNED_OUT)
        trace.actor = signed_in.user_id
        self.check_form(csrf, self.cookie())
        return signed_in

    def check_form(self, csrf: str | None, cookie: str) -> None:
        """Raise Forbidden unless the form was made for this browser and comes from our own origin."""
        origin = request.headers.get("Origin")
        if origin is not None and origin != self._issuer:
            raise Forbidden("csrf.origin", _NOT_OUR_FORM)
        if not cookie or csrf is None or not hmac.compare_digest(self.csrf(cookie).encode(), csrf.encode()):
            raise Forbidden("csrf.token", _NOT_OUR_FORM)

    def csrf(self, cookie: str) -> str:
        """Return the proof that a form carries, for the browser with this cookie."""
        return self._hasher.hash(SecretKind.CSRF, cookie)

    def set(self, response: Response, value: str, *, kind: str = "session", max_age: int | None = None) -> None:
        """Set a cookie: HttpOnly, SameSite=Lax, for the whole host and no other."""
        response.set_cookie(
            self.name(kind), value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="Lax"
        )

    def clear(self, response: Response, *, kind: str = "session") -> None:
        """Drop a cookie."""
        response.set_cookie(
            self.name(kind), "", max_age=0, path="/", secure=self._secure, httponly=True, samesite="Lax"
        )
