"""What approvals and consents share: who decides, under which locks, and what the policy says afterwards."""

from dataclasses import dataclass, replace
from typing import Literal

from authserver.clock import Clock
from authserver.impersonation.again import ask_as_started, hold
from authserver.impersonation.asks import Verdict
from authserver.impersonation.judge import Judge
from authserver.impersonation.lifecycle import Lifecycle
from authserver.protocol.names import State
from authserver.protocol.refusals import Conflict, Refusal
from authserver.storage.database import Work
from authserver.storage.impersonations import Record

Choice = Literal["approve", "deny"]


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

    def hold(self, work: Work, record: Record) -> Record:
        """Lock everyone in it, in the one order, and read it anew; what has run out is expired and no longer open."""
        held = hold(work, record, now=self._clock.now())
        if held is None:
            raise Conflict("impersonation.gone")
        if held.overdue(self._clock.now()):
            self._lifecycle.expire(work, held)
            raise Conflict("impersonation.overdue")
        return held

    def extending(self, held: Record) -> Record | None:
        """Return an active impersonation as it would be if its extension were granted, or None where none waits."""
        until = held.extension_until
        if held.state is not State.ACTIVE or until is None or self._clock.now() >= until:
            return None
        lifetime = held.extension_lifetime or held.lifetime
        return replace(held, lifetime=lifetime, digest=held.extension_digest or held.digest)

    def go_on(self, work: Work, held: Record, decider: str) -> Record:
        """Let the policy say what follows a yes; it is asked again, for much may have changed since the start."""
        try:
            verdict = self.verdict(work, held)
        except Refusal as refusal:
            return self.end(work, held, decider, State.DENIED, refusal.reason)
        moved = self._lifecycle.advance(work, held, verdict)
        if moved is None:
            raise Conflict("impersonation.moved")
        return moved

    def verdict(self, work: Work, held: Record) -> Verdict:
        """Ask the policy again what was asked at the start, under the locks that are held."""
        now = self._clock.now()
        return self._judge.judge(work.session, ask_as_started(work, held, now=now), held, now=now, hold=True)

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
