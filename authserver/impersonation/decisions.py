"""What approvals and consents share: who decides, under which locks, and what the policy says afterwards."""

from dataclasses import dataclass, replace
from typing import Literal

from authserver.clock import Clock
from authserver.impersonation.again import ask_as_started, hold
from authserver.impersonation.asks import Verdict
from authserver.impersonation.judge import Judge
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.policy import NeedsApproval, NeedsConsent
from authserver.protocol.names import State
from authserver.protocol.refusals import Conflict, InvalidToken, Refusal
from authserver.storage import DbSession, impersonations, people
from authserver.storage.database import Work
from authserver.storage.impersonations import Record

Choice = Literal["approve", "deny"]
_MAX_REASON_CHARS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Who decides: a person in a session of their own."""

    user_id: str
    session_id: str


class Decisions:
    """Holds what is decided on, and moves it on after a decision."""

    def __init__(self, judge: Judge, lifecycle: Lifecycle, clock: Clock) -> None:
        """Decide through `lifecycle`."""
        self._judge = judge
        self._lifecycle = lifecycle
        self._clock = clock

    def hold(self, work: Work, record: Record, decider: Decider) -> Record:
        """Lock everyone in it, in the one order, and read it anew; what has run out is expired and no longer open.

        Whoever decides is asked for again too: a session that ended meanwhile decides nothing.
        """
        held = hold(work, record, now=self._clock.now(), person=decider.user_id, session_id=decider.session_id)
        self.check(work.session, decider)
        if held is None:
            raise Conflict("impersonation.gone")
        if held.overdue(self._clock.now()):
            self._lifecycle.expire(work, held)
            raise Conflict("impersonation.overdue")
        return held

    def check(self, session: DbSession, decider: Decider) -> None:
        """Raise InvalidToken unless who decides is enabled, and their session lives."""
        user, behind = people.find(session, decider.user_id), people.find_session(session, decider.session_id)
        if (
            user is None
            or not user.enabled
            or behind is None
            or behind.user_id != user.id
            or behind.ended_at is not None
            or self._clock.now() >= behind.expires_at
        ):
            raise InvalidToken("session.ended")

    def waiting(self, session: DbSession, record: Record, state: State, *, hold: bool = False) -> Record | None:
        """Return what waits for this kind of decision: the record, or what it would be once it is extended.

        An extension waits for what the policy says now; where it says no, for nothing.
        """
        if record.state is state:
            return record
        wanted = self.extending(record)
        if wanted is None:
            return None
        try:
            decision = self.verdict(session, wanted, hold=hold).decision
        except Refusal:
            return None
        lacking = NeedsApproval if state is State.AWAITING_APPROVAL else NeedsConsent
        return wanted if isinstance(decision, lacking) else None

    def extending(self, held: Record) -> Record | None:
        """Return an active impersonation as it would be if its extension were granted, or None where none waits."""
        until = held.extension_until
        if held.state is not State.ACTIVE or until is None or self._clock.now() >= until:
            return None
        return extended(held, held.extension_lifetime or held.lifetime, held.extension_digest or held.digest)

    def go_on(self, work: Work, held: Record, decider: str) -> Record:
        """Let the policy say what follows a yes; it is asked again, for much may have changed since the start."""
        try:
            moved = self._lifecycle.advance(work, held, self.verdict(work.session, held, hold=True))
        except Refusal as refusal:
            return self.end(work, held, decider, State.DENIED, refusal.reason[:_MAX_REASON_CHARS])
        if moved is None:
            raise Conflict("impersonation.moved")
        return moved

    def verdict(self, session: DbSession, held: Record, *, hold: bool) -> Verdict:
        """Ask the policy again what was asked at the start; raises the refusal."""
        now = self._clock.now()
        return self._judge.judge(session, ask_as_started(session, held, now=now), held, now=now, hold=hold)

    def end(self, work: Work, held: Record, by: str, state: State, reason: str) -> Record:
        """End it by a decision."""
        ended = self._lifecycle.end(work, held, state=state, by=by, reason=reason)
        if ended is None:
            raise Conflict("impersonation.moved")
        return ended

    def withdraw(self, work: Work, held: Record, by: str, reason: str) -> Record:
        """End what rested on a decision that is taken back."""
        state = State.REVOKED if held.state is State.ACTIVE else State.DENIED
        return self.end(work, held, by, state, reason)

    def revoke_resting_on(self, work: Work, consent_id: str, by: str, reason: str) -> None:
        """Revoke every active impersonation that rests on a consent; what ended meanwhile stays as it is."""
        for record in impersonations.resting_on(work.session, consent_id):
            self._lifecycle.end(work, record, state=State.REVOKED, by=by, reason=reason)


def extended(record: Record, lifetime: int, digest: str) -> Record:
    """Return what a record would be once it lives longer; what was decided for another extension says nothing of it."""
    return replace(
        record,
        lifetime=lifetime,
        digest=digest,
        extension_lifetime=None,
        extension_digest=None,
        extension_until=None,
    )
