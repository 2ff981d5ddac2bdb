"""A handoff with what it is for, and until when it can be begun."""

from dataclasses import dataclass

from authserver.appetize.apps import Apps
from authserver.appetize.look import look_of
from authserver.protocol.names import PENDING_STATES, State
from authserver.protocol.refusals import AccessDenied, Gone, NotFound
from authserver.settings_appetize import App
from authserver.storage import handoffs, impersonations, people
from authserver.storage.database import Work
from authserver.storage.handoffs import StoredHandoff
from authserver.storage.impersonations import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A handoff with what it is for; `offered` is its app while that may be used."""

    handoff: StoredHandoff
    offered: App | None
    record: Record

    @property
    def app(self) -> App:
        """The app, as it may be used now. Raises Gone once it may not: nothing more is given out then."""
        if self.offered is None:
            raise Gone("handoff.app_gone")
        return self.offered


class Registry:
    """Finds handoffs, and knows which agents may use which app."""

    def __init__(self, apps: Apps) -> None:
        """Know these apps."""
        self._apps = apps

    def find(self, work: Work, handoff_id: str) -> Found:
        """Return a handoff whose app may be used, and its impersonation, or raise NotFound."""
        found = self.known(work, handoff_id)
        if found.offered is None:
            raise NotFound("handoff.app_gone")
        return found

    def known(self, work: Work, handoff_id: str) -> Found:
        """Return a handoff whatever became of its app: to end it, and to tell what was done. Raises NotFound."""
        row = handoffs.find(work.session, handoff_id)
        record = None if row is None else impersonations.find(work.session, row.impersonation_id)
        if row is None or record is None:
            raise NotFound("handoff.unknown")
        return Found(handoff=row, offered=self._apps.find(work.session, row.app), record=record)

    def app(self, work: Work, name: str, actor_id: str) -> App:
        """Return an app for an agent, as it is now. Raises NotFound, and AccessDenied where it is not for them."""
        app = self._apps.find(work.session, name)
        if app is None:
            raise NotFound("handoff.app_unknown")
        self.check_agent(work, app, actor_id)
        return app

    @staticmethod
    def build(work: Work, found: Found) -> tuple[str, bool]:
        """Return the build that a handoff runs, and whether it is another than was asked for or than the customer's."""
        if found.offered is None:
            return found.handoff.build or "", False
        return found.app.build_for(found.handoff.build, look_of(work.session, found.record.subject_id).app_version)

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
