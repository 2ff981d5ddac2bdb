"""Browsers' sessions: started at sign-in, found by a cookie that is stored hashed, ended with all they carry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from authserver.accounts.authentication import Authenticated
from authserver.accounts.refusals import WrongCredentials
from authserver.audit.chain import Trail
from authserver.audit.events.sign_in import SessionEnded, SessionReauthenticated, SessionStarted
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.settings import Accounts
from authserver.storage import DbSession, people, sign_ins
from authserver.storage.database import Work
from authserver.storage.sign_ins import BrowserSession
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_TOUCH_SECONDS = 60
_MAX_USER_AGENT = 255

OnEnded = Callable[[Work, Sequence[str], str], None]
"""Ends what rests on sessions, in the same work: `(work, session_ids, by)`, `by` being who ended them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a browser is: its address, and what it calls itself."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where else a person is signed in by this: the issuer, its name for that session, its ID token as it is kept."""

    issuer: str
    sid: str | None = None
    sealed_id_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Started:
    """A session that was started or renewed, and the browser's new cookie."""

    session: BrowserSession
    cookie: str = field(repr=False)


class Sessions:
    """Starts, finds, renews and ends sessions."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything it rests on, injected
        self,
        settings: Accounts,
        hasher: SecretHasher,
        trail: Trail,
        clock: Clock,
        entropy: Entropy,
        on_ended: OnEnded,
    ) -> None:
        """Let sessions live as `settings` say."""
        self._settings = settings
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy
        self._on_ended = on_ended

    def sign_in(  # noqa: PLR0913 - what a session says
        self,
        work: Work,
        user_id: str,
        authenticated: Authenticated,
        place: Place,
        *,
        old_cookie: str = "",
        upstream: Upstream | None = None,
    ) -> Started:
        """Start a session, or renew the one this browser holds if it is the same person's; the cookie is always new.

        Another person's session in this browser ends. `upstream` is None for an account here.
        Raises WrongCredentials when the person has been disabled.
        """
        work.lock()
        person = people.find(work.session, user_id, hold=True)
        if person is None or not person.enabled:
            raise WrongCredentials("account.disabled")
        held = self._held(work.session, old_cookie) if old_cookie else None
        issuer = None if upstream is None else upstream.issuer
        if held is not None and (held.user_id, held.issuer) == (user_id, issuer):
            renewed = self._renew(work, held, old_cookie, authenticated, place, upstream)
            if renewed is not None:
                return renewed
        elif held is not None:
            self.end(work, held.id, user_id=held.user_id, by=held.user_id)
        return self._start(work, user_id, authenticated, place, upstream)

    def find(self, work: Work, cookie: str, *, used: bool = True) -> BrowserSession | None:
        """Return the living session of a browser; that it came by is noted at the commit, at most once a minute.

        It is not where it was not `used`: a page that asks by itself keeps nobody signed in.
        """
        found, now = self._held(work.session, cookie), self._clock.now()
        if found is None or found.seen_at is None or now >= found.seen_at + self._settings.session_idle_seconds:
            return None
        if used and now - found.seen_at >= _TOUCH_SECONDS:
            since = now - _TOUCH_SECONDS
            work.before_commit(lambda: sign_ins.touch(work.session, found.id, now=now, unless_since=since))
        return found

    def listing(self, session: DbSession, user_id: str) -> list[BrowserSession]:
        """Return a person's living sessions, the newest authentication first."""
        return sign_ins.living_of(session, user_id, now=self._clock.now())

    def end(self, work: Work, session_id: str, *, user_id: str, by: str) -> bool:
        """End a session of a person with all that rests on it; False when there is none such."""
        work.lock()
        if not sign_ins.end(work.session, session_id, user_id=user_id, now=self._clock.now()):
            return False
        self._ended(work, [session_id], user_id, by)
        return True

    def end_all(self, work: Work, user_id: str, *, by: str, but: str | None = None) -> list[str]:
        """End every session of a person, but for one where it is named; return the ids of those that were ended."""
        work.lock()
        people.find(work.session, user_id, hold=True)
        now = self._clock.now()
        living = [found.id for found in sign_ins.living_of(work.session, user_id, now=now) if found.id != but]
        ended = [found for found in living if sign_ins.end(work.session, found, user_id=user_id, now=now)]
        if ended:
            self._ended(work, ended, user_id, by)
        return ended

    def end_upstream(self, work: Work, issuer: str, *, sid: str | None, user_id: str | None, by: str) -> list[str]:
        """End the sessions that rest on one at an upstream issuer, with all that rests on them; return their ids.

        That is its session `sid`, or every one of a person; with both it is what fits both.
        """
        work.lock()
        now = self._clock.now()
        found = sign_ins.at_issuer(work.session, issuer, sid=sid, user_id=user_id, now=now)
        owners = sorted({owner for _, owner in found})
        for owner in owners:
            people.find(work.session, owner, hold=True)
        ended = [each for each in found if sign_ins.end(work.session, each[0], user_id=each[1], now=now)]
        for owner in owners:
            ids = [session_id for session_id, of in ended if of == owner]
            if ids:
                self._ended(work, ids, owner, by)
        return [session_id for session_id, _ in ended]

    def _ended(self, work: Work, session_ids: Sequence[str], user_id: str, by: str) -> None:
        for session_id in session_ids:
            self._trail.record(work, SessionEnded(session_id=session_id, user_id=user_id, by=by))
        self._on_ended(work, session_ids, by)

    def _start(
        self, work: Work, user_id: str, authenticated: Authenticated, place: Place, upstream: Upstream | None
    ) -> Started:
        now, cookie = self._clock.now(), self._entropy.token()
        stands = BrowserSession(
            id=self._entropy.identifier("ses"),
            user_id=user_id,
            acr=authenticated.acr,
            amr=authenticated.amr,
            auth_time=authenticated.auth_time,
            address=place.address,
            user_agent=place.user_agent[:_MAX_USER_AGENT],
            issuer=None if upstream is None else upstream.issuer,
            created_at=now,
            seen_at=now,
            expires_at=now + self._settings.session_seconds,
            upstream_sid=None if upstream is None else upstream.sid,
            sealed_id_token=None if upstream is None else upstream.sealed_id_token,
        )
        sign_ins.add_session(work.session, stands, self._hash(cookie))
        self._trail.record(work, SessionStarted(**_evidence(stands)))
        return Started(stands, cookie)

    def _renew(  # noqa: PLR0913, PLR0917 - what a session says
        self,
        work: Work,
        held: BrowserSession,
        old_cookie: str,
        authenticated: Authenticated,
        place: Place,
        upstream: Upstream | None,
    ) -> Started | None:
        """Let a session say what was proved just now and nothing older; its absolute end stays."""
        now, cookie = self._clock.now(), self._entropy.token()
        stands = replace(
            held,
            acr=authenticated.acr,
            amr=authenticated.amr,
            auth_time=authenticated.auth_time,
            address=place.address,
            user_agent=place.user_agent[:_MAX_USER_AGENT],
            upstream_sid=None if upstream is None else upstream.sid,
            sealed_id_token=None if upstream is None else upstream.sealed_id_token,
            seen_at=now,
        )
        old, new = self._hash(old_cookie), self._hash(cookie)
        if not sign_ins.reauthenticate(work.session, stands, old_cookie=old, new_cookie=new, now=now):
            return None
        self._trail.record(work, SessionReauthenticated(**_evidence(stands)))
        return Started(stands, cookie)

    def _held(self, session: DbSession, cookie: str) -> BrowserSession | None:
        return sign_ins.of_cookie(session, self._hash(cookie), now=self._clock.now())

    def _hash(self, cookie: str) -> str:
        return self._hasher.hash(SecretKind.SESSION, cookie)


def _evidence(stands: BrowserSession) -> dict[str, Any]:
    return {
        "session_id": stands.id,
        "user_id": stands.user_id,
        "acr": stands.acr,
        "amr": stands.amr,
        "issuer": stands.issuer,
        "address": stands.address,
    }
