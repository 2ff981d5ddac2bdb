"""The report that is owed for breaking the glass (design section 4)."""

from authserver.audit.chain import Trail
from authserver.audit.events.governance import BreakGlassReported
from authserver.clock import Clock
from authserver.impersonation.decisions import Decider
from authserver.protocol.names import OPEN_STATES
from authserver.protocol.refusals import Conflict, Forbidden, InvalidRequest
from authserver.settings_governance import BreakGlass
from authserver.storage import governance, impersonations
from authserver.storage.database import Work
from authserver.storage.impersonations import Record

_TOO_SHORT = "The report is too short to say what was done, and why."
_TOO_EARLY = "The report is filed once the impersonation has ended."


class Reports:
    """Files reports; with the last one owed the right to break the glass is back."""

    def __init__(self, rules: BreakGlass, trail: Trail, clock: Clock) -> None:
        """Take what `rules` want, and record in `trail`."""
        self._rules = rules
        self._trail = trail
        self._clock = clock

    def file(self, work: Work, record: Record, decider: Decider, report: str) -> None:
        """File the report of one impersonation, once, by whoever broke the glass, when all of it can be told."""
        if decider.user_id != record.actor_id:
            raise Forbidden("report.not_the_actor")
        least, now = self._rules.report_min_chars, self._clock.now()
        if len(" ".join(report.split())) < least:
            raise InvalidRequest("report.too_short", _TOO_SHORT, extra={"min_chars": least})
        work.lock()
        owed = governance.report_of(work.session, record.id)
        if owed is None:
            raise Conflict("report.not_owed")
        held = impersonations.find(work.session, record.id)
        if held is not None and held.state in OPEN_STATES and not held.overdue(now):
            raise Conflict("report.too_early", _TOO_EARLY)
        overdue = now > owed.due_at
        if not governance.file_report(work.session, record.id, report=report, session_id=decider.session_id, now=now):
            raise Conflict("report.filed")
        event = BreakGlassReported(impersonation_id=record.id, actor=decider.user_id, report=report, overdue=overdue)
        self._trail.record(work, event)
