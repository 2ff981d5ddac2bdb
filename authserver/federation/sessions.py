"""The person behind a trusted issuer's token, and the real session that stands behind it here."""

from authserver.audit.chain import Trail
from authserver.audit.events.sign_in import SessionStarted
from authserver.clock import Clock
from authserver.federation.foreign import ForeignToken
from authserver.federation.logout import UpstreamLogouts
from authserver.federation.people import FederatedPeople
from authserver.federation.refusals import NobodyHereError
from authserver.protocol.tokens import Authentication
from authserver.storage import DbSession, federation, people
from authserver.storage.database import Work
from authserver.storage.tables import Session, User
from authserver.tokens.secret_hashes import SecretHasher, SecretKind


class ForeignSessions:
    """Opens one session for a sign-in at the issuer; its later tokens find it, and prolong it to their `exp`."""

    def __init__(
        self, people_: FederatedPeople, logouts: UpstreamLogouts, hasher: SecretHasher, trail: Trail, clock: Clock
    ) -> None:
        """Open sessions of the people that `people_` knows, unless `logouts` knows that they signed out."""
        self._logouts = logouts
        self._people = people_
        self._hasher = hasher
        self._trail = trail
        self._clock = clock

    def open(self, work: Work, token: ForeignToken, address: str) -> tuple[User, Authentication]:
        """Return whose token it is, and the session behind it. Raises NobodyHereError.

        What has to be written for this is committed here: a sign-in stands whatever becomes of the request.
        A session that was ended here stays ended: the person has to sign in again at the issuer.
        """
        self._check_living(work.session, token)
        session_id = "ses_" + self._hasher.hash(SecretKind.FOREIGN_SESSION, token.login)[:32]
        user = self._people.known(work.session, token)
        row = people.find_session(work.session, session_id)
        if user is None or row is None or row.expires_at < token.expires_at:
            user = self._people.resolve(work, token)
            self._check_living(work.session, token)
            self._write(work, token, user.id, session_id, address)
            work.commit()
            user, row = self._read(work.session, user.id, session_id)
        if row.user_id != user.id or row.ended_at is not None or self._clock.now() >= row.expires_at:
            raise NobodyHereError("session.ended")
        return user, Authentication(row.id, row.auth_time, row.acr, row.address, row.expires_at)

    def _check_living(self, session: DbSession, token: ForeignToken) -> None:
        if self._logouts.over(session, token):
            raise NobodyHereError("session.ended_upstream")

    def _write(self, work: Work, token: ForeignToken, user_id: str, session_id: str, address: str) -> None:
        now = self._clock.now()
        fresh = federation.add_session(
            work.session,
            {
                "id": session_id,
                "user_id": user_id,
                "acr": token.acr,
                "amr": list(token.amr),
                "auth_time": token.auth_time,
                "address": address,
                "created_at": now,
                "expires_at": token.expires_at,
                "user_agent": "",
                "issuer": token.issuer,
                "upstream_sid": token.sid,
            },
        )
        if not fresh:
            federation.prolong(work.session, session_id, expires_at=token.expires_at)
            return
        event = SessionStarted(
            session_id=session_id,
            user_id=user_id,
            acr=token.acr,
            amr=token.amr,
            issuer=token.issuer,
            address=address,
        )
        self._trail.record(work, event)

    @staticmethod
    def _read(session: DbSession, user_id: str, session_id: str) -> tuple[User, Session]:
        user, row = people.find(session, user_id), people.find_session(session, session_id)
        if user is None or row is None:
            raise NobodyHereError("session.ended")
        return user, row
