"""The gate: an impersonation that waits for its notice begins once a channel took it over, or is denied by name."""

from authserver.clock import Clock
from authserver.impersonation.again import ask_as_started, hold
from authserver.impersonation.judge import Judge
from authserver.impersonation.lifecycle import SYSTEM, Lifecycle
from authserver.protocol.names import State
from authserver.protocol.refusals import Refusal
from authserver.storage import impersonations, outbox
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.outbox import Message


class Gate:
    """Opens or closes what waits; before it opens, the policy is asked again under lock."""

    def __init__(self, judge: Judge, lifecycle: Lifecycle, clock: Clock) -> None:
        """Open and close through `lifecycle`."""
        self._judge = judge
        self._lifecycle = lifecycle
        self._clock = clock

    def hold(self, work: Work, message: Message) -> Record | None:
        """Lock what a gating message is about, before the message itself; None when it waits no more."""
        record = impersonations.find(work.session, message.impersonation_id or "")
        held = None if record is None else hold(work, record, now=self._clock.now())
        waits = held is not None and held.state is State.REQUESTED and held.notice == "awaited"
        return held if waits else None

    def open(self, work: Work, held: Record) -> None:
        """Let an impersonation go on to where the policy now puts it."""
        now = self._clock.now()
        if held.overdue(now):
            self._lifecycle.expire(work, held)
            return
        outbox.accept_notice(work.session, held.id)
        told = impersonations.find(work.session, held.id) or held
        try:
            ask = ask_as_started(work.session, told, now=now)
            verdict = self._judge.judge(work.session, ask, told, now=now, hold=True)
            self._lifecycle.advance(work, told, verdict)
        except Refusal as refusal:
            self._lifecycle.end(work, told, state=State.DENIED, by=SYSTEM, reason=refusal.reason)

    def close(self, work: Work, held: Record, channel: str) -> None:
        """Refuse by the name of the channel that was the last hope."""
        self._lifecycle.end(work, held, state=State.DENIED, by=SYSTEM, reason=f"notice_failed:{channel}")
