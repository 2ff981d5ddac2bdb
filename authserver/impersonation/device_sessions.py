"""The grace time: what is active stays so for a moment after its device session ends (design section 4)."""

from authserver.audit.chain import Trail
from authserver.audit.events.handoffs import DeviceSessionEnded, DeviceSessionReopened
from authserver.clock import Clock
from authserver.protocol.names import PENDING_STATES, State
from authserver.protocol.refusals import Conflict
from authserver.settings import Impersonation as Limits
from authserver.storage import handoffs, impersonations
from authserver.storage.database import Work
from authserver.storage.impersonations import Record


class DeviceSessions:
    """Starts the grace time and stops it. While it runs, the same agent may open a device again without new consent."""

    def __init__(self, limits: Limits, trail: Trail, clock: Clock) -> None:
        """Grant what `limits` say."""
        self._limits = limits
        self._trail = trail
        self._clock = clock

    def ended(self, work: Work, record: Record, *, by: str, handoff_id: str | None = None) -> Record:
        """Let the grace time begin, never beyond the clock.

        A second report changes nothing, nor does one of an older device: `handoff_id` tells which, where that is known.
        """
        work.lock()
        held = impersonations.find(work.session, record.id, hold=True)
        if held is None or held.state in PENDING_STATES:
            raise Conflict("device.impersonation_not_active")
        now = self._clock.now()
        if held.state is not State.ACTIVE or held.overdue(now) or held.grace_until is not None:
            return held
        if handoff_id is not None and not handoffs.is_latest(work.session, held.id, handoff_id):
            return held
        until = min(now + self._limits.grace_seconds, held.expires_at or now)
        event = DeviceSessionEnded(impersonation_id=held.id, actor=held.actor_id, by=by, grace_until=until)
        self._trail.record(work, event)
        return self._change(work, held, until)

    def opened(self, work: Work, record: Record) -> None:
        """Stop the grace time of what is held, if it runs."""
        if record.grace_until is None:
            return
        self._change(work, record, None)
        self._trail.record(work, DeviceSessionReopened(impersonation_id=record.id, actor=record.actor_id))

    @staticmethod
    def _change(work: Work, held: Record, until: int | None) -> Record:
        changed = impersonations.change(work.session, held.id, grace_until=until)
        if changed is None:
            raise Conflict("impersonation.moved")
        return changed
