"""The report that is owed for breaking the glass (design section 4)."""

from authserver.audit.chain import Trail
from authserver.audit.events import BreakGlassReported
from authserver.clock import Clock
from authserver.impersonation.decisions import Decider
from authserver.protocol.refusals import Conflict, Forbidden
from authserver.storage import governance
from authserver.storage.database import Work
from authserver.storage.impersonations import Record


class Reports:
    """Files reports; with the last one owed the right to break the glass is back."""

    def __init__(self, trail: Trail, clock: Clock) -> None:
        """Record in `trail`."""
        self._trail = trail
        self._clock = clock

    def file(self, work: Work, record: Record, decider: Decider, report: str) -> None:
        """File the report of one impersonation, once, by whoever broke the glass."""
        if decider.user_id != record.actor_id:
            raise Forbidden("report.not_the_actor")
        now = self._clock.now()
        work.lock()
        owed = governance.report_of(work.session, record.id)
        if owed is None:
            raise Conflict("report.not_owed")
        overdue = now > owed.due_at
        if not governance.file_report(work.session, record.id, report=report, session_id=decider.session_id, now=now):
            raise Conflict("report.filed")
        event = BreakGlassReported(impersonation_id=record.id, actor=decider.user_id, report=report, overdue=overdue)
        self._trail.record(work, event)
