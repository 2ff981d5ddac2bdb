"""Disabling and enabling people and clients: what hangs on them ends in the same transaction (design section 4)."""

from dataclasses import dataclass

from authserver.audit.chain import Trail
from authserver.audit.events.changes import ClientChanged, UserChanged
from authserver.audit.events.sign_in import SessionEnded
from authserver.clock import Clock
from authserver.impersonation.lifecycle import Lifecycle
from authserver.storage import authorizations, clients, people, tokens
from authserver.storage.database import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How much came to its end with somebody."""

    sessions: int = 0
    impersonations: int = 0


class Enablement:
    """Writes first who is disabled, then ends what was open: a start that came before is seen, a later one refused."""

    def __init__(self, lifecycle: Lifecycle, trail: Trail, clock: Clock) -> None:
        """End through `lifecycle`."""
        self._lifecycle = lifecycle
        self._trail = trail
        self._clock = clock

    def disable_person(self, work: Work, user_id: str, *, by: str) -> Ended | None:
        """Disable a person; their sessions and every impersonation that they are in end. None if they were before."""
        work.lock()
        if not people.set_enabled(work.session, user_id, enabled=False):
            return None
        self._trail.record(work, UserChanged(user_id=user_id, action="disabled", by=by))
        return self._end(work, user_id, by=by, reason="user_disabled", all_of_theirs=True)

    def enable_person(self, work: Work, user_id: str, *, by: str) -> bool:
        """Enable a person; what had ended stays ended. False if they were before."""
        work.lock()
        changed = people.set_enabled(work.session, user_id, enabled=True)
        if changed:
            self._trail.record(work, UserChanged(user_id=user_id, action="enabled", by=by))
        return changed

    def end_sessions(self, work: Work, user_id: str, *, by: str) -> Ended:
        """Sign a person out everywhere; what they act in ends, what others do for them goes on."""
        work.lock()
        people.find(work.session, user_id, hold=True)
        return self._end(work, user_id, by=by, reason="session_ended", all_of_theirs=False)

    def disable_client(self, work: Work, client_id: str, *, by: str) -> Ended | None:
        """Disable a client; its tokens are revoked and its impersonations end. None if it was before."""
        work.lock()
        if not clients.set_enabled(work.session, client_id, enabled=False):
            return None
        self._trail.record(work, ClientChanged(client_id=client_id, action="disabled", by=by))
        tokens.revoke_of_client(work.session, client_id, now=self._clock.now())
        authorizations.end_of_client(work.session, client_id, now=self._clock.now())
        ended = self._lifecycle.end_all(work, by=by, reason="client_disabled", client_id=client_id)
        return Ended(impersonations=ended)

    def enable_client(self, work: Work, client_id: str, *, by: str) -> bool:
        """Enable a client; what was revoked or ended stays so. False if it was before."""
        work.lock()
        changed = clients.set_enabled(work.session, client_id, enabled=True)
        if changed:
            self._trail.record(work, ClientChanged(client_id=client_id, action="enabled", by=by))
        return changed

    def _end(self, work: Work, user_id: str, *, by: str, reason: str, all_of_theirs: bool) -> Ended:
        sessions = people.end_sessions(work.session, user_id, now=self._clock.now())
        for session_id in sessions:
            self._trail.record(work, SessionEnded(session_id=session_id, user_id=user_id, by=by))
        ended = self._lifecycle.end_all(work, by=by, reason=reason, sessions=sessions)
        if all_of_theirs:
            ended += self._lifecycle.end_all(work, by=by, reason=reason, person=user_id)
        return Ended(sessions=len(sessions), impersonations=ended)
