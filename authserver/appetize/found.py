"""A handoff with what it is for, and until when it can be begun."""

from dataclasses import dataclass

from authserver.protocol.names import PENDING_STATES, State
from authserver.protocol.refusals import AccessDenied, Gone, NotFound
from authserver.settings_appetize import App, Appetize
from authserver.storage import handoffs, impersonations, people
from authserver.storage.database import Work
from authserver.storage.handoffs import StoredHandoff
from authserver.storage.impersonations import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A handoff with what it is for."""

    handoff: StoredHandoff
    app: App
    record: Record


class Registry:
    """Finds handoffs, and knows which agents may use which app."""

    def __init__(self, settings: Appetize) -> None:
        """Know the apps of `settings`."""
        self._settings = settings

    def find(self, work: Work, handoff_id: str) -> Found:
        """Return a handoff, its app and its impersonation, or raise NotFound."""
        row = handoffs.find(work.session, handoff_id)
        record = None if row is None else impersonations.find(work.session, row.impersonation_id)
        if row is None or record is None or row.app not in self._settings.apps:
            raise NotFound("handoff.unknown")
        return Found(handoff=row, app=self._settings.apps[row.app], record=record)

    @staticmethod
    def check_agent(work: Work, app: App, actor_id: str) -> None:
        """Raise AccessDenied unless the app is for this agent."""
        actor = people.find(work.session, actor_id)
        if actor is None or not app.lets(frozenset(actor.roles), frozenset(actor.groups)):
            raise AccessDenied("handoff.app_not_for_agent")


def check_window(found: Found, now: int, seconds: int) -> None:
    """Raise Gone for a handoff that can be begun no more: within `seconds` of the impersonation's being active."""
    record = found.record
    if record.state in PENDING_STATES and not record.overdue(now):
        return
    since = max(found.handoff.created_at, record.activated_at or 0)
    if record.state is not State.ACTIVE or record.overdue(now) or now >= since + seconds:
        raise Gone("handoff.over")
