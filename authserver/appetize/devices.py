"""What the embed page tells of its device: stages, the vendor's session, performed actions; and its silence."""

from collections.abc import Mapping
from dataclasses import dataclass

from authserver.appetize.found import Found
from authserver.audit.chain import Trail
from authserver.audit.events.handoffs import HandoffClosed, HandoffStarted
from authserver.clock import Clock
from authserver.impersonation.actions import Actions, Performed, Reported
from authserver.impersonation.device_sessions import DeviceSessions
from authserver.protocol.names import PENDING_STATES
from authserver.settings_appetize import Appetize
from authserver.storage import handoff_codes, handoffs, impersonations
from authserver.storage.database import Work
from authserver.storage.handoffs import StoredHandoff
from authserver.storage.impersonations import Record

SYSTEM = "system"
"""Who closes the device of a page that fell silent."""
STAGES = ("requested", "started", "first_frame", "app_launched", "ended")
EVENTS = frozenset(
    {
        "action", "interaction", "tap", "swipe", "type", "keypress", "appLaunch", "restartApp", "reinstallApp",
        "openUrl", "orientationChanged", "inactivityWarning", "screenshot", "error", "end",
    }
)  # fmt: skip
"""The device's events that are kept; of each only its time, and the type and identifier of its element."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEvent:
    """One event of a device, under an id of the page's own."""

    id: str
    name: str
    at_ms: int
    element_type: str | None = None
    element_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """One report of a page: when stages were reached (ms), the vendor's name of the session, and what was done."""

    stages: Mapping[str, int]
    device_session: str | None
    events: tuple[DeviceEvent, ...]


class Devices:
    """Follows the devices of embed pages."""

    def __init__(
        self, settings: Appetize, *, sessions: DeviceSessions, actions: Actions, trail: Trail, clock: Clock
    ) -> None:
        """Take a page for silent as `settings` say; begin and stop the grace time by `sessions`."""
        self._settings = settings
        self._sessions = sessions
        self._actions = actions
        self._trail = trail
        self._clock = clock

    def report(self, work: Work, found: Found, report: DeviceReport) -> Reported:
        """Keep what a page reports; no instant lies in the future, whatever the page's clock says."""
        if report.stages or report.device_session is not None:
            self._stages(work, found, report)
        now_ms = self._clock.now_ms()
        began_ms = min((found.record.activated_at or 0) * 1000, now_ms)
        batch = [_performed(event, began_ms, now_ms) for event in report.events if event.name in EVENTS]
        if not batch:
            return Reported(0, 0)
        return self._actions.report(work, found.record, found.handoff.id, batch)

    def close(self, work: Work, found: Found, *, by: str) -> None:
        """Close the device of a handoff, if it is not closed."""
        work.lock()
        held = impersonations.find(work.session, found.record.id, hold=True)
        if held is not None and handoffs.close(work.session, found.handoff.id, at_ms=self._clock.now_ms()):
            self._closed(work, held, found.handoff.id, by)

    def close_silent(self, work: Work, *, limit: int) -> None:
        """Let the grace time begin for devices whose page was not heard of for too long, until it comes back."""
        since_ms = self._clock.now_ms() - self._settings.heartbeat_seconds * 1000
        for handoff_id, impersonation_id in handoffs.unseen(work.session, since_ms=since_ms, limit=limit):
            work.lock()
            held = impersonations.find(work.session, impersonation_id, hold=True)
            if held is not None and handoffs.silence(work.session, handoff_id, since_ms=since_ms):
                self._grace(work, held, handoff_id, SYSTEM)

    def _stages(self, work: Work, found: Found, report: DeviceReport) -> None:
        work.lock()
        now, now_ms, handoff_id = self._clock.now(), self._clock.now_ms(), found.handoff.id
        held = impersonations.find(work.session, found.record.id, hold=True)
        before = handoffs.find(work.session, handoff_id)
        if held is None or before is None:
            return
        reached = {f"{name}_ms": min(at_ms, now_ms) for name, at_ms in report.stages.items() if name != "ended"}
        after = handoffs.report(work.session, handoff_id, reached, report.device_session) or before
        if before.started_ms is None and after.started_ms is not None:
            handoff_codes.shorten(work.session, handoff_id, until=now + self._settings.code_seconds)
            event = HandoffStarted(
                impersonation_id=held.id, handoff_id=handoff_id, app=after.app, device_session=after.device_session
            )
            self._trail.record(work, event)
        ended_ms = report.stages.get("ended")
        if ended_ms is not None and handoffs.close(work.session, handoff_id, at_ms=min(ended_ms, now_ms)):
            self._closed(work, held, handoff_id, held.actor_id)

    def _closed(self, work: Work, held: Record, handoff_id: str, by: str) -> None:
        """Do what belongs to a device's end: its codes die, its times are told, the grace time begins."""
        handoff_codes.shorten(work.session, handoff_id, until=self._clock.now())
        closed = handoffs.find(work.session, handoff_id)
        if closed is not None:
            self._trail.record(work, _closed_event(closed, by))
        self._grace(work, held, handoff_id, by)

    def _grace(self, work: Work, held: Record, handoff_id: str, by: str) -> None:
        if held.state not in PENDING_STATES:
            self._sessions.ended(work, held, by=by, handoff_id=handoff_id)


def _performed(event: DeviceEvent, began_ms: int, now_ms: int) -> Performed:
    element = {"element_type": event.element_type, "element_id": event.element_id}
    details = {name: value for name, value in element.items() if value is not None}
    return Performed(event.id, f"device.{event.name}", max(began_ms, min(event.at_ms, now_ms)), details)


def _closed_event(closed: StoredHandoff, by: str) -> HandoffClosed:
    return HandoffClosed(
        impersonation_id=closed.impersonation_id,
        handoff_id=closed.id,
        by=by,
        device_session=closed.device_session,
        requested_ms=closed.requested_ms,
        started_ms=closed.started_ms,
        first_frame_ms=closed.first_frame_ms,
        app_launched_ms=closed.app_launched_ms,
        ended_ms=closed.ended_ms,
    )
